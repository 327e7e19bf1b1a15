#!/usr/bin/env python3
"""Time to fit a forest, beside LightGBM and XGBoost's hist: the same rows, settings and threads, one process for
each fit, one after another in turn; medians, and validation losses.

    trees_fit.py [--rows N ...] [--threads N] [--repeats N] [--cc CC]

Rows of 30 numbers, 200 trees of 31 leaves, rate 0.05. A time is from the matrix in memory (float) to the forest:
bins included. Skipped (77) without numpy, lightgbm and scikit-learn; xgboost may be missing."""
import argparse, json, os, shutil, statistics, subprocess, sys, tempfile, time

ROUNDS, LEAVES, RATE, COLUMNS = 200, 31, 0.05, 30


def lightgbm(X, y, threads):
    import lightgbm as lgb
    p = dict(objective="binary", learning_rate=RATE, num_leaves=LEAVES, verbosity=-1, num_threads=threads)
    b = lgb.train(p, lgb.Dataset(X, label=y, params=p), ROUNDS)
    return lambda A: b.predict(A)


def xgboost(X, y, threads):
    import xgboost as xgb
    p = dict(objective="binary:logistic", learning_rate=RATE, max_leaves=LEAVES, max_depth=0, grow_policy="lossguide",
             tree_method="hist", nthread=threads, max_bin=255)
    b = xgb.train(p, xgb.QuantileDMatrix(X, label=y, nthread=threads, max_bin=255), ROUNDS)
    return lambda A: b.predict(xgb.DMatrix(A))


def rankc(X, y, threads):
    import numpy as np, trees_lib as T
    T.load(os.environ["TREES_LIB"])
    f = T.fit(X, y, rounds=ROUNDS, leaves=LEAVES, rate=RATE, threads=threads)
    return lambda A: 1 / (1 + np.exp(-f.run(A)))


def one(name, path, rows, threads):
    import numpy as np
    A = np.load(path)
    X, y = np.ascontiguousarray(A[:rows, :COLUMNS]), A[:rows, COLUMNS].astype(np.float32)
    Xv, yv = np.ascontiguousarray(A[rows:, :COLUMNS]), A[rows:, COLUMNS]
    fit = globals()[name]
    fit(X[:2000], y[:2000], threads)  # libraries loaded, threads there
    c, t = time.process_time(), time.perf_counter()
    predict = fit(X, y, threads)
    t, c = time.perf_counter() - t, time.process_time() - c
    p = np.clip(predict(Xv).astype(float), 1e-12, 1 - 1e-12)
    print(json.dumps([t, c, float(-np.mean(np.where(yv > 0, np.log(p), np.log1p(-p))))]))


def measure(names, path, rows, threads, repeats):
    found = {n: [] for n in names}
    for _ in range(repeats):
        for n in names:
            out = subprocess.run([sys.executable, __file__, "--one", n, path, str(rows), str(threads)], check=True,
                                 capture_output=True, text=True).stdout
            found[n].append(json.loads(out.splitlines()[-1]))
    for n in names:
        wall, cpu, loss = zip(*found[n])
        ratios = [a[0] / b[0] for a, b in zip(found[n], found["rankc"])]
        print("%8d rows, %d threads  %-9s %7.2f s (%.2f to %.2f), cpu %.2f, times ours %.2f, loss %.5f" % (
            rows, threads, n, statistics.median(wall), min(wall), max(wall), statistics.median(cpu),
            statistics.median(ratios), loss[0]), flush=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--rows", type=int, nargs="+", default=[64000, 1000000])
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--repeats", type=int, default=5)
    a.add_argument("--cc", default=shutil.which("clang-19") or "cc")
    a.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    o = a.parse_args()
    if o.one:
        return one(o.one[0], o.one[1], int(o.one[2]), int(o.one[3]))
    try:
        import numpy as np, lightgbm  # noqa: F401
        from sklearn.datasets import make_classification
    except ImportError as e:
        print("skipped:", e)
        sys.exit(77)
    names = ["rankc", "lightgbm"]
    try:
        import xgboost  # noqa: F401
        names.append("xgboost")
    except ImportError:
        pass
    import trees_lib as T
    os.environ["TREES_LIB"] = T.build(o.cc)
    for rows in o.rows:
        with tempfile.TemporaryDirectory() as d:
            X, y = make_classification(n_samples=rows + 16000, n_features=COLUMNS, n_informative=10, n_redundant=0,
                                       random_state=42)
            path = os.path.join(d, "rows.npy")
            np.save(path, np.column_stack([X, y]).astype(np.float32))
            measure(names, path, rows, o.threads, o.repeats)


main()
