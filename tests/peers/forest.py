"""Forests of LightGBM and XGBoost through `fit trees = forest(x; file = ...)`: what the native program predicts on
the data and on awkward rows, as floats, is LightGBM's raw score to the last bit, and XGBoost's margin (a sum of
floats there, of doubles here) to 1e-5. What `export --lightgbm` writes, LightGBM loads and predicts the same with.
(Leaf by leaf they are compared in trees.py, and in tests/forest.sh without either of them.)

    python3 tests/peers/forest.py RANKC

Skipped (77) without numpy, lightgbm and xgboost."""
import os, pathlib, subprocess, sys, tempfile
try:
    import numpy as np, lightgbm as lgb, xgboost as xgb
except ImportError as e:
    print("skipped:", e)
    sys.exit(77)

rng = np.random.default_rng(0)
failed = []
f32 = np.float32


def check(what, ok):
    print(("ok    " if ok else "WRONG ") + what, flush=True)
    failed.extend([] if ok else [what])


def write_csv(path, X):
    with open(path, "w") as out:
        out.write(",".join("x%d" % (i + 1) for i in range(X.shape[1])) + "\n")
        for k, row in enumerate(X):  # what is missing is an empty field or nan
            out.write(",".join(("nan" if k % 2 else "") if np.isnan(v) else "%.9g" % v for v in row) + "\n")


class Program:
    """A model with one forest: built, and its weights stored."""

    def __init__(self, rankc, folder, file, columns):
        self.folder = pathlib.Path(folder)
        (self.folder / "m.rank").write_text("model m\ndim X = %d\ninput x : f32[X], missing = nan\n"
            "fit trees = forest(x; file = \"%s\")\noutput logit = trees.score\n" % (columns, file))
        subprocess.run([rankc, "build", self.folder / "m.rank", "-o", self.folder / "m"], check=True,
                       stdout=subprocess.DEVNULL)
        self.run("train", "--quiet", "--save", self.folder / "weights")

    def run(self, *args):
        subprocess.run([self.folder / "m/m", *args], check=True, stdout=subprocess.DEVNULL)

    def predict(self, X, batch=None):
        write_csv(self.folder / "rows.csv", X)
        self.run("predict", "--no-cache", "--data", self.folder / "rows.csv", "--load", self.folder / "weights", "--out",
                 self.folder / "said", *(["--batch", str(batch)] if batch else []))
        return np.loadtxt(self.folder / "said", skiprows=1, dtype=f32)


def awkward(t, X, n=600):
    """Floats around thresholds, what is missing or infinite; a third of the rows mostly real."""
    t = np.asarray(t, f32)
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e-35, -1e-35, 1e30, -1e30, -0.5, -1, 3e9, 77], f32)
    A = rng.choice(np.concatenate([t, np.nextafter(t, f32(np.inf)), np.nextafter(t, f32(-np.inf)), special]),
                   (n, X.shape[1]))
    k = n // 3
    A[:k] = np.where(rng.random((k, X.shape[1])) < 0.7, X[rng.integers(0, len(X), k)], A[:k])
    return A.astype(f32)


def thresholds(path):
    lines = [l[10:].split() for l in open(path) if l.startswith("threshold=")]
    return np.array([float(x) for l in lines for x in l] or [0.0])


def lightgbm(rankc, name, X, y, rounds=30, cat="auto", **options):
    with tempfile.TemporaryDirectory() as d:
        path, p = os.path.join(d, "model.txt"), dict(objective="binary", verbosity=-1, num_threads=1, **options)
        b = lgb.train(p, lgb.Dataset(X, label=y, categorical_feature=cat), rounds)
        b.save_model(path)
        m = Program(rankc, d, "model.txt", X.shape[1])
        m.run("export", "--load", m.folder / "weights", "--lightgbm", m.folder / "again.txt")
        again = lgb.Booster(model_file=os.path.join(d, "again.txt"))
        for kind, A in (("data", X[:1000].astype(f32)), ("awkward rows", awkward(thresholds(path), X))):
            wanted = b.predict(A.astype(float), raw_score=True)
            logit = (wanted / (rounds if options.get("boosting") == "rf" else 1)).astype(f32)
            check("lightgbm, %s, %s" % (name, kind), np.array_equal(m.predict(A), logit) and
                  np.array_equal(m.predict(A, 1), logit))
            check("exported, %s, %s" % (name, kind), np.array_equal(again.predict(A.astype(float), raw_score=True), wanted)
                  and np.array_equal(again.predict(A.astype(float), pred_leaf=True), b.predict(A.astype(float), pred_leaf=True)))


