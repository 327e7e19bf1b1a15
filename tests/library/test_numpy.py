#!/usr/bin/env python3
"""A model's library on numpy arrays, without copying them: a table of candidates, each with its list, and what is
refused. 77 where numpy is missing.

    test_numpy.py LIBDIN.SO WEIGHTS      WEIGHTS: a file, or - where they are in the library"""

import ctypes as c
import sys

try:
    import numpy as np
except ImportError:
    print("python3-numpy is not here")
    sys.exit(77)


def pointer(array, kind):
    """Where an array's numbers lie; they must be of that kind and without gaps."""
    assert array.dtype == kind and array.flags.c_contiguous, "wanted %s without gaps" % np.dtype(kind)
    return array.ctypes.data


class Inputs(c.Structure):  # as in din.h
    _fields_ = [("n", c.c_long), ("L_offsets", c.c_void_p), ("item", c.c_void_p), ("hist", c.c_void_p)]


class Outputs(c.Structure):
    _fields_ = [("ctr", c.c_void_p)]


class Din:
    def __init__(self, library, weights):
        self.lib, self.model = c.CDLL(library), c.c_void_p()
        self.lib.din_scratch_for.restype = c.c_size_t
        why = c.create_string_buffer(300)
        if self.lib.din_open(c.byref(self.model), weights and weights.encode(), why, c.c_size_t(len(why))) != 0:
            raise OSError(why.value.decode())

    def __call__(self, item, hist, offsets):
        ctr = np.empty(len(item), np.float32)
        inputs = Inputs(len(item), pointer(offsets, np.int32), pointer(item, np.int32), pointer(hist, np.int32))
        scratch = np.empty(self.lib.din_scratch_for(self.model, c.c_long(len(item))), np.uint8)
        if self.lib.din_predict(self.model, c.byref(inputs), c.byref(Outputs(pointer(ctr, np.float32))),
                                c.c_void_p(scratch.ctypes.data)) != 0:
            why = c.create_string_buffer(300)
            self.lib.din_explain(self.model, c.byref(inputs), why, c.c_size_t(len(why)))
            raise ValueError(why.value.decode())
        return ctr


din = Din(sys.argv[1], None if sys.argv[2] == "-" else sys.argv[2])
rng = np.random.default_rng(1)
lengths = rng.integers(0, 51, 1000)
offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
item = rng.integers(0, 2000, 1000).astype(np.int32)
hist = rng.integers(0, 2000, offsets[-1]).astype(np.int32)
ctr = din(item, hist, offsets)
assert ctr.shape == (1000,) and np.all((ctr > 0) & (ctr < 1)) and np.std(ctr) > 0
for row in (0, 1, 999):  # a row by itself, from the same arrays
    own = hist[offsets[row]:offsets[row + 1]]
    alone = din(item[row:row + 1], own, np.array([0, len(own)], np.int32))
    assert abs(alone[0] - ctr[row]) < 1e-6
item[17] = 2000
try:
    din(item, hist, offsets)
    sys.exit("id 2000 was taken")
except ValueError as e:
    assert "input item, row 17: id 2000" in str(e), e
try:
    din(item.astype(np.int64), hist, offsets)
    sys.exit("int64 was taken")
except AssertionError as e:
    assert "int32" in str(e)
