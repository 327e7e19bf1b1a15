#!/usr/bin/python3
"""Throughput of PyTorch on four models at production sizes and on two towers, to set beside `rankc bench`;
with --small, on the sizes of bench.py's small models.

Prints samples per second (median over rounds) of the forward pass and of a training step, with
dense Adam, with SparseAdam on the tables and Adam on the rest, and with SGD on sparse table
gradients. All fields share one table, which is faster than one table per field. For PyTorch at its
best, run it with a fast allocator and OpenBLAS left to choose its kernels:

    env -u OPENBLAS_CORETYPE LD_PRELOAD=libtcmalloc.so.4 ./bench_torch.py --threads 2
"""
import argparse
import csv
import gc
import statistics
import sys
import time

import numpy as np
import torch
from torch import nn

import models


def fields(model):
    """26 fields of 100,000 values and 13 numbers, 4096 samples."""
    return model(sizes=(100_000,) * 26, dense=13, width=16), 4096


CASES = {
    "fm": lambda: fields(models.Fm),
    "deepfm": lambda: fields(models.DeepFm),
    "din": lambda: (models.Din(items=100_000, width=32, longest=50), 1024),
    "esmm": lambda: (models.Esmm(sizes=(100_000,) * 20, dense=13, width=16), 4096),
    "two_tower": lambda: (models.TwoTower(), 512),
}
SMALL = {
    "fm": lambda: (models.Fm(width=8), 128),
    "din": lambda: (models.Din(longest=20), 128),
    "esmm": lambda: (models.Esmm(), 1024),
    "two_tower": lambda: (models.TwoTower(), 512),
}
MODES = ["forward", "dense_adam", "sparse_adam", "sparse_sgd"]


def is_table(name):
    return name in ("v", "w", "emb", "ads")


def prepare(model, sparse):
    """Random parameters; sparse gradients want rows, so the weights get a second axis."""
    if sparse and hasattr(model, "w"):
        model.w = nn.Parameter(torch.zeros(len(model.w), 1))
    model.sparse = sparse
    for value in model.parameters():
        nn.init.normal_(value, 0, 0.05)
    return model


def optimizers(model, mode):
    tables = [p for name, p in model.named_parameters() if is_table(name)]
    rest = [p for name, p in model.named_parameters() if not is_table(name)]
    if mode == "dense_adam":
        return [torch.optim.Adam(model.parameters(), lr=1e-3)]
    if mode == "sparse_adam":
        return [torch.optim.SparseAdam(tables, lr=1e-3), torch.optim.Adam(rest, lr=1e-3)]
    return [torch.optim.SGD(model.parameters(), lr=1e-3)]


def batches(model, samples, rng, count=8):
    """Uniform random batches in rotation; histories of 1 to the longest."""
    result = []
    for _ in range(count):
        batch = {}
        if isinstance(model, models.TwoTower):
            batch = model.random(rng, samples)
        elif isinstance(model, models.History):
            shape = samples, model.longest
            batch = {"item": rng.integers(0, len(model.ads), samples),
                     "hist": rng.integers(0, len(model.ads), shape),
                     "hist.length": rng.integers(1, model.longest + 1, samples)}
        else:
            shape = samples, len(model.sizes)
            batch = {model.ids: rng.integers(0, model.sizes, shape),
                     "dense": rng.normal(size=(samples, model.dense)).astype(np.float32)}
        batch["click"] = (rng.random(samples) < 0.3).astype(np.float32)
        batch["conversion"] = batch["click"] * (rng.random(samples) < 0.3).astype(np.float32)
        result.append({name: torch.tensor(value) for name, value in batch.items()})
    return result


def throughput(step, samples, seconds, rounds):
    """Median samples per second over rounds; the first steps only warm up."""
    for i in range(3):
        step(i)
    rates, i = [], 3
    for _ in range(rounds):
        start, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - start < seconds / rounds:
            step(i)
            i, count = i + 1, count + 1
        rates.append(samples * count / (time.perf_counter() - start))
    return statistics.median(rates)


def measure(name, mode, options):
    model, samples = (SMALL if options.small else CASES)[name]()
    samples = options.batch or samples
    if mode.startswith("sparse") and not any(is_table(name) for name, _ in model.named_parameters()):
        return float("nan")
    prepare(model, mode.startswith("sparse"))
    data = batches(model, samples, np.random.default_rng(1))
    if mode == "forward":
        predict = getattr(model, "vectors", model)  # without the loss, where it is a large part

        def step(i):
            with torch.no_grad():
                predict(data[i % len(data)])
    else:
        updates = optimizers(model, mode)

        def step(i):
            model.zero_grad(set_to_none=True)
            model(data[i % len(data)])[1].backward()
            for update in updates:
                update.step()
    return throughput(step, samples, options.seconds, options.rounds)


def main():
    parser = argparse.ArgumentParser(description="Samples per second of PyTorch on each model.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--small", action="store_true", help="the small sizes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=0, help="samples a step (0: the case's own)")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each number")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--csv", help="also write the numbers to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    print("| model | " + " | ".join(MODES) + " |\n|" + "---|" * (len(MODES) + 1))
    for name in options.names or (SMALL if options.small else CASES):
        rates = []
        for mode in MODES:
            rates.append(measure(name, mode, options))
            gc.collect()
        rows.append([name, *[f"{rate:.0f}" for rate in rates]])
        print("| " + " | ".join(rows[-1]) + " |", flush=True)
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["model", *MODES], *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