def fitted(rankc, X, y):
    """A forest that rankc fits, exported."""
    with tempfile.TemporaryDirectory() as d:
        folder = pathlib.Path(d)
        (folder / "m.rank").write_text("model m\ndim X = %d\ninput x : f32[X]\nlabel y : f32\n"
            "fit trees = gbdt(x, y; rounds = 40, leaves = 15)\noutput logit = trees.score\n" % X.shape[1])
        subprocess.run([rankc, "build", folder / "m.rank", "-o", folder / "m"], check=True, stdout=subprocess.DEVNULL)
        np.savetxt(folder / "d.csv", np.column_stack([X, y]), delimiter=",", fmt="%.9g", comments="",
                   header=",".join(["x%d" % (i + 1) for i in range(X.shape[1])] + ["y"]))
        for args in (["train", "--quiet", "--no-cache", "--data", "d.csv", "--save", "w"],
                     ["predict", "--no-cache", "--data", "d.csv", "--load", "w", "--out", "said"],
                     ["export", "--load", "w", "--lightgbm", "m.txt"]):
            subprocess.run([folder / "m/m", *args], check=True, cwd=d, stdout=subprocess.DEVNULL)
        said = np.loadtxt(folder / "said", skiprows=1, dtype=f32)
        b = lgb.Booster(model_file=str(folder / "m.txt"))
        check("exported, fitted by rankc", np.array_equal(b.predict(X.astype(float), raw_score=True).astype(f32), said))
        check("its columns' names", b.feature_name() == ["x%d" % (i + 1) for i in range(X.shape[1])])


def xgboost(rankc, name, X, y, types=None):
    with tempfile.TemporaryDirectory() as d:
        more = dict(feature_types=types, enable_categorical=True) if types else {}
        b = xgb.train(dict(objective="binary:logistic", nthread=1, tree_method="hist"), xgb.DMatrix(X, label=y, **more), 30)
        b.save_model(os.path.join(d, "model.json"))
        m = Program(rankc, d, "model.json", X.shape[1])
        A = awkward(X[~np.isnan(X)].ravel()[:500], X) if not types else X[:600].astype(f32)
        A[np.isinf(A)] = 7  # XGBoost refuses infinities
        for kind, rows in (("data", X[:1000].astype(f32)), ("awkward rows", A)):
            wanted = b.predict(xgb.DMatrix(rows, **more), output_margin=True)
            check("xgboost, %s, %s" % (name, kind), np.abs(m.predict(rows) - wanted).max() < 1e-5)


def main():
    rankc = os.path.abspath(sys.argv[1])
    X = rng.normal(size=(4000, 8)).astype(f32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=4000) > 0).astype(float)
    Xm = X.copy()
    Xm[rng.random(X.shape) < 0.2] = np.nan
    Xc = np.column_stack([rng.integers(0, 40, 4000), rng.integers(0, 4, 4000), X]).astype(f32)
    Xc[rng.random(4000) < 0.1, 0] = np.nan
    yc = ((Xc[:, 0] % 7 < 3) ^ (X[:, 0] > 0)).astype(float)
    lightgbm(rankc, "numbers", X, y)
    lightgbm(rankc, "missing, 255 leaves", Xm, y, num_leaves=255, min_data_in_leaf=2)
    lightgbm(rankc, "zeros missing", np.where(rng.random(X.shape) < 0.2, 0, X), y, zero_as_missing=True)
    lightgbm(rankc, "NaN is 0", Xm, y, use_missing=False)
    lightgbm(rankc, "categories", Xc, yc, cat=[0, 1], min_data_per_group=10)
    lightgbm(rankc, "random forest", Xm, y, boosting="rf", bagging_freq=1, bagging_fraction=0.6)
    fitted(rankc, X, y)
    xgboost(rankc, "numbers", X, y)
    xgboost(rankc, "missing", Xm, y)
    xgboost(rankc, "categories", Xc, yc, ["c", "c"] + ["q"] * 8)
    sys.exit(bool(failed))


main()
