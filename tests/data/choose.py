#!/usr/bin/env python3
"""Chooses the settings of item_cosine for the three logs that run.py ranks, without looking at their tests.

    choose.py RANKC [--data FOLDER] [--test] [NAME ...]

For each log and every combination of weighting, shrinkage and neighbors below: fit on `train`, all but the last two
items of each user, and look for the last but one among the 20 best (interactions.py says what the files hold). The
best by recall@20 is chosen, of equal ones the first. A table, then one line for each log with what was chosen. With
--test the chosen settings alone are fitted on `known` and asked for the last item. Exit code 77 when no log is there.
"""
import argparse
import itertools
import re
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import interactions  # noqa: E402
from run import HERE, RECALL, run  # noqa: E402

LOGS = {"movielens_cf": ("movielens", "ml-100k/u.data"), "beauty_cf": ("sequences", "s3rec-beauty/Beauty.txt"),
        "grocery_cf": ("table", "amazon-grocery/train.csv")}
WEIGHTING = "binary", "idf", "bm25"
SHRINKAGE = 0, 5, 10, 20, 30, 50, 100
NEIGHBORS = 50, 100, 200


def build(rankc, folder, weighting, shrinkage, neighbors):
    """The program of these settings; the description is reviews_cf.rank with them put in."""
    text = (HERE / "reviews_cf.rank").read_text()
    fit = f"item_cosine(seen; neighbors = {neighbors}, weighting = {weighting}, shrinkage = {shrinkage})"
    text, count = re.subn(r"item_cosine\([^)]*\)", fit, text)
    assert count == 1, "reviews_cf.rank has one item_cosine"
    folder.mkdir()
    (folder / "reviews_cf.rank").write_text(text)
    run(rankc, "build", "-O1", folder / "reviews_cf.rank", "-o", folder)
    return folder / "reviews_cf"


def recall(program, known, asked, work):
    run(program, "train", "--no-cache", "--data", known, "--save", work / "w.st")
    text = run(program, "eval", "--no-cache", "--data", asked, "--load", work / "w.st")
    return float(re.search(RECALL, text).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rankc", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *LOGS])
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--test", action="store_true")
    options = parser.parse_args()
    names = [name for name in options.names or LOGS if (options.data / LOGS[name][1]).is_file()]
    with tempfile.TemporaryDirectory() as folder:
        work, found = Path(folder), {name: [] for name in names}
        for name in names:
            interactions.split(LOGS[name][0], options.data / LOGS[name][1], work / name)
        print("| weighting | shrinkage | neighbors | " + " | ".join(names) + " |\n" + "|---" * (3 + len(names)) + "|")
        for k, setting in enumerate(itertools.product(WEIGHTING, SHRINKAGE, NEIGHBORS) if names else ()):
            program = build(options.rankc.resolve(), work / f"setting{k}", *setting)
            for name in names:
                found[name].append((recall(program, work / name / "train.csv", work / name / "valid.csv", work), setting, program))
            print("| %s | %d | %d |" % setting + "|".join(" %.4f " % found[name][-1][0] for name in names) + "|", flush=True)
        for name in names:
            best, setting, program = max(found[name], key=lambda row: row[0])
            said = "%s: weighting = %s, shrinkage = %d, neighbors = %d: validation recall@20 %.4f" % (name, *setting, best)
            if options.test:
                said += ", test %.4f" % recall(program, work / name / "known.csv", work / name / "test.csv", work)
            print(said, flush=True)
    return 0 if names else 77


if __name__ == "__main__":
    sys.exit(main())
