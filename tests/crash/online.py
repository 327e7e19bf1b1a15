#!/usr/bin/env python3
"""Learning row by row (`train --online`) that is killed, stopped and fed bad rows; and killed solvers.

    tests/crash/online.py RANKC [--kills N] [--seed N]

Three ways in: a file, a file that grows while it is read (in pieces that end inside rows), and standard input
with acknowledgements, where the feeder sends again what was not acknowledged. Each is killed (SIGKILL) at
random moments until N kills are done and then comes to its end: what was acknowledged is in the file, and the
file at the end is, byte for byte, that of a run that was never killed.
"""
import argparse
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import harness
from harness import check, read

here = os.path.dirname(os.path.abspath(__file__))
ROWS = 12000


def saved_rows(path):
    """The rows that a weights file has learnt; an unreadable one raises."""
    b = read(path)
    n = struct.unpack("<Q", b[:8])[0]
    return int(json.loads(b[8:8 + n])["__metadata__"].get("rank.online.rows", 0))


class Trial:
    def __init__(self, rankc, work):
        self.work = work
        model = os.path.join(here, "clicks.rank")
        subprocess.run([rankc, "build", model, "-o", os.path.join(work, "built")], check=True)
        self.program = os.path.join(work, "built", "clicks")
        self.data, self.start = self.path("data.csv"), self.path("start.safetensors")
        self.run("synth", "--rows", str(ROWS), "--out", self.data, check=True)
        self.run("train", "--no-cache", "--data", self.data, "--epochs", "1", "--save", self.start, check=True)
        self.lines = read(self.data).splitlines(keepends=True)
        # what an undisturbed run gives: with a place in the file, and without
        self.wanted, self.wanted_piped = self.path("whole"), self.path("piped")
        r = self.run(*self.online(self.data, self.wanted, every=None), check=True)
        check("it says how much it learnt", f"{ROWS:,} rows learnt" in r.stdout, r.stdout)
        with open(self.data) as f:
            self.run(*self.online("-", self.wanted_piped, every=None), stdin=f, check=True)
        check("rows were learnt", read(self.wanted) != read(self.start) and saved_rows(self.wanted) == ROWS)

    def path(self, name):
        return os.path.join(self.work, name)

    def online(self, data, save, every=700, load=None):
        words = ["train", "--online", data, "--load", load or self.start, "--save", save, "--log-every", "5000"]
        return words + (["--checkpoint-every", str(every)] if every else [])

    def run(self, *words, **options):
        return subprocess.run([self.program, *words], capture_output=True, text=True, **options)

    def popen(self, *words, **options):
        return subprocess.Popen([self.program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                **options)


def of_a_file(t, kills, rng):
    save = t.path("file.safetensors")
    started = time.monotonic()
    t.run(*t.online(t.data, save), check=True)
    most = time.monotonic() - started
    os.unlink(save)
    done = resumed = 0
    while True:
        load = save if os.path.exists(save) else None
        p = t.popen(*t.online(t.data, save, load=load))
        try:
            p.communicate(timeout=rng.random() * most if done < kills else None)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
        if p.returncode == 0 and done < kills:
            check("the bits of an undisturbed run", read(save) == read(t.wanted))
            os.unlink(save)
            continue
        if p.returncode == 0:
            break
        done += 1
        resumed += os.path.exists(save) and saved_rows(save) > 0
    check("the bits of an undisturbed run", read(save) == read(t.wanted))
    check("some runs went on from the middle", resumed > 0)
    print(f"a file: {done} kills, {resumed} went on from the middle")


def of_a_growing_file(t, kills, rng):
    save, log = t.path("grow.safetensors"), t.path("grow.csv")
    text, done = read(t.data), 0
    open(log, "wb").close()
    grown = threading.Event()

    def grow():
        at = 0
        while at < len(text):
            n = rng.randrange(1, len(text) // 60)  # ends inside a row, nearly always
            with open(log, "ab") as f:
                f.write(text[at:at + n])
            at += n
            time.sleep(0.02)
        grown.set()

    feeder = threading.Thread(target=grow)
    feeder.start()
    chance = random.Random(rng.random())
    while True:
        load = save if os.path.exists(save) else None
        p = t.popen(*t.online(log, save, load=load), "--follow", "--ack", "--checkpoint-seconds", "0.1")
        if done < kills:
            time.sleep(chance.random() * 0.3)
            p.kill()
            acked = [int(x) for x in p.communicate()[0].split(b"\n")[:-1]]
            done += 1
            if acked and os.path.exists(save):
                check(f"kill {done}: what was acknowledged is there", saved_rows(save) >= acked[-1])
            continue
        for line in p.stdout:
            if int(line) == ROWS:
                break
        p.send_signal(signal.SIGTERM)
        out, err = p.communicate()
        check("exit code 143", p.returncode == 143, f"{p.returncode} {err}")
        check("it says how to go on", f"--load {save}".encode() in err, err)
        break
    feeder.join()
    check("the bits of an undisturbed run, of a growing file", read(save) == read(t.wanted))
    print(f"a growing file: {done} kills")


def of_a_pipe(t, kills, rng):
    save, done, acked, sent_again = t.path("pipe.safetensors"), 0, 0, 0
    while True:
        load = save if os.path.exists(save) else None
        p = t.popen(*t.online("-", save, load=load), "--ack", stdin=subprocess.PIPE)
        first = p.stdout.readline()  # how many it has, before anything is sent
        check("what was acknowledged is there", int(first) >= acked, f"{first} after {acked}")
        acked = int(first)
        rows = t.lines[1 + acked:]
        sent_again += acked > 0

        def feed():
            try:
                p.stdin.write(t.lines[0])
                for i in range(0, len(rows), 100):
                    p.stdin.write(b"".join(rows[i:i + 100]))
                p.stdin.close()
            except BrokenPipeError:
                pass

        feeder = threading.Thread(target=feed)
        feeder.start()
        if done < kills:
            until = acked + rng.randrange(1, ROWS // 4)
            for line in p.stdout:
                acked = int(line)
                if acked >= until:
                    break
            time.sleep(rng.random() * 0.01)
            p.kill()
        out, err = p.stdout.read(), p.stderr.read()
        p.wait()
        feeder.join()
        acked = max([acked] + [int(x) for x in out.split(b"\n")[:-1]])
        if p.returncode == -signal.SIGKILL:
            done += 1
            continue
        check("exit code 0", p.returncode == 0, err)
        if done >= kills:
            break
        check("the bits of an undisturbed run, of a pipe", read(save) == read(t.wanted_piped))
        os.unlink(save)
        acked = 0
    check("every row is acknowledged", acked == ROWS, str(acked))
    check("the bits of an undisturbed run, of a pipe", read(save) == read(t.wanted_piped))
    check("some rows were sent again", sent_again > 0)
    print(f"a pipe: {done} kills, {sent_again} times rows were sent again")


SOLVED = """model solved
input item : id(300)
input x : f32[3]
label click : f32
table w : f32[300] ~ zeros
param k : f32[3] ~ zeros
param b : f32 ~ zeros, l2 = 0
logit = b + w[item] + sum[3](k * x)
loss bce_logits(logit, click)
output ctr = sigmoid(logit)
train lbfgs(memory = 5), l2 = 1e-3
"""


def of_a_solver(t, rankc, kills, rng):
    """What lbfgs remembers is in its file: killed between iterations, it ends with the same bits."""
    source, save = t.path("solved.rank"), t.path("solved.safetensors")
    with open(source, "w") as f:
        f.write(SOLVED)
    subprocess.run([rankc, "build", source, "-o", t.path("solved")], check=True)
    t.program = t.path(os.path.join("solved", "solved"))
    t.run("synth", "--rows", "20000", "--out", t.path("solved.csv"), check=True)
    words = ["train", "--data", t.path("solved.csv"), "--threads", "2", "--cache", t.path("solved.cache"), "--save"]
    started = time.monotonic()
    r = t.run(*words, t.path("solved.whole"), check=True)
    most = time.monotonic() - started
    check("it finds the optimum", "the optimum after" in r.stdout, r.stdout)
    done = resumed = 0
    while True:
        load = ["--load", save] if os.path.exists(save) else []
        resumed += bool(load)
        p = t.popen(*words, save, "--checkpoint-every", "1", *load)
        try:
            p.communicate(timeout=rng.random() * most if done < kills else None)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
        if p.returncode == 0:
            check("a solver's bits are those of an undisturbed run", read(save) == read(t.path("solved.whole")))
            os.unlink(save)
            if done >= kills:
                break
        done += p.returncode != 0
    check("some went on from a file", resumed > 0)
    print(f"a solver: {done} kills, {resumed} went on from a file")


def stopped(t):
    save = t.path("stopped.safetensors")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        p = t.popen(*t.online("-", save), "--ack", "--checkpoint-seconds", "0.1", stdin=subprocess.PIPE)
        p.stdin.write(b"".join(t.lines[:5001]) + b"12,")  # and half a row
        p.stdin.flush()
        for line in p.stdout:
            if int(line) == 5000:
                break
        p.send_signal(number)
        out, err = p.communicate()
        check(f"exit code {code}", p.returncode == code, f"{p.returncode} {err}")
        check("it says how to go on", f"after row 5,000; saved to {save}".encode() in err and b"--load" in err, err)
        p = t.popen(*t.online("-", save, load=save), stdin=subprocess.PIPE)
        p.communicate(t.lines[0] + b"".join(t.lines[5001:]))
        check(f"the same bits after {number.name}", read(save) == read(t.wanted_piped))


def refused(t):
    save, bad = t.path("bad.safetensors"), t.path("bad.csv")
    with open(bad, "wb") as f:
        f.write(b"".join(t.lines[:4001]) + b"7,1 2,yes\n" + b"".join(t.lines[4001:]))
    r = t.run(*t.online(bad, save))
    said = f"{bad}:4002: column click: \"yes\" is not a number"
    check("a bad row is an error with its line", r.returncode == 1 and said in r.stderr, r.stderr)
    check("the rows before it are learnt", saved_rows(save) == 4000 and "the 4000 rows before it" in r.stderr, r.stderr)
    with open(bad, "wb") as f:
        f.write(b"".join(t.lines))
    r = t.run(*t.online(bad, save, load=save))
    check("mended, it goes on to the same bits", r.returncode == 0 and read(save) == read(t.wanted), r.stderr)
    for name, text, said in (("short", t.lines[0], "ends before byte"),
                             ("other", b"".join(t.lines[:1] + t.lines[:0:-1]), "is not the file that was learnt from")):
        with open(bad, "wb") as f:
            f.write(text)
        r = t.run(*t.online(bad, t.path("x"), load=save))
        check(f"a {name} file is refused", r.returncode == 1 and said in r.stderr, r.stderr)
    r = t.run(*t.online(bad, t.path("x"), load=save), "--from-start")
    check("unless it is said so", r.returncode == 0 and saved_rows(t.path("x")) == 2 * ROWS, r.stderr)
    with open(bad, "wb") as f:
        f.write(b"".join(t.lines[:11]) + b"3,1")
    r = t.run(*t.online(bad, t.path("x")))
    check("half a row waits", r.returncode == 0 and "3 bytes and no newline" in r.stdout and "10 rows learnt" in r.stdout,
          r.stdout)
    for words in (["--follow"], ["--online", "--follow"], ["--online", "x", "--epochs", "2"], ["--ack"], ["--online", "a", "b"]):
        check(f"{words} is wrong usage", t.run("train", *words).returncode == 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rankc")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None)
    o = parser.parse_args()
    seed = o.seed if o.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}")
    rng = random.Random(seed)
    work = tempfile.mkdtemp(prefix="rankc-online-")
    try:
        t = Trial(os.path.abspath(o.rankc), work)
        of_a_file(t, o.kills, rng)
        of_a_growing_file(t, o.kills, rng)
        of_a_pipe(t, o.kills, rng)
        stopped(t)
        refused(t)
        of_a_solver(t, os.path.abspath(o.rankc), o.kills, rng)
        left = [f for f in os.listdir(work) if ".writing-" in f]
        check("no temporary files of killed programs", not left, str(left))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(harness.failures > 0)


main()
