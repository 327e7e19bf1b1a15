"""Forests against LightGBM (and XGBoost where it is installed): same data and parameters, the losses side by
side; imported models' leaves, on the data and on rows made to be awkward; our text read by LightGBM.

    python3 tests/peers/trees.py [--rows 64000] [--cc cc]

Skipped (77) without numpy, lightgbm and scikit-learn."""
import argparse, ctypes as C, json, os, subprocess, sys, tempfile, time
try:
    import numpy as np, lightgbm as lgb
    from sklearn.datasets import make_classification
    from sklearn.metrics import log_loss, roc_auc_score
except ImportError as e:
    print("skipped:", e)
    sys.exit(77)
try:
    import xgboost as xgb
except ImportError:
    xgb = None
import trees_lib as T

rng = np.random.default_rng(0)
failed = []


def check(what, ok, note=""):
    print(("ok    " if ok else "WRONG ") + what, note, flush=True)
    failed.extend([] if ok else [what])


def data(rows, seed):
    X, y = make_classification(n_samples=rows, n_features=30, n_informative=10, n_redundant=0, random_state=seed)
    return X, y.astype(float)


def thresholds(path):
    lines = [l[10:].split() for l in open(path) if l.startswith("threshold=")]
    return np.array([float(x) for l in lines for x in l] or [0.0])


def awkward(t, X, n=2000):
    """Thresholds, their neighbours, what is missing or infinite; a third of the rows mostly real."""
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 1.0000000180025095e-35,
                        -1.0000000180025095e-35, 1e300, -1e300, 5e-324, -0.5, -1, 2147483647.0, 2147483648.0, 4e9])
    A = rng.choice(np.concatenate([t, np.nextafter(t, np.inf), np.nextafter(t, -np.inf), special]), (n, X.shape[1]))
    k = n // 3
    A[:k] = np.where(rng.random((k, X.shape[1])) < 0.7, X[rng.integers(0, len(X), k)], A[:k])
    return A


def same_losses(rows):
    X, y = data(rows + 20000, 42)
    (X, Xt), (y, yt) = np.split(X, [rows]), np.split(y, [rows])
    base = dict(objective="binary", learning_rate=0.05, num_leaves=31, verbosity=-1, num_threads=1)
    t0, c0 = time.perf_counter(), time.process_time()
    b = lgb.train(base, lgb.Dataset(X, label=y, params=base), 200)
    t1, c1 = time.perf_counter(), time.process_time()
    f = T.fit(X, y, rate=0.05, rounds=200, threads=1)
    t2, c2 = time.perf_counter(), time.process_time()
    p, q = b.predict(Xt), 1 / (1 + np.exp(-f.run(Xt)))
    note = "lightgbm %.5f %.5f, here %.5f %.5f" % (log_loss(yt, p), roc_auc_score(yt, p), log_loss(yt, q), roc_auc_score(yt, q))
    check("loss and AUC", log_loss(yt, q) < 1.01 * log_loss(yt, p) and roc_auc_score(yt, q) > roc_auc_score(yt, p) - 0.002, note)
    print("      one thread, seconds: lightgbm %.2f (cpu %.2f), here %.2f (cpu %.2f)" % (t1 - t0, c1 - c0, t2 - t1, c2 - c1))
    return b, f, X, y, Xt, yt


def learns_as(name, X, y, cat):
    """On the second half of the rows, after learning from the first."""
    n = len(X) // 2
    p = dict(objective="binary", verbosity=-1, num_threads=1)
    b = lgb.train(p, lgb.Dataset(X[:n], label=y[:n], categorical_feature=cat), 60)
    f = T.fit(X[:n], y[:n], rounds=60, threads=1, categorical=cat)
    p, q = b.predict(X[n:]), 1 / (1 + np.exp(-f.run(X[n:])))
    check("learns as lightgbm: " + name, log_loss(y[n:], q) < 1.01 * log_loss(y[n:], p),
          "lightgbm %.5f, here %.5f" % (log_loss(y[n:], p), log_loss(y[n:], q)))


def imported(name, X, y, rounds=40, **options):
    with tempfile.TemporaryDirectory() as d:
        path, again = os.path.join(d, "m.txt"), os.path.join(d, "again.txt")
        p = dict(objective="binary", verbosity=-1, num_threads=1, **options)
        cat = p.pop("cat", "auto")
        b = lgb.train(p, lgb.Dataset(X, label=y, categorical_feature=cat), rounds)
        b.save_model(path)
        f = T.read(path)
        f.write_lightgbm(again)
        b2 = lgb.Booster(model_file=again)
        for A in (X[:3000], awkward(thresholds(path), X), awkward(thresholds(path), X).astype(np.float32)):
            s, leaf = f.run(A, leaf=True)
            wanted = b.predict(A.astype(float), pred_leaf=True)
            ok = np.array_equal(leaf, wanted) and np.allclose(1 / (1 + np.exp(-s)), b.predict(A.astype(float)), 1e-12, 1e-12)
            ok &= np.array_equal(wanted, b2.predict(A.astype(float), pred_leaf=True))
            check("lightgbm's leaves: %s, %s" % (name, A.dtype), ok)


