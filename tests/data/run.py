#!/usr/bin/env python3
"""Trains a model on each real data set and checks the area under the curve, or recall, on its test part.

    run.py RANKC [--data FOLDER] [--seeds N] [NAME ...]

For each data set: split its files as README.md beside this says, build the .rank model of this
folder, train, evaluate on the test part, and compare with the floor in the table below. A data set
that is not there is skipped with a message; when none is, the exit code is 77. The work folder
(--work) keeps the splits and the programs.
"""
import argparse
import csv
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
import interactions  # noqa: E402

HERE = Path(__file__).resolve().parent


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


def write_csv(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def split_csv(source, work, test):
    """Splits a CSV file with a header; test(i) says whether row i is for testing."""
    header, rows = read_csv(source)
    write_csv(work / "train.csv", header, [row for i, row in enumerate(rows) if not test(i)])
    write_csv(work / "test.csv", header, [row for i, row in enumerate(rows) if test(i)])
    return work / "train.csv", work / "test.csv"


def criteo(source, work):
    """As shipped; the small files dev and test together are the test part."""
    rest = [(source / name).read_bytes() for name in ("dev.csv", "test.csv")]
    (work / "test.tsv").write_bytes(b"".join(rest))
    return source / "train.csv", work / "test.tsv"


def avazu(source, work):
    return split_csv(source / "avazu-ctr-prediction_train_1w.csv", work, lambda i: i >= 8000)


def frappe(source, work):
    """The published train file is not there: validation serves as train."""
    return source / "frappe.validation.libfm", source / "frappe.test.libfm"


def movielens(source, work):
    """Ratings joined with user and film; the first 80 % by time train; 4 and 5 stars are liked."""
    def lines(name, separator):
        text = (source / name).read_text(encoding="latin-1")
        return [line.split(separator) for line in text.splitlines() if line]
    genres = [name for name, _ in lines("u.genre", "|")]
    users = {row[0]: row for row in lines("u.user", "|")}
    films = {row[0]: "|".join(genre for genre, flag in zip(genres, row[5:]) if flag == "1")
             for row in lines("u.item", "|")}
    rows = []
    for user, film, stars, time in sorted(lines("u.data", "\t"), key=lambda row: int(row[3])):
        _, age, gender, occupation, _ = users[user]
        liked = int(int(stars) >= 4)
        rows.append([user, film, int(age) // 10, gender, occupation, films[film], liked])
    header = ["user", "film", "age", "gender", "occupation", "genres", "liked"]
    cut = len(rows) * 8 // 10
    write_csv(work / "train.csv", header, rows[:cut])
    write_csv(work / "test.csv", header, rows[cut:])
    return work / "train.csv", work / "test.csv"


def taobao(source, work):
    """Ranked by time, every fifth row is for testing."""
    path = source / "taobao_data_sample_1w.csv"
    header, rows = read_csv(path)
    time = header.index("time_stamp")
    order = sorted(range(len(rows)), key=lambda i: int(rows[i][time]))
    tested = {i for rank, i in enumerate(order) if rank % 5 == 0}
    return split_csv(path, work, tested.__contains__)


def hillstrom(source, work):
    return split_csv(source / "hillstrom_rows_1_48000.csv", work, lambda i: i >= 36000)


def higgs(source, work):
    """As shipped."""
    return source / "binary.train", source / "binary.test"


ADULT = ["age", "workclass", "fnlwgt", "education", "education_num", "marital", "occupation",
         "relationship", "race", "sex", "capital_gain", "capital_loss", "hours", "country", "income"]


def adult(source, work):
    """As shipped; "?" is an empty field, and the income above 50K is 1."""
    for name, out in (("adult.data", "train.csv"), ("adult.test", "test.csv")):
        first, rest = read_csv(source / name)
        rows = [[field.strip() for field in row] for row in [first, *rest]]
        rows = [["" if field == "?" else field for field in row[:-1]] + [int(row[-1][0] == ">")]
                for row in rows if len(row) == len(ADULT)]
        write_csv(work / out, ADULT, rows)
    return work / "train.csv", work / "test.csv"


def leave_one_out(form, name):
    """Everybody's last item is asked for, and fitted is what was known before it."""
    def split(source, work):
        interactions.split(form, source / name, work)
        return work / "known.csv", work / "test.csv"
    return split


def next_films(source, work):
    """Every film with those before it and its share of the log; the last but one to choose epochs by."""
    files = interactions.split("movielens", source / "u.data", work / "log")
    count = Counter(item for _, seen in files["train"] for item in seen)
    share = {item: n / sum(count.values()) for item, n in count.items()}
    for name in ("pairs", "valid", "test"):
        rows = [[item, " ".join(seen), share.get(item, 0)] for _, seen, item in files[name]]
        write_csv(work / f"{name}.csv", ["item", "hist", "share"], rows)
    rows = [[item, share.get(str(item), 0)] for item in range(1, 1683)]
    write_csv(work / "items.csv", ["item", "share"], rows)
    return work / "pairs.csv", work / "test.csv"


# data set, how to split it, the model, the least each auc of the model's metrics may be
SETS = {
    "criteo": ("criteo-kaggle-8k", criteo, "criteo_fm", [0.705]),
    "avazu": ("avazu-10k", avazu, "avazu_fm", [0.72]),
    "frappe": ("frappe", frappe, "frappe_fm", [0.935]),
    "movielens": ("ml-100k", movielens, "movielens_fm", [0.695]),
    "taobao": ("taobao-ad-10k", taobao, "taobao_din", [0.60]),
    "higgs": ("higgs-7k", higgs, "higgs_gbdt", [0.81, 0.82]),
    "adult": ("adult", adult, "adult_gbdt", [0.918, 0.925]),
    "hillstrom": ("hillstrom-48k", hillstrom, "hillstrom_esmm", [0.645, 0.62]),
    "movielens_cf": ("ml-100k", leave_one_out("movielens", "u.data"), "movielens_cf", [0.173]),
    "beauty_cf": ("s3rec-beauty", leave_one_out("sequences", "Beauty.txt"), "reviews_cf", [0.091]),
    "grocery_cf": ("amazon-grocery", leave_one_out("table", "train.csv"), "reviews_cf", [0.083]),
    "popular": ("ml-100k", leave_one_out("movielens", "u.data"), "../../models/most_popular", [0.12]),
    "beauty_popular": ("s3rec-beauty", leave_one_out("sequences", "Beauty.txt"),
                       "../../models/most_popular", [0.02]),
    "grocery_popular": ("amazon-grocery", leave_one_out("table", "train.csv"),
                        "../../models/most_popular", [0.02]),
    "next_film": ("ml-100k", next_films, "../../models/youtube_dnn", [0.135]),
}

# what is checked instead of the area under the curve, and arguments of train and eval
AUC = r"(?i)\bauc\b[^\n]*?[\s=:]+([01]\.\d+)"
RECALL = r"\brecall\([^\n]*; k = 20\) ([01]\.\d+)"
OTHERWISE = {name: (RECALL, [], []) for name in SETS if name.endswith(("_cf", "popular"))}
OTHERWISE["next_film"] = (RECALL, ["--valid", "valid.csv", "--patience", "2"],
                          ["--catalogue", "items.csv", "--exclude", "hist"])


def run(*command):
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


def measure(options, name, work, seeds):
    """For each seed (None: the model's own) the test figures, in the order of the model's metrics."""
    folder, split, model, _ = SETS[name]
    pattern, *more = OTHERWISE.get(name, (AUC, [], []))
    work.mkdir(parents=True, exist_ok=True)
    train, test = split(options.data / folder, work)
    run(options.rankc, "build", HERE / f"{model}.rank", "-o", work)
    program = work / Path(model).name
    to_train, to_eval = [[work / x if x.endswith(".csv") else x for x in given] for given in more]
    found = []
    for seed in seeds:
        given = [] if seed is None else ["--seed", seed]
        run(program, "train", "--data", train, "--save", work / "weights.st", *given, *to_train)
        text = run(program, "eval", "--data", test, "--load", work / "weights.st", *to_eval)
        found.append([float(value) for value in re.findall(pattern, text)])
    return found


def spread(values):
    return f"{sum(values) / len(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def report(name, found):
    """One line; whether each area of the first run reaches its floor."""
    _, _, model, floors = SETS[name]
    good = len(found[0]) == len(floors) and all(a >= b for a, b in zip(found[0], floors))
    areas = ", ".join(f"{auc:.4f}" for auc in found[0])
    if len(found) > 1:
        areas = ", ".join(spread(column) for column in zip(*found))
    what = "recall@20" if name in OTHERWISE else "AUC"
    print(f"{name}: {Path(model).name}: test {what} {areas}; wanted {', '.join(map(str, floors))}: "
          f"{'ok' if good else 'FAILED'}", flush=True)
    return good


def arguments():
    parser = argparse.ArgumentParser(description="Train and test on the real data sets.")
    parser.add_argument("rankc", type=Path, help="path of the rankc program")
    parser.add_argument("names", nargs="*", choices=[[], *SETS], help="data sets (default: all)")
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--work", type=Path, help="keep splits and programs in this folder")
    parser.add_argument("--seeds", type=int, help="seeds 1..N, not the model's own: mean and range")
    options = parser.parse_args()
    options.rankc = options.rankc.resolve()
    return options


def main():
    options = arguments()
    seeds = [None] if options.seeds is None else range(1, options.seeds + 1)
    failed, tried = False, 0
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.names or SETS:
            folder = options.data / SETS[name][0]
            if not folder.is_dir():
                print(f"{name}: skipped, {folder} is not there")
                continue
            tried += 1
            try:
                found = measure(options, name, (options.work or Path(temporary)) / name, seeds)
                failed |= not report(name, found)
            except RuntimeError as error:
                print(f"{name}: FAILED: {error}")
                failed = True
    return 1 if failed else 0 if tried else 77


if __name__ == "__main__":
    sys.exit(main())
