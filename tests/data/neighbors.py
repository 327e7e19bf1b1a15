#!/usr/bin/env python3
"""Leaves one item out of each history of three public logs and checks how often it is offered.

    neighbors.py LEAVE_ONE_OUT [--data FOLDER]

LEAVE_ONE_OUT is the program of leave_one_out.c. A log that is not there is skipped; when none is, the
exit code is 77.
"""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import interactions  # noqa: E402

HERE = Path(__file__).resolve().parent

# folder, file, its format, settings (chosen on valid.csv), the least recall@20
LOGS = [
    ("ml-100k", "u.data", "movielens", ["100", "bm25", "10"], 0.173),
    ("s3rec-beauty", "Beauty.txt", "sequences", ["100", "none", "30"], 0.091),
    ("amazon-grocery", "train.csv", "table", ["100", "none", "30"], 0.083),
]


def measure(program, source, form, settings, work):
    interactions.split(form, source, work)
    done = subprocess.run([program, work / "known.csv", work / "test.csv", *settings],
                          capture_output=True, text=True, check=True)
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description="Item-item neighbours on real logs.")
    parser.add_argument("program", type=Path)
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    options = parser.parse_args()
    failed, tried = False, 0
    for folder, name, form, settings, least in LOGS:
        source = options.data / folder / name
        if not source.is_file():
            print(f"{folder}: skipped, {source} is not there")
            continue
        tried += 1
        with tempfile.TemporaryDirectory() as work:
            text = measure(options.program.resolve(), source, form, settings, Path(work))
        found = float(re.search(r"item_cosine: .*recall@20=([0-9.]+)", text).group(1))
        good = found >= least
        print(f"{folder}: {' '.join(settings)}: recall@20 {found}, wanted {least}: "
              f"{'ok' if good else 'FAILED'}\n{text}", end="", flush=True)
        failed |= not good
    return 1 if failed else 0 if tried else 77


if __name__ == "__main__":
    sys.exit(main())
