"""`train lbfgs(...)` against scikit-learn's optimum of the same convex objective, on the same rows.

    /usr/bin/python3 tests/peers/optimum.py RANKC [--rows N] [--rounds N] [--l2 X]

For logistic regression on ids and numbers (models/lr.rank trained by lbfgs), and for models/gbdt_lr.rank: the leaves of
boosted trees and standardised columns, the trees being those that rankc fitted (their tensors are in the
weights). The objective, mean logloss + l2 / 2 |w|^2 with the intercept free, is computed here in double
precision for both; rankc's may be above scikit-learn's by 1e-6 of it. Skipped (77) without scikit-learn."""
import argparse
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
    from scipy import sparse
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss, roc_auc_score
    from sklearn.model_selection import train_test_split
except ImportError as e:
    print("skipped:", e)
    sys.exit(77)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
failed = []


def check(what, fine, note=""):
    print("ok   " if fine else "WRONG", what, note, flush=True)
    failed.extend([] if fine else [what])


def tensors(path):
    with open(path, "rb") as f:
        b = f.read()
    n = struct.unpack("<Q", b[:8])[0]
    kinds = {"F32": "<f4", "F64": "<f8"}
    return {k: np.frombuffer(b[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]], kinds[v["dtype"]]).reshape(v["shape"])
            for k, v in json.loads(b[8:8 + n]).items() if k != "__metadata__"}


def objective(w, intercept, A, y, l2):
    z = A @ w + intercept
    return np.logaddexp(0, np.where(y == 1, -z, z)).mean() + l2 / 2 * (w @ w)


def optimum(A, y, l2):
    """The better of two of scikit-learn's solvers. Its objective is C * sum + |w|^2 / 2."""
    best, at = np.inf, None
    for solver, more in (("lbfgs", dict(tol=1e-10, max_iter=20000)), ("newton-cholesky", dict(tol=1e-12, max_iter=100))):
        start = time.perf_counter()
        m = LogisticRegression(C=1 / (l2 * len(y)), solver=solver, **more).fit(A, y)
        f = objective(m.coef_[0], m.intercept_[0], A, y, l2)
        print("      scikit-learn, %s: %.12f in %.1f s" % (solver, f, time.perf_counter() - start), flush=True)
        if f < best:
            best, at = f, m
    return best, at


def build(rankc, work, text, *options):
    name = re.search(r"^model (\w+)", text, re.M).group(1)
    source = os.path.join(work, name + ".rank")
    with open(source, "w") as f:
        f.write(text)
    out = os.path.join(work, name + "".join(options))
    subprocess.run([rankc, "build", source, "-o", out, *options], check=True)
    return os.path.join(out, name)


def train(program, *words):
    start = time.perf_counter()
    r = subprocess.run([program, "train", "--no-cache", "--threads", "2", *words], capture_output=True, text=True)
    if r.returncode:
        sys.exit(r.stderr)
    return r.stdout, time.perf_counter() - start


def compare(what, said, seconds, w, intercept, A, y, l2):
    mine = objective(w, intercept, A, y, l2)
    best, m = optimum(A, y, l2)
    last = re.findall(r"^the optimum after (\d+) iterations", said, re.M)
    check(what, mine <= best * (1 + 1e-6) and (last or "does not fall any more" in said),
          "%.12f, scikit-learn %.12f: %.1e of it apart; %s iterations, %.1f s" % (mine, best, mine / best - 1, last, seconds))
    return m


def logistic(rankc, work, *options):
    text = open(os.path.join(ROOT, "models", "lr.rank")).read()
    l2 = 1e-4
    text = re.sub(r"^train.*", f"train lbfgs(), l2 = {l2}", text, flags=re.M).replace("param b : f32 ~ zeros", "param b : f32 ~ zeros, l2 = 0")
    program, data, save = build(rankc, work, text, *options), os.path.join(work, "lr.csv"), os.path.join(work, "lr.st")
    subprocess.run([program, "synth", "--rows", "20000", "--out", data], check=True)
    said, seconds = train(program, "--data", data, "--save", save)
    rows = np.genfromtxt(data, delimiter=",", skip_header=1, filling_values=0)
    t, n = tensors(save), len(rows)
    ids = rows[:, :3].astype(int) + [0, 1000, 1500]
    A = sparse.hstack([sparse.csr_matrix((np.ones(3 * n), ids.ravel(), np.arange(0, 3 * n + 1, 3)), (n, 1700)),
                       sparse.csr_matrix(rows[:, 3:6].astype(np.float32).astype(float))], format="csr")
    w = np.concatenate([t["w"], t["k"]]).astype(float)
    compare("logistic regression" + " ".join(("",) + options), said, seconds, w, float(t["b"]), A, rows[:, 6], l2)


