#!/usr/bin/env python3
"""Tests of interactions.py on small made-up logs."""
import csv
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import interactions  # noqa: E402

SCRIPT = Path(interactions.__file__)


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


class Splits(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def split(self, form, text, **options):
        log = self.folder / "log"
        log.write_text(text, encoding="utf-8")
        interactions.split(form, log, self.folder / "out", **options)
        return {path.stem: read(path)[1:] for path in (self.folder / "out").glob("*.csv")}

    def test_movielens(self):
        # out of order, two at the same time (7 stays before 8), film 5 twice
        files = self.split("movielens", "1\t9\t4\t30\n1\t5\t3\t10\n2\t5\t1\t1\n1\t7\t3\t20\n"
                                        "1\t8\t5\t20\n1\t5\t2\t40\n")
        self.assertEqual(files["train"], [["1", "5 7"], ["2", "5"]])
        self.assertEqual(files["pairs"], [["1", "5", "7"]])
        self.assertEqual(files["valid"], [["1", "5 7", "8"]])
        self.assertEqual(files["known"], [["1", "5 7 8"], ["2", "5"]])
        self.assertEqual(files["test"], [["1", "5 7 8", "9"]])

    def test_table_finds_columns_by_name(self):
        files = self.split("table", "time\tuser_id\titem_id\n3\tu\tc\n1\tu\ta\n2\tu\tb\n")
        self.assertEqual(files["test"], [["u", "a b", "c"]])

    def test_sequences(self):
        files = self.split("sequences", "7 1 2 3 4\n8 5 6\n", longest=2)
        self.assertEqual(files["test"], [["7", "2 3", "4"]])
        self.assertEqual(files["train"], [["7", "1 2"], ["8", "5 6"]])

    def test_cut_by_time(self):
        text = "a\tx\t1\t1\na\ty\t1\t5\na\tz\t1\t6\nb\tx\t1\t5\nb\ty\t1\t7\nc\tz\t1\t2\n"
        files = self.split("movielens", text, before=5)
        self.assertEqual(files["train"], [["a", "x"], ["c", "z"]])
        self.assertEqual(files["test"], [["a", "x", "y"]])
        self.assertNotIn("valid", files)

    def test_nothing_of_the_future(self):
        draw = random.Random(3)
        log = [(str(draw.randrange(20)), str(draw.randrange(40)), draw.randrange(1000))
               for _ in range(600)]
        files = self.split("movielens", "".join(f"{u}\t{i}\t1\t{t}\n" for u, i, t in log))
        first = {}
        for user, item, time in log:
            first[user, item] = min(time, first.get((user, item), time))
        asked = {(name, row[0]): row[2] for name in ("valid", "test") for row in files[name]}
        for name in ("pairs", "valid", "test"):
            for user, seen, target in files[name]:
                self.assertNotIn(target, seen.split())
                for item in seen.split():
                    self.assertLessEqual(first[user, item], first[user, target])
        for user, seen in files["train"]:
            self.assertFalse({asked["valid", user], asked["test", user]} & set(seen.split()))
        for user, seen, target in files["pairs"]:
            self.assertFalse({asked["valid", user], asked["test", user]} & {target, *seen.split()})
        for user, seen in files["known"]:
            self.assertNotIn(asked["test", user], seen.split())

    def test_mistakes_name_the_line(self):
        for form, text, told in (
                ("movielens", "1\t2\t3\t4\n1\t2\t3\n", "log:2: 3 fields, but 4 are needed"),
                ("movielens", "1\t2\t3\tnoon\n", "log:1: time 'noon' is not a number"),
                ("table", "user\titem_id\ttime\n", "log:1: no column user_id"),
                ("sequences", "1 2\n3\n", "log:2: user 3 has no items")):
            (self.folder / "log").write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, SCRIPT, form, self.folder / "log", self.folder],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn(told, done.stderr)


if __name__ == "__main__":
    unittest.main()
