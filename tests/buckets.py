#!/usr/bin/env python3
"""buckets.py RANKC: fit z = bucketize(x): ids of every row as quantiles computed here say, for 1 to 5003 rows, with
missing, repeated, constant and infinite values; the same bits with any number of threads; saved, loaded, quantized,
refused when damaged. The model is fuzz/odd/buckets.rank."""
import csv
import ctypes as c
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

RANKC = Path(sys.argv[1]).resolve()
MODEL = Path(__file__).resolve().parent / "fuzz" / "odd" / "buckets.rank"
COLUMNS = [lambda r: r.gauss(0, 1), lambda r: -math.log(1 - r.random()) * 1e-30,
           lambda r: "" if r.random() < 0.2 else r.randrange(12) - 5,      # missing, repeated, negative
           lambda r: 0 if r.random() < 0.7 else r.lognormvariate(0, 9),    # mostly zero
           lambda r: 7, lambda r: "", lambda r: r.choice(["-inf", "inf", "-0.0", "0", -1e38, 1e-45, 3])]
AGE = lambda r: r.uniform(-90, 90)  # noqa: E731


def run(*command, fails=None):
    done = subprocess.run([str(x) for x in command], capture_output=True, text=True)
    if fails is None:
        assert done.returncode == 0, (command, done.stderr)
    else:
        assert done.returncode == 1 and fails in done.stderr, (command, done.returncode, done.stderr)
    return done.stdout


def single(x):
    return struct.unpack("f", struct.pack("f", float(x)))[0]


