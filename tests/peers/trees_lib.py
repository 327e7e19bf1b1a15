"""The forest library from Python: compiles runtime/trees_*.c into a shared library and calls it."""
import ctypes as C, os, pathlib, subprocess, tempfile
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Matrix(C.Structure):
    _fields_ = [("at", C.c_void_p), ("rows", C.c_long), ("columns", C.c_int), ("stride", C.c_long),
                ("f64", C.c_ubyte)]


class Options(C.Structure):
    _fields_ = [("objective", C.c_int), ("rounds", C.c_int), ("leaves", C.c_int), ("depth", C.c_int),
                ("bins", C.c_int), ("rate", C.c_double), ("lambda_l1", C.c_double), ("lambda_l2", C.c_double),
                ("min_hessian", C.c_double), ("min_gain", C.c_double), ("min_data", C.c_long),
                ("feature_fraction", C.c_double), ("bagging_fraction", C.c_double), ("bagging_freq", C.c_int),
                ("seed", C.c_uint64), ("early_stopping", C.c_int), ("categorical", C.c_void_p),
                ("names", C.c_void_p), ("cat_l2", C.c_double), ("cat_smooth", C.c_double),
                ("max_cat_threshold", C.c_int), ("max_cat_to_onehot", C.c_int), ("min_data_per_group", C.c_long),
                ("min_data_in_bin", C.c_long), ("bin_sample", C.c_long), ("zero_as_missing", C.c_ubyte),
                ("threads", C.c_int), ("progress", C.c_void_p), ("progress_arg", C.c_void_p)]


class Report(C.Structure):
    _fields_ = [("rounds", C.c_int), ("best_round", C.c_int), ("valid_loss", C.c_double),
                ("seconds_bin", C.c_double), ("seconds_fit", C.c_double)]


class Error(C.Structure):
    _fields_ = [("text", C.c_char * 1024)]


class ForestHead(C.Structure):
    _fields_ = [("features", C.c_int), ("names", C.c_void_p), ("infos", C.c_void_p), ("objective", C.c_int),
                ("sigmoid", C.c_double), ("base", C.c_double), ("average", C.c_ubyte), ("ntrees", C.c_long),
                ("nnodes", C.c_long), ("nleaves", C.c_long), ("nwords", C.c_long), ("trees", C.c_void_p),
                ("nodes", C.c_void_p), ("leaves", C.c_void_p), ("words", C.c_void_p)]


class Tree(C.Structure):
    _fields_ = [("node", C.c_long), ("leaf", C.c_long), ("leaves", C.c_int), ("shrinkage", C.c_double)]


class Leaf(C.Structure):
    _fields_ = [("value", C.c_double), ("weight", C.c_double), ("count", C.c_long), ("id", C.c_int32)]


def build(cc="cc", flags=("-O3", "-fopenmp"), path=None):
    path = path or os.path.join(tempfile.mkdtemp(), "libtrees.so")
    subprocess.run([cc, "-std=c11", "-D_GNU_SOURCE=", *flags, "-fPIC", "-shared", "-o", path,
                    *map(str, sorted((ROOT / "runtime").glob("trees_*.c"))), str(ROOT / "runtime/error.c"), "-lm"],
                   check=True)
    return path


def load(path):
    global lib, libc
    lib, libc = C.CDLL(path), C.CDLL(None)
    for name in ("rank_trees_fit", "rank_forest_load", "rank_scorer_new", "rank_forest_read_lightgbm",
                 "rank_forest_read_xgboost"):
        getattr(lib, name).restype = C.c_void_p
    for name in ("rank_forest_score", "rank_forest_probability"):
        getattr(lib, name).restype = C.c_double
    libc.fopen.restype = C.c_void_p


def matrix(a):
    if a is None:
        return None
    a = np.ascontiguousarray(a)
    if a.dtype not in (np.float32, np.float64):
        a = a.astype(np.float64)
    a2 = a.reshape(len(a), -1)
    m = Matrix(a2.ctypes.data, a2.shape[0], a2.shape[1], a2.shape[1], int(a2.dtype == np.float64))
    m.keep = a2
    return m


def ref(m):
    return C.byref(m) if m is not None else None


class Forest:
    def __init__(self, at, error):
        if not at:
            raise ValueError(error.text.decode())
        self.at = C.c_void_p(at)
        self.head = ForestHead.from_address(at)
        self.scorers = {}

    def __del__(self):
        for s in getattr(self, "scorers", {}).values():
            lib.rank_scorer_free(s)
        if hasattr(self, "at"):
            lib.rank_forest_free(self.at)

    def leaf_counts(self):
        return np.array([t.leaves for t in (Tree * self.head.ntrees).from_address(self.head.trees)], np.int32)

    def leaf_ids(self):
        """Per tree: the file's number of each leaf."""
        trees = (Tree * self.head.ntrees).from_address(self.head.trees)
        leaves = (Leaf * self.head.nleaves).from_address(self.head.leaves)
        return [np.array([leaves[t.leaf + i].id for i in range(t.leaves)]) for t in trees]

    def scorer(self, f64):
        if f64 not in self.scorers:
            e = Error()
            s = lib.rank_scorer_new(self.at, int(f64), C.byref(e))
            if not s:
                raise ValueError(e.text.decode())
            self.scorers[f64] = C.c_void_p(s)
        return self.scorers[f64]

    def run(self, X, leaf=False, threads=1, score=True):
        m = matrix(X)
        out = np.empty(m.rows) if score else None
        ids = np.empty((m.rows, self.head.ntrees), np.int32) if leaf else None
        lib.rank_scorer_run(self.scorer(bool(m.f64)), C.byref(m), C.c_void_p(out.ctypes.data if score else None),
                            C.c_void_p(ids.ctypes.data if leaf else None), threads)
        return (out, ids) if leaf else out

    def walk(self, X):
        """Leaves by the plain walk that defines them."""
        m = matrix(X)
        return np.array([[lib.rank_forest_leaf(self.at, C.c_long(t), C.byref(m), C.c_long(r))
                          for t in range(self.head.ntrees)] for r in range(m.rows)], np.int32)

    def write_lightgbm(self, path):
        e, out = Error(), C.c_void_p(libc.fopen(path.encode(), b"w"))
        status = lib.rank_forest_write_lightgbm(self.at, out, C.byref(e))
        libc.fclose(out)
        if status:
            raise ValueError(e.text.decode())

    def importance(self):
        gain, splits = np.empty(self.head.features), np.empty(self.head.features, np.int64)
        lib.rank_forest_importance(self.at, C.c_void_p(gain.ctypes.data), C.c_void_p(splits.ctypes.data))
        return gain, splits


def read(path):
    e = Error()
    return Forest(lib.rank_forest_load(str(path).encode(), C.byref(e)), e)


def fit(X, y, valid=None, weight=None, categorical=None, **options):
    o, r, e = Options(), Report(), Error()
    lib.rank_trees_defaults(C.byref(o))
    for k, v in options.items():
        setattr(o, k, v)
    if categorical is not None:
        flags = np.zeros(X.shape[1], np.uint8)
        flags[list(categorical)] = 1
        o.categorical = flags.ctypes.data
    mx, my, mw = matrix(X), matrix(y), matrix(weight)
    vx, vy = (matrix(valid[0]), matrix(valid[1])) if valid else (None, None)
    f = Forest(lib.rank_trees_fit(C.byref(o), ref(mx), ref(my), ref(mw), ref(vx), ref(vy), C.byref(r), C.byref(e)), e)
    f.report = {k: getattr(r, k) for k, _ in Report._fields_}
    return f
