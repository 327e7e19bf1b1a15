#!/usr/bin/env python3
"""A model's library from Python, by ctypes alone: opens weights, predicts the rows of a CSV file and
compares with what the program predicts; then compares training steps, bit by bit, with those of the
program's `step`.

    test_library.py FOLDER TEST_LIBRARY     FOLDER: shop, libshop.so, rows.csv, w.st, predicted.csv"""

import csv
import ctypes as c
import json
import os
import struct
import subprocess
import sys

folder, test_library = sys.argv[1:]
os.environ.pop("LD_PRELOAD", None)  # a sanitizer for this program; those that it runs have their own


def path(name):
    return os.path.join(folder, name)


class Inputs(c.Structure):
    _fields_ = [("n", c.c_long), ("L_offsets", c.POINTER(c.c_int32)), ("item", c.POINTER(c.c_int32)),
                ("seen", c.POINTER(c.c_int32)), ("spent", c.POINTER(c.c_float)),
                ("x", c.POINTER(c.c_float)), ("place", c.POINTER(c.c_int32))]


class Outputs(c.Structure):
    _fields_ = [("ctr", c.POINTER(c.c_float)), ("taste", c.POINTER(c.c_float))]


lib = c.CDLL(path("libshop.so"))
lib.shop_scratch_for.restype = c.c_size_t
lib.shop_scratch_for.argtypes = [c.c_void_p, c.c_long]
lib.shop_predict.argtypes = [c.c_void_p, c.POINTER(Inputs), c.POINTER(Outputs), c.c_char_p]
lib.shop_close.argtypes = [c.c_void_p]


def ints(xs):
    return (c.c_int32 * len(xs))(*xs)


def floats(xs):
    return (c.c_float * len(xs))(*xs)


# --- predict ---

with open(path("rows.csv")) as f:
    rows = list(csv.DictReader(f))
n = len(rows)
seen = [[int(s) for s in r["seen"].split()] for r in rows]
spent = [[float(s) for s in r["spent"].split()] for r in rows]
offsets = [0]
for s in seen:
    offsets.append(offsets[-1] + len(s))
x = [float(r["x%d" % k]) for r in rows for k in (1, 2, 3)]
place = [int(r["p%d" % (k + 1)]) + (0, 4, 9)[k] for r in rows for k in range(3)]
click = [float(r["click"]) for r in rows]

model = c.c_void_p()
message = c.create_string_buffer(300)
if lib.shop_open(c.byref(model), path("w.st").encode(), message, c.c_size_t(300)) != 0:
    sys.exit(message.value.decode())
ctr, taste = (c.c_float * n)(), (c.c_float * (8 * n))()
inputs = Inputs(n, ints(offsets), ints([int(r["item"]) for r in rows]), ints(sum(seen, [])),
                floats(sum(spent, [])), floats(x), ints(place))
scratch = c.create_string_buffer(lib.shop_scratch_for(model, n))
assert lib.shop_predict(model, c.byref(inputs), c.byref(Outputs(ctr, taste)), scratch) == 0
lib.shop_close(model)

with open(path("predicted.csv")) as f:
    said = list(csv.DictReader(f))
assert len(said) == n
for i in range(n):
    assert abs(float(said[i]["ctr"]) - ctr[i]) < 1e-6
    for k in range(8):
        assert abs(float(said[i]["taste.%d" % k]) - taste[8 * i + k]) < 1e-5


# --- train ---

def write_tensors(name, tensors):
    header, data = {}, b""
    for key, (code, shape, values) in tensors.items():
        piece = struct.pack("<%d%s" % (len(values), code), *values)
        header[key] = {"dtype": {"f": "F32", "q": "I64"}[code], "shape": shape,
                       "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path(name), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def read_tensors(name):
    with open(path(name), "rb") as f:
        text = f.read()
    start = 8 + struct.unpack("<Q", text[:8])[0]
    header = json.loads(text[8:start])
    return {key: text[start + t["data_offsets"][0]:start + t["data_offsets"][1]]
            for key, t in header.items() if key != "__metadata__"}


def padded(lists):
    return [v for s in lists for v in s + [0] * (6 - len(s))]


write_tensors("batch.st", {
    "user": ("q", [n], [int(r["user"]) for r in rows]),
    "item": ("q", [n], [int(r["item"]) for r in rows]),
    "seen": ("q", [n, 6], padded(seen)),
    "spent": ("f", [n, 6], padded(spent)),
    "L.length": ("q", [n], [len(s) for s in seen]),
    "x": ("f", [n, 3], x),
    "place": ("q", [n, 3], [int(r["p%d" % k]) for r in rows for k in (1, 2, 3)]),
    "click": ("f", [n], click)})
subprocess.run([path("shop"), "step", "--load", path("w.st"), "--batch", path("batch.st"), "--steps",
                "3", "--out", path("stepped.st")], check=True)
subprocess.run([test_library, "train", path("w.st"), "3", path("trained.st")], check=True)
stepped, trained = read_tensors("stepped.st"), read_tensors("trained.st")
names = [name for name in trained if "#" not in name]
assert len(names) == 6
for name in names:
    assert stepped[name] == trained[name], name + " differs"