def imported_xgboost(name, X, y, types=None, **options):
    """Categories are compared on rows with every kind of number that a category's column may hold."""
    more = dict(feature_types=types, enable_categorical=True) if types else {}
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "m.json")
        b = xgb.train(dict(objective="binary:logistic", tree_method="hist", nthread=1, **options),
                      xgb.DMatrix(X, label=y, **more), 40)
        b.save_model(path)
        f = T.read(path)
        t = np.concatenate([read_thresholds(path), np.unique(rng.choice(X[~np.isnan(X)], 200).astype(np.float32))])
        t = np.unique(t).astype(float)
        A = awkward(np.concatenate([t, (t + np.nextafter(t.astype(np.float32), np.float32(9))) / 2]), X)
        A[np.abs(A) > 3e38] = 7  # it refuses infinities
        for k in np.flatnonzero(np.array(types or []) == "c"):
            codes = np.arange(-2, 45)
            odd = [np.nan, -0.0, -0.5, -1e-50, 0.5, 1.5, 39.9, 1e6, 2.0**24 - 1, 2.0**24, 2.0**24 + 2, 2.0**31, 2.0**32, 1e30]
            some = np.concatenate([codes, np.nextafter(codes, 99.), np.nextafter(codes, -99.), odd])
            A[:, k] = rng.choice(some, len(A))
        ids = f.leaf_ids()
        for what, B in (("data", X[:3000]), ("awkward", A), ("awkward floats", A.astype(np.float32))):
            s, leaf = f.run(B, leaf=True)
            m = xgb.DMatrix(B, **more)
            mine = np.stack([ids[k][leaf[:, k]] for k in range(leaf.shape[1])], 1)
            check("xgboost's leaves: %s, %s" % (name, what), np.array_equal(mine, b.predict(m, pred_leaf=True).astype(int))
                  and np.abs(s - b.predict(m, output_margin=True)).max() < 1e-4)


def read_thresholds(path):
    trees = json.load(open(path))["learner"]["gradient_booster"]["model"]["trees"]
    return np.array([c for t in trees for c, l in zip(t["split_conditions"], t["left_children"]) if l >= 0], np.float32)


def refused_xgboost(y):
    """Categories of a data frame that are not 0, 1, 2, ..., where pandas is at hand."""
    try:
        import pandas as pd
    except ImportError as e:
        print("skipped: categories of data frames:", e)
        return
    codes = rng.integers(0, 10, len(y))
    for name, names, taken in (("numbers", range(10), True), ("other numbers", range(0, 100, 10), False),
                               ("text", list("abcdefghij"), False)):
        frame = pd.DataFrame(dict(a=pd.Categorical.from_codes(codes, list(names)), b=y))
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "m.json")
            xgb.train(dict(tree_method="hist"), xgb.DMatrix(frame, label=y, enable_categorical=True), 2).save_model(path)
            try:
                T.read(path)
                said = "taken"
            except ValueError as e:
                said = str(e)
            check("categories of a data frame: " + name, said == "taken" if taken else "feature 0 has categories" in said)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--rows", type=int, default=20000)
    a.add_argument("--cc", default="cc")
    o = a.parse_args()
    T.load(T.build(o.cc))
    b, f, X, y, Xt, yt = same_losses(o.rows)
    Xm = X[:6000].copy()
    Xm[rng.random(Xm.shape) < 0.2] = np.nan
    Xc = np.column_stack([rng.integers(0, 40, 6000), rng.integers(0, 4, 6000), X[:6000, :10]]).astype(float)
    Xc[rng.random(6000) < 0.1, 0] = np.nan
    yc = ((Xc[:, 0] % 7 < 3) ^ (X[:6000, 0] > 0)).astype(float)
    learns_as("missing", Xm, y[:6000], [])
    learns_as("categories", Xc, yc, [0, 1])
    imported("numbers", X[:6000], y[:6000])
    imported("missing", Xm, y[:6000], num_leaves=255, min_data_in_leaf=2)
    imported("zeros missing", np.nan_to_num(Xm), y[:6000], zero_as_missing=True)
    imported("NaN is 0", Xm, y[:6000], use_missing=False)
    imported("categories", Xc, yc, cat=[0, 1], min_data_per_group=10)
    imported("random forest", Xm, y[:6000], boosting="rf", bagging_freq=1, bagging_fraction=0.6)
    if xgb:
        imported_xgboost("numbers", Xm, y[:6000])
        types = ["c", "c"] + ["q"] * 10
        imported_xgboost("categories", Xc, yc, types, max_cat_to_onehot=1)
        imported_xgboost("categories one by one", Xc, yc, types, max_cat_to_onehot=64)
        imported_xgboost("a forest of categories", Xc, yc, types, max_cat_to_onehot=5, num_parallel_tree=3, subsample=0.5)
        refused_xgboost(y[:6000])
    texts = []
    for threads in (1, 2, 3):
        with tempfile.NamedTemporaryFile() as t:
            T.fit(X, y, rounds=10, threads=threads).write_lightgbm(t.name)
            texts.append(open(t.name, "rb").read())
    check("the same with 1, 2, 3 threads", texts[0] == texts[1] == texts[2])
    sys.exit(bool(failed))


main()
