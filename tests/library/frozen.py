#!/usr/bin/env python3
"""Two libraries of a model, say the one that `rankc build` makes and a frozen one, on the same made-up rows: one
row, many, empty lists. What their inputs are is read in the header. An id that none can be is refused by both.

    frozen.py NAME HEADER LIBRARY WEIGHTS LIBRARY WEIGHTS [TOLERANCE]      WEIGHTS: a file, or - for none"""

import ctypes as c
import math
import random
import re
import sys

name, header = sys.argv[1:3]
libraries = [(sys.argv[3], sys.argv[4]), (sys.argv[5], sys.argv[6])]
tolerance = float(sys.argv[7]) if len(sys.argv) > 7 else 2e-5
with open(header) as f:
    text = f.read()


def members(struct):
    """(comment, type, name) of each pointer of a struct, comments without line breaks"""
    body = re.search(r"typedef struct %s_%s \{(.*?)\n\} %s_%s;" % (name, struct, name, struct), text, re.S).group(1)
    found = re.findall(r"/\*(.*?)\*/\s*(?:const )?(int32_t|float) \*(\w+);", body, re.S)
    return [(re.sub(r"\s*\n\s*\* ?", " ", about), kind, what) for about, kind, what in found]


def struct_of(struct):
    types = {"int32_t": c.c_int32, "float": c.c_float}
    fields = [(what, c.POINTER(types[kind])) for _, kind, what in members(struct)]
    return type(struct, (c.Structure,), {"_fields_": ([("n", c.c_long)] if struct == "inputs" else []) + fields})


Inputs, Outputs = struct_of("inputs"), struct_of("outputs")


def make_rows(n, rng, empty):
    rows, lists = {"n": n}, {}
    for about, kind, what in members("inputs"):
        if what.endswith("_offsets"):
            most = int(re.search(r"none is longer than (\d+)", about).group(1))
            at = [0]
            for _ in range(n):
                at.append(at[-1] + (0 if empty else rng.choice([0, 1, most, rng.randint(0, most)])))
            rows[what] = lists[what] = (c.c_int32 * (n + 1))(*at)
    for about, kind, what in members("inputs"):
        if what in lists:
            continue
        shape = re.search(r"\[(n|1|\w+_offsets\[n\])\](?:\[(\d+)\])?", about)
        count = lists[shape.group(1)[:-3]][n] if shape.group(1).endswith("_offsets[n]") else n
        width = int(shape.group(2) or 1)
        ranges = re.findall(r"(\d+)\.\.(\d+)", about) or re.findall(r"ids from (\d+) to (\d+)", about)
        ranges = [(int(low), int(high)) for low, high in ranges] or [(0, 9)]  # a vocabulary that only the weights know
        if kind == "int32_t":
            values = [rng.randint(*ranges[i % width % len(ranges)]) for i in range(count * width)]
            rows[what] = (c.c_int32 * (count * width + 1))(*values)
        else:
            rows[what] = (c.c_float * (count * width + 1))(*[rng.uniform(-2, 2) for _ in range(count * width)])
    return rows


def predict(path, weights, batches):
    lib = c.CDLL(path)
    call = {what: getattr(lib, "%s_%s" % (name, what)) for what in ("open", "close", "predict", "scratch", "explain")}
    call["scratch"].restype = c.c_size_t
    model, message = c.c_void_p(), c.create_string_buffer(400)
    file = None if weights == "-" else weights.encode()
    if call["open"](c.byref(model), c.c_char_p(file), message, c.c_size_t(400)) != 0:
        sys.exit("%s: %s" % (path, message.value.decode()))
    def run(rows):
        inputs, outputs = Inputs(**rows), {}
        for about, kind, what in members("outputs"):
            width = math.prod(int(x) for x in re.findall(r"\[(\d+)\]", about[about.index("[n]"):]))
            outputs[what] = ({"float": c.c_float, "int32_t": c.c_int32}[kind] * (rows["n"] * width + 1))()
        scratch = c.create_string_buffer(call["scratch"](model, c.byref(inputs)))
        status = call["predict"](model, c.byref(inputs), c.byref(Outputs(**outputs)), scratch)
        said = call["explain"](model, c.byref(inputs), message, c.c_size_t(400))
        if said != status:
            sys.exit("%s: status %d, explained as %d" % (path, status, said))
        return status, outputs

    results = []
    for rows in batches:
        status, outputs = run(rows)
        if status != 0:
            sys.exit("%s: %s" % (path, message.value.decode()))
        results += [(what, list(value)) for what, value in outputs.items()]
    for rows in (make_rows(1, random.Random(1), False), make_rows(7, random.Random(1), False)):
        for about, kind, what in members("inputs"):
            if kind == "int32_t" and not what.endswith("_offsets") and len(rows[what]) > 1:
                for wrong in (-1, 2**31 - 2):
                    last = rows[what][len(rows[what]) - 2]
                    rows[what][len(rows[what]) - 2] = wrong
                    if run(rows)[0] != 1 or b"input %s, row " % what.encode() not in message.value:
                        sys.exit("%s: id %d of %s: %s" % (path, wrong, what, message.value.decode()))
                    rows[what][len(rows[what]) - 2] = last
    call["close"](model)
    return results


rng = random.Random(7)
batches = [make_rows(n, rng, empty) for n, empty in ((1, False), (1, True), (1, False), (7, False), (300, False),
                                                     (0, False))]
first, second = (predict(path, weights, batches) for path, weights in libraries)
worst, different = 0.0, set()
for (what, a), (_, b) in zip(first, second):
    for x, y in zip(a, b):
        worst = max(worst, abs(x - y) / max(1, abs(x)))
        different.add(x)
print("%s: %.1e" % (name, worst))
if not worst <= tolerance:
    sys.exit("frozen and not differ by more than %g" % tolerance)
if len(different) < 20:
    sys.exit("these rows all score alike: nothing was compared")
