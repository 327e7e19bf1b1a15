#!/usr/bin/env python3
"""rankc and PyTorch on the same models and sizes, in turn, in one run.

A round times rankc (op by op, and fused with rewrites) and then PyTorch, forward and one training step
with Adam on the rows that were looked up (tables = lazy, sparse Adam). Ratios are taken round by round,
so that a machine that slows down slows both; medians over the rounds.

    bench.py RANKC [fm deepfm din esmm two_tower] [--small] [--rounds 5] [--threads 2] [--seconds 2]

With --small the models are those of models/ at tutorial sizes: a few fields of 1000 values, batches of
128 to 1024.

PyTorch runs at its best: with OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset and tcmalloc preloaded when it
is installed (package libtcmalloc-minimal4).
"""
import argparse
import csv
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LARGE = {"fm": 4096, "deepfm": 4096, "din": 1024, "esmm": 4096, "two_tower": 512}
SMALL = {"fm": 128, "din": 128, "esmm": 1024, "two_tower": 512}
SMALL_DIMS = {"fm": ["--dim", "D=8"], "din": ["--dim", "L=20"]}
TCMALLOC = "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"


def rankc(options, name, work):
    table = work / "rankc.csv"
    model = HERE / "large" / f"{name}.rank"
    if options.small or not model.exists():
        model = HERE.parents[1] / "models" / f"{name}.rank"
    sizes = SMALL_DIMS.get(name, []) if options.small else []
    batch = (SMALL if options.small else LARGE)[name]
    command = [options.rankc, "bench", model, *sizes, "--levels", "off,all",
               "--rewrites", "both", "--batch", str(batch), "--threads", str(options.threads),
               "--seconds", str(options.seconds), "--rounds", "3", "--csv", table,
               "-o", work / f"{name}.bench"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    rates = {}
    for row in csv.DictReader(table.open()):
        rates[row["pass"], row["level"], row["rewrites"]] = float(row["samples_per_s"])
    return rates


def torch(options, name, work):
    table = work / "torch.csv"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    if os.path.exists(TCMALLOC):
        environment["LD_PRELOAD"] = TCMALLOC
    small = ["--small"] if options.small else []
    subprocess.run([sys.executable, HERE / "bench_torch.py", name, *small, "--threads", str(options.threads),
                    "--seconds", str(options.seconds), "--rounds", "3", "--csv", table],
                   check=True, env=environment, stdout=subprocess.DEVNULL)
    row = next(csv.DictReader(table.open()))
    rates = [float(v) for k, v in row.items() if k not in ("model", "forward") and "adam" in k.lower()]
    best = max(rate for rate in rates if rate == rate)  # what has no tables has no sparse Adam
    return {"forward": float(row["forward"]), "train": best}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("rankc")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    print("| model | pass | rankc, samples/s | to op by op | to PyTorch | PyTorch, samples/s |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for name in options.names or (SMALL if options.small else LARGE):
            rounds = []
            for _ in range(options.rounds):
                rounds.append((rankc(options, name, work), torch(options, name, work)))
            for what in ("forward", "train"):
                fused = [ours[what, "all", "on"] for ours, _ in rounds]
                plain = [ours[what, "all", "on"] / ours[what, "off", "off"] for ours, _ in rounds]
                peer = [ours[what, "all", "on"] / theirs[what] for ours, theirs in rounds]
                rate = [theirs[what] for _, theirs in rounds]
                print(f"| {name} | {what} | {statistics.median(fused):,.0f} | "
                      f"{statistics.median(plain):.1f} | {statistics.median(peer):.1f} | "
                      f"{statistics.median(rate):,.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