def bounds(values, buckets):
    """numpy.quantile(values, k / buckets, method="higher"), each once, none that is the least."""
    s = sorted(x for x in values if not math.isnan(x))
    at = [s[-(-k * (len(s) - 1) // buckets)] for k in range(1, buckets)] if s else []
    return sorted(set(x for x in at if x > s[0]))


def number(text, kind):
    return math.nan if text == "" else kind(text)


def wanted(rows, column, buckets, kind):
    b = bounds([number(row[column], kind) for row in rows], buckets)
    return lambda x: 0 if math.isnan(x) else 1 + sum(bound <= x for bound in b)


def compare(program, folder, n, kind, digits):
    r = random.Random(n)
    rows = [[digits(f(r)) for f in [*COLUMNS, AGE]] for _ in range(n + 50)]  # the last 50 are not trained on
    for name, part in (("train.csv", rows[:n]), ("all.csv", rows)):
        with open(folder / name, "w", newline="") as file:
            csv.writer(file).writerows([["x1", "x2", "x3", "x4", "x5", "x6", "x7", "age", "click"],
                                        *[[*row, i % 2] for i, row in enumerate(part)]])
    for threads in 1, 2, 3:
        run(program, "train", "--no-cache", "--data", folder / "train.csv", "--threads", threads,
            "--save", folder / f"w{threads}")
        assert (folder / "w1").read_bytes() == (folder / f"w{threads}").read_bytes(), "bits depend on threads"
    run(program, "predict", "--no-cache", "--batch", 7, "--data", folder / "all.csv", "--load", folder / "w1", "--out", folder / "p")
    with open(folder / "p", newline="") as file:
        said = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert len(said) == len(rows)
    for k in range(8):
        to_id = wanted(rows[:n], k, 30 if k == 7 else 8, kind)
        for i, row in enumerate(rows):
            id = to_id(number(row[k], kind)) + (9 * k if k < 7 else 0)
            found = said[i]["years" if k == 7 else f"ids.{k}"]
            assert found == id, (n, i, k, row[k], found, id)


def damaged(path, to, change):
    data = bytearray(path.read_bytes())
    (n,) = struct.unpack_from("<Q", data)
    head = json.loads(data[8:8 + n])
    head["__metadata__"] = {k: v for k, v in head["__metadata__"].items() if not k.startswith("sum.")}
    body = data[8 + n:]
    change(head, body)
    text = json.dumps(head).encode()
    to.write_bytes(struct.pack("<Q", len(text)) + text + bytes(body))


def fall(head, body):
    at = head["fit.z.bounds"]["data_offsets"][0]
    body[at + 8:at + 16] = struct.pack("<d", -1e30)


def turn(head, body):
    head["fit.z.bounds"]["shape"] = [49, 1]


class Inputs(c.Structure):
    _fields_ = [("n", c.c_long), ("x", c.POINTER(c.c_float)), ("age", c.POINTER(c.c_float))]


class Outputs(c.Structure):
    _fields_ = [("ctr", c.POINTER(c.c_float)), ("ids", c.POINTER(c.c_float)), ("years", c.POINTER(c.c_float))]


def served(folder):
    """The library reads numbers, and says what the program predicted."""
    if b"__asan_init" in (folder / "libbuckets.so").read_bytes():
        return  # which cannot be loaded into this program
    with open(folder / "all.csv", newline="") as file:
        rows = [[number(x, float) for x in row] for row in list(csv.reader(file))[1:]]
    with open(folder / "p", newline="") as file:
        said = [[float(x) for x in row] for row in list(csv.reader(file))[1:]]
    lib, model, n = c.CDLL(str(folder / "libbuckets.so")), c.c_void_p(), len(rows)
    lib.buckets_scratch_for.restype = c.c_size_t
    assert lib.buckets_open(c.byref(model), str(folder / "w1").encode(), None, c.c_size_t(0)) == 0
    x, age = (c.c_float * (7 * n))(*sum((row[:7] for row in rows), [])), (c.c_float * n)(*(row[7] for row in rows))
    ctr, ids, years = (c.c_float * n)(), (c.c_float * (7 * n))(), (c.c_float * n)()
    scratch = c.create_string_buffer(lib.buckets_scratch_for(model, c.c_long(n)))
    assert lib.buckets_predict(model, c.byref(Inputs(n, x, age)), c.byref(Outputs(ctr, ids, years)), scratch) == 0
    lib.buckets_close(model)
    for i in range(n):
        assert [*ids[7 * i:7 * i + 7], years[i]] == said[i][1:] and abs(ctr[i] - said[i][0]) < 1e-6, (i, said[i])


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    run(RANKC, "build", MODEL, "-o", folder)
    run(RANKC, "build", "--dtype", "f64", MODEL, "-o", folder / "f64")
    program = folder / "buckets"
    for n in 1, 2, 9, 1000, 5003:
        compare(program, folder, n, single, lambda x: x if isinstance(x, str) else "%.9g" % x)
    compare(folder / "f64" / "buckets", folder, 1001, float, lambda x: x if isinstance(x, str) else "%.17g" % x)
    compare(program, folder, 5003, single, lambda x: x if isinstance(x, str) else "%.9g" % x)
    text = run(program, "info", "--load", folder / "w1")
    assert "fit z: x[4], 1 bucket\n" in text and "fit z: x[3], 3 buckets from" in text, text
    fits = {fit["name"]: fit for fit in json.loads(run(program, "info", "--json", "--load", folder / "w1"))["fits"]}
    assert [len(b) for b in fits["old"]["bounds"]] == [29] and len(fits["z"]["bounds"]) == 7, fits
    run(program, "quantize", "--load", folder / "w1", "--out", folder / "q", "--tables", "v=int8")
    run(program, "predict", "--no-cache", "--data", folder / "all.csv", "--load", folder / "q", "--out", folder / "pq")
    if os.environ.get("RANKC_SANITIZE"):  # this program is not, and cannot load what is
        print("skipped under a sanitizer: the library")
    else:
        served(folder)
    for change, fails in (fall, "fit z: the bounds of column 0 do not rise"), (turn, "fit z: wanted 7 times 7 bounds"):
        damaged(folder / "w1", folder / "bad", change)
        run(program, "eval", "--no-cache", "--data", folder / "all.csv", "--load", folder / "bad", fails=fails)
print("buckets: as quantiles say")
