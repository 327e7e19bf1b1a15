#!/usr/bin/env python3
"""Trainings that are killed, stopped, starved of disk, or share a cache.

    tests/crash/crash.py RANKC [--kills N] [--seed N]

A training that saves every 5 steps is killed (SIGKILL) at random moments and goes on from its file until
N kills are done and it has finished at least once: every file it leaves is readable, and what it ends with
is, byte for byte, what an undisturbed run writes. Kills also hit the writing of the cache, which is
removed from time to time. 200 kills take about two minutes; the test of every day does 15.
"""
import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import harness
from harness import check, read

here = os.path.dirname(os.path.abspath(__file__))


class Trial:
    def __init__(self, rankc, work):
        self.work, self.cache = work, os.path.join(work, "cache")
        model = os.path.join(here, "clicks.rank")
        subprocess.run([rankc, "build", model, "-o", os.path.join(work, "built")], check=True)
        self.program = os.path.join(work, "built", "clicks")
        self.data = os.path.join(work, "data.csv")
        self.run("synth", "--rows", "6000", "--out", self.data, check=True)
        self.kept = os.path.join(work, "undisturbed.safetensors")
        self.run(*self.train(self.kept, every=0), check=True)
        self.wanted = read(self.kept)

    def train(self, save, every=5, cache=None, load=None):
        words = ["train", "--data", self.data, "--save", save, "--threads", "2", "--valid-split", "0.2", "--patience", "9"]
        words += ["--cache", cache or self.cache] + (["--checkpoint-every", str(every)] if every else [])
        return words + (["--load", load] if load else [])

    def run(self, *words, **options):
        return subprocess.run([self.program, *words], capture_output=True, text=True, **options)

    def start(self, *words):
        return subprocess.Popen([self.program, *words], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)


def kills(t, wanted_kills, rng):
    save = os.path.join(t.work, "killed.safetensors")
    done = finished = resumed = 0
    started = time.monotonic()
    t.run(*t.train(save, cache=os.path.join(t.work, "other")))
    most = (time.monotonic() - started) * 0.6  # of an undisturbed run
    os.unlink(save)
    while done < wanted_kills or finished == 0:
        if rng.random() < 0.2:
            shutil.rmtree(t.cache, ignore_errors=True)
        load = save if os.path.exists(save) else None
        resumed += load is not None
        p = t.start(*t.train(save, load=load))
        try:
            text, _ = p.communicate(timeout=rng.random() * most if done < wanted_kills else None)
        except subprocess.TimeoutExpired:
            p.kill()
            text, _ = p.communicate()
        if p.returncode == -signal.SIGKILL:
            done += 1
            if os.path.exists(save):
                r = t.run("info", "--load", save)
                check(f"a readable file after kill {done}", r.returncode == 0, r.stderr)
            continue
        check(f"going on after kill {done}", p.returncode == 0, text)
        if p.returncode != 0:
            return
        finished += 1
        check(f"the bits of an undisturbed run after kill {done}", read(save) == t.wanted)
        os.unlink(save)
    left = [f for d in (t.work, t.cache) for f in os.listdir(d) if ".writing-" in f]
    check("no temporary files of killed programs", not left, str(left))
    check("some runs went on from a file", resumed > 0)
    print(f"{done} kills, {resumed} runs went on from a file, {finished} came to the end")


def signals(t, rng):
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        save = os.path.join(t.work, "stopped.safetensors")
        for attempt in range(50):
            p = t.start(*t.train(save, every=0))
            time.sleep(0.02 + rng.random() * 0.1)
            p.send_signal(number)
            text, _ = p.communicate()
            if p.returncode == code:
                break
        check(f"exit code {code}", p.returncode == code, f"it was {p.returncode}\n{text}")
        check("it says how to go on", f"--load {save}" in text, text)
        t.run(*t.train(save, load=save), check=True)
        check(f"the same bits after {number.name}", read(save) == t.wanted)
        os.unlink(save)