def leaves(t, X):
    """[row, tree]: which leaf of its tree, by the tensors that the fit is saved as."""
    counts, nodes = t["fit.trees.trees"][:, 0].astype(int), t["fit.trees.nodes"]
    out, first = np.zeros((len(X), len(counts)), int), 0
    for k, c in enumerate(counts):
        node = nodes[first:first + c - 1]
        first += c - 1
        at = np.zeros(len(X), int) if c > 1 else np.full(len(X), -1)
        while (at >= 0).any():
            i = np.flatnonzero(at >= 0)
            n = node[at[i]]
            at[i] = np.where(X[i, n[:, 1].astype(int)] <= n[:, 0], n[:, 2], n[:, 3]).astype(int)
        out[:, k] = ~at
    return out


def trees(rankc, work, rows, rounds, l2, *options):
    X, y = make_classification(n_samples=rows, n_features=30, n_informative=10, n_redundant=0, random_state=42)
    Xf, Xt, yf, yt = train_test_split(X, y, test_size=0.2, random_state=42, stratify=y)
    Xr, Xv, yr, yv = train_test_split(Xf, yf, test_size=0.2, random_state=42, stratify=yf)
    text = open(os.path.join(ROOT, "models", "gbdt_lr.rank")).read()
    l2 = l2 or float(re.search(r"\bl2 = ([0-9.]+e-\d+)", text).group(1))
    text = re.sub(r"rounds = \d+", f"rounds = {rounds}", re.sub(r"\bl2 = [0-9.]+e-\d+", f"l2 = {l2!r}", text))
    program, save = build(rankc, work, text, *options), os.path.join(work, "g.st")
    for name, a, b in (("r", Xr, yr), ("v", Xv, yv), ("t", Xt, yt)):
        np.savetxt(os.path.join(work, name + ".csv"), np.column_stack([a, b]), "%.9g", ",",
                   header=",".join(f"x{i + 1}" for i in range(30)) + ",y", comments="")
    said, seconds = train(program, "--data", os.path.join(work, "r.csv"), "--valid", os.path.join(work, "v.csv"), "--save", save)
    t = tensors(save)

    def design(path):
        x = np.loadtxt(path, delimiter=",", skiprows=1)
        x, y = x[:, :30].astype(np.float32).astype(float), x[:, 30]
        leaf = leaves(t, x)
        T = leaf.shape[1]
        ids = (leaf + 31 * np.arange(T)).ravel()
        z = ((x - t["fit.z.mean"]) / t["fit.z.sd"]).astype(np.float32).astype(float)
        L = sparse.csr_matrix((np.ones(len(ids)), ids, np.arange(0, len(ids) + 1, T)), (len(x), len(t["leaf_w"])))
        return sparse.hstack([L, sparse.csr_matrix(z)], format="csr"), y

    A, y = design(os.path.join(work, "r.csv"))
    w = np.concatenate([t["leaf_w"], t["k"]]).astype(float)
    m = compare("gbdt_lr" + " ".join(("",) + options), said, seconds, w, float(t["b"]), A, y, l2)
    print("      %d trees, C = %.4g of scikit-learn's, its objective %.4f" % (len(t["fit.trees.trees"]), 1 / (l2 * len(yr)),
                                                                             objective(w, float(t["b"]), A, y, l2) / l2))
    for name in ("v", "t"):
        B, yt = design(os.path.join(work, name + ".csv"))
        p, q = 1 / (1 + np.exp(-(B @ w + float(t["b"])))), m.predict_proba(B)[:, 1]
        print("      %s: AUC %.5f, with scikit-learn's weights %.5f; logloss %.5f, %.5f" % (
            {"v": "validation", "t": "test"}[name], roc_auc_score(yt, p), roc_auc_score(yt, q), log_loss(yt, p), log_loss(yt, q)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rankc")
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--l2", type=float, help="of the model on trees' leaves; else as it stands there")
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        logistic(o.rankc, work)
        logistic(o.rankc, work, "--dtype", "f64")
        trees(o.rankc, work, o.rows, o.rounds, o.l2)
    sys.exit(bool(failed))


main()
