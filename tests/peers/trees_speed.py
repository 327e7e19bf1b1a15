"""How fast a forest is scored, leaf ids included, beside LightGBM's C interface: one run, in turns, medians.

    python3 tests/peers/trees_speed.py RANKC [--forest FILE ...] [--rows 10000]

Without --forest two are fitted by LightGBM on made-up data: 200 trees of 31 leaves and 1000 of 255 (which takes
minutes). Skipped (77) without numpy, lightgbm and scikit-learn. Uses clang-19 or cc for trees_speed.c."""
import argparse, os, pathlib, shutil, subprocess, sys, tempfile, time
try:
    import numpy as np, lightgbm as lgb
    from sklearn.datasets import make_classification
except ImportError as e:
    print("skipped:", e)
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
MODEL = """model scored
dim X = 30
input x : f32[X], missing = nan
fit trees = forest(x; file = "forest.txt")
output logit = trees.score
"""


def fit(X, y, trees, leaves, path):
    p = dict(objective="binary", learning_rate=0.05, num_leaves=leaves, verbosity=-1, num_threads=1)
    lgb.train(p, lgb.Dataset(X, label=y), trees).save_model(path)


def measure(rankc, forest, X, rows, folder):
    shutil.copy(forest, folder / "forest.txt")
    (folder / "scored.rank").write_text(MODEL)
    start = time.perf_counter()
    subprocess.run([rankc, "build", folder / "scored.rank", "-o", folder / "m"], check=True, stdout=subprocess.DEVNULL)
    built = time.perf_counter() - start
    subprocess.run([folder / "m/scored", "train", "--quiet", "--save", folder / "weights"], check=True)
    np.ascontiguousarray(X[:rows]).tofile(folder / "rows")
    print("%s: built in %.1f s, train (reads the forest) %.1f s" %
          (os.path.basename(forest), built, time.perf_counter() - start - built), flush=True)
    cc = shutil.which("clang-19") or "cc"
    subprocess.run([cc, "-std=gnu11", "-O2", "-I", folder / "m", HERE / "trees_speed.c", "-o", folder / "speed", "-L",
                    folder / "m", "-lscored", "-ldl", "-lpthread", "-Wl,-rpath," + str(folder / "m")], check=True)
    library = pathlib.Path(lgb.__file__).parent / "lib/lib_lightgbm.so"
    subprocess.run([folder / "speed", library, forest, folder / "weights", folder / "rows", str(rows)], check=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("rankc")
    a.add_argument("--forest", nargs="*", default=[])
    a.add_argument("--rows", type=int, default=10000)
    o = a.parse_args()
    X, y = make_classification(n_samples=100000, n_features=30, n_informative=10, n_redundant=0, random_state=42)
    X = X.astype(np.float32)
    with tempfile.TemporaryDirectory() as d:
        folder = pathlib.Path(d)
        for trees, leaves in [] if o.forest else [(200, 31), (1000, 255)]:
            o.forest.append(str(folder / ("%dx%d.txt" % (trees, leaves))))
            fit(X[:64000], y[:64000], trees, leaves, o.forest[-1])
        for forest in o.forest:
            measure(os.path.abspath(o.rankc), forest, X[80000:], o.rows, folder)


main()