def no_room(t):
    folder = os.path.join(t.work, "small")
    os.mkdir(folder)
    save = os.path.join(folder, "w.safetensors")
    shutil.copy(t.kept, save)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    cache = os.path.join(t.work, "for-no-room")
    t.run(*t.train(os.path.join(t.work, "x.safetensors"), cache=cache), check=True)
    r = t.run(*t.train(save, cache=cache), preexec_fn=limit)
    check("a file-size limit is an error", r.returncode == 1 and "File too large" in r.stderr, r.stderr)
    check("the old file is as it was", read(save) == t.wanted)
    check("nothing beside it", os.listdir(folder) == ["w.safetensors"], str(os.listdir(folder)))
    # the cache cannot be written either: it is an error or done without, never a wrong result
    r = t.run(*t.train(os.path.join(t.work, "y.safetensors"), cache=os.path.join(t.work, "none")),
              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
    check("no room for the cache", r.returncode in (0, 1), r.stderr)
    r = t.run(*t.train("/dev/full"))
    check("/dev/full is an error", r.returncode == 1 and "No space left" in r.stderr, r.stderr)


MOUNTED = """
set -e
mount -t tmpfs -o size=256k none "$1"
cp "$2" "$1/w.safetensors"
dd if=/dev/zero of="$1/fill" bs=1k count=4096 2>/dev/null || true
shift 2
"$@"
"""


def mounted(t):
    """A full disk and one that is read-only, in a name space of their own where that is allowed."""
    folder = os.path.join(t.work, "mounted")
    os.mkdir(folder)
    words = ["unshare", "-rm", "bash", "-c"]
    if subprocess.run(words + [f"mount -t tmpfs none {folder}"], capture_output=True).returncode:
        print("no mounts here: full and read-only disks are left out")
        return
    save = os.path.join(folder, "w.safetensors")
    inner = f'"$@"; code=$?; cmp "$0" {save} || exit 99; ls {folder}; exit $code'
    for name, script, said in (("full", MOUNTED, "No space left"),
                               ("read-only", MOUNTED.replace('shift 2', f'mount -o remount,ro {folder}; shift 2'),
                                "Read-only file system")):
        r = subprocess.run(words + [script, "-", folder, t.kept, "bash", "-c", inner, t.kept, t.program,
                                    *t.train(save)], capture_output=True, text=True)
        check(f"a {name} disk is an error", r.returncode == 1 and said in r.stderr, f"{r.returncode} {r.stderr}")
        check(f"nothing is left on a {name} disk", ".writing-" not in r.stdout, r.stdout)


def shared_cache(t, rounds, rng):
    cache = os.path.join(t.work, "shared")
    for i in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        saves = [os.path.join(t.work, f"twin{k}.safetensors") for k in range(3)]
        running = []
        for save in saves:
            running.append(t.start(*t.train(save, every=0, cache=cache)))
            time.sleep(rng.random() * 0.01)
        running[2].kill()
        for k, p in enumerate(running):
            text, _ = p.communicate()
            if k < 2:
                check(f"twin {k} of round {i}", p.returncode == 0 and read(saves[k]) == t.wanted, text)
        r = t.run(*t.train(saves[0], every=0, cache=cache))
        check(f"the cache of round {i} is good", r.returncode == 0 and read(saves[0]) == t.wanted, r.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rankc")
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--seed", type=int, default=None)
    o = parser.parse_args()
    seed = o.seed if o.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}")
    rng = random.Random(seed)
    work = tempfile.mkdtemp(prefix="rankc-crash-")
    try:
        t = Trial(os.path.abspath(o.rankc), work)
        kills(t, o.kills, rng)
        signals(t, rng)
        no_room(t)
        mounted(t)
        shared_cache(t, max(3, o.kills // 10), rng)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(harness.failures > 0)


main()
