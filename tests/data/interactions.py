#!/usr/bin/env python3
"""Turns a log of interactions (user, item, time) into files that a model learns from and is tested on.

    interactions.py FORMAT LOG FOLDER [--first USERS] [--before TIME] [--longest N]

FORMAT says how LOG is written:
    movielens   user, item, rating, time between tabs, no header (u.data of MovieLens 100K)
    table       a header and tabs, columns user_id, item_id, time
    sequences   a line for each user: user item item ..., oldest first

A user's items are put in the order of time, those of the same time in the order of the file; what she
comes back to counts where it came first. Then, leaving one out, FOLDER gets

    train.csv   user,seen          all but the last two items of each user
    pairs.csv   user,seen,next     of train.csv: every item with those before it
    valid.csv   user,seen,next     the last but one, and all before it
    known.csv   user,seen          all but the last: what may be learnt from before testing
    test.csv    user,seen,next     the last, and all before it

`seen` is a list separated by spaces, oldest first. No row of train or pairs holds an item of its user
that valid or test ask for, none of known one that test asks for. A user with fewer than three items is
in train and known only.

With --before the log is cut at a time instead, for all users at once, so that nothing that is learnt
happened after anything that is asked: train, pairs and known hold what is earlier, and test asks for each
user's first item from then on (valid is not written). --longest N keeps the N latest of each `seen`.
"""
import argparse
import csv
import sys
from pathlib import Path


def fail(path, line, text):
    raise ValueError(f"{path}:{line}: {text}")


def read_delimited(path, columns, header):
    """(user, item, time) of each line; columns: positions, or names of the header."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.rstrip("\r\n").split("\t")
            if header and number == 1:
                missing = [name for name in columns if name not in fields]
                if missing:
                    fail(path, 1, f"no column {missing[0]}; there are {', '.join(fields)}")
                columns = [fields.index(name) for name in columns]
                continue
            if len(fields) <= max(columns):
                fail(path, number, f"{len(fields)} fields, but {max(columns) + 1} are needed")
            user, item, time = (fields[at] for at in columns)
            try:
                yield user, item, float(time)
            except ValueError:
                fail(path, number, f"time {time!r} is not a number")


def read_sequences(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            if len(fields) == 1:
                fail(path, number, f"user {fields[0]} has no items")
            for time, item in enumerate(fields[1:]):
                yield fields[0], item, float(time)


FORMATS = {
    "movielens": lambda path: read_delimited(path, [0, 1, 3], header=False),
    "table": lambda path: read_delimited(path, ["user_id", "item_id", "time"], header=True),
    "sequences": read_sequences,
}


def histories(log):
    """For each user, in the order of the file, her (time, item), oldest first, each item once."""
    users = {}
    for user, item, time in log:
        users.setdefault(user, []).append((time, item))
    for user, events in users.items():
        events.sort(key=lambda event: event[0])  # stable: the order of the file stays
        once = {}
        for time, item in events:
            once.setdefault(item, time)
        users[user] = [(time, item) for item, time in once.items()]
    return users


def leave_one_out(users):
    """The rows of each file: (user, seen) or (user, seen, next)."""
    files = {"train": [], "pairs": [], "valid": [], "known": [], "test": []}
    for user, events in users.items():
        items = [item for _, item in events]
        enough = len(items) >= 3
        train = items[:-2] if enough else items
        files["train"].append((user, train))
        files["pairs"] += [(user, train[:k], train[k]) for k in range(1, len(train))]
        files["known"].append((user, items[:-1] if enough else items))
        if enough:
            files["valid"].append((user, items[:-2], items[-2]))
            files["test"].append((user, items[:-1], items[-1]))
    return files


def cut_by_time(users, before):
    files = {"train": [], "pairs": [], "known": [], "test": []}
    for user, events in users.items():
        early = [item for time, item in events if time < before]
        late = [item for time, item in events if time >= before]
        if not early:
            continue
        files["train"].append((user, early))
        files["known"].append((user, early))
        files["pairs"] += [(user, early[:k], early[k]) for k in range(1, len(early))]
        if late:
            files["test"].append((user, early, late[0]))
    return files


def write(folder, files, longest=None):
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            asks = name in ("pairs", "valid", "test")
            writer.writerow(["user", "seen", "next"] if asks else ["user", "seen"])
            for user, seen, *rest in rows:
                kept = seen if longest is None else seen[max(0, len(seen) - longest):]
                writer.writerow([user, " ".join(kept), *rest])


def split(form, path, folder, before=None, longest=None, first=None):
    users = histories(FORMATS[form](path))
    if first is not None:
        users = dict(list(users.items())[:first])
    files = leave_one_out(users) if before is None else cut_by_time(users, before)
    write(folder, files, longest)
    return files


def main():
    parser = argparse.ArgumentParser(description="Splits a log of interactions.")
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("log", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--before", type=float, help="cut the log at this time")
    parser.add_argument("--longest", type=int, help="keep so many of each list, the latest")
    parser.add_argument("--first", type=int, help="only the first so many users")
    options = parser.parse_args()
    if options.before is not None and options.format == "sequences":
        parser.error("--before: sequences have no times")
    try:
        files = split(options.format, options.log, options.folder, options.before, options.longest,
                      options.first)
    except (OSError, ValueError) as error:
        print(f"interactions.py: {error}", file=sys.stderr)
        return 1
    print(", ".join(f"{name} {len(rows)}" for name, rows in files.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
