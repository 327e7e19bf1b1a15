#!/usr/bin/python3
"""models/two_tower.rank and the same in PyTorch through 20 epochs, several seeds: the mean loss of each epoch.

    /usr/bin/python3 tests/peers/towers.py RANKC [--seeds N] [--epochs N] [--curve]

Data: users of 16 normal numbers, ads a linear mixture of them to 12 numbers and a little noise, 10,000
pairs to train on; 2,000 more by the same mixture, of which each user should find her own among 1000. PyTorch
trains as one would write it there: nn.Linear's first weights, a DataLoader that shuffles and drops the last 272
samples, AdamW, cross entropy of the inner products over 0.07 in both directions. Against that stand

  followed    rankc's library from PyTorch's first weights, on PyTorch's batches, in their order;
  own         the native program with first weights and batches of its own, by its --seed.

`followed` must stay within 5% of PyTorch seed by seed, `own` must have PyTorch's mean over the seeds within
5%, and either must rank first at least 99 of 100 after every epoch from the third on. Skipped (77) without PyTorch.
"""
import argparse
import ctypes as c
import json
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import torch
except ImportError as e:
    print("skipped:", e)
    sys.exit(77)

import st
from models import TwoTower

MODEL = Path(__file__).resolve().parents[2] / "models" / "two_tower.rank"
failed = []


def check(what, fine):
    if not fine:
        print("WRONG:", what, flush=True)
        failed.append(what)


def pairs(n, seed, mixture=None):
    """Users, their ads, and the mixture; with one given, another one's draw is skipped over."""
    rng = np.random.RandomState(seed)
    drawn = rng.normal(scale=0.8, size=(16, 12)).astype(np.float32)
    mixture = drawn if mixture is None else mixture
    user = rng.normal(size=(n, 16)).astype(np.float32)
    return user, (user @ mixture + rng.normal(scale=0.1, size=(n, 12))).astype(np.float32), mixture


def recall(u, a, k=1):
    near = u[:1000] @ a[:1000].T
    return float(((near > near.diagonal()[:, None]).sum(1) < k).mean())


class Inputs(c.Structure):
    _fields_ = [("n", c.c_long), ("user", c.c_void_p), ("ad", c.c_void_p)]


class Outputs(c.Structure):
    _fields_ = [("user_vector", c.c_void_p), ("ad_vector", c.c_void_p)]


class Ours:
    """The training library, opened on a file of weights."""

    def __init__(self, folder, weights):
        self.lib, self.model = c.CDLL(str(folder / "libtwo_tower_train.so")), c.c_void_p()
        for name in "scratch_for", "train_scratch":
            getattr(self.lib, "two_tower_" + name).restype = c.c_size_t
        message = c.create_string_buffer(300)
        if self.lib.two_tower_open_training(c.byref(self.model), str(weights).encode(), c.c_uint64(1),
                                            message, c.c_size_t(300)) != 0:
            raise RuntimeError(message.value.decode())
        self.scratch = None

    def step(self, user, ad):
        batch = Inputs(len(user), user.ctypes.data, ad.ctypes.data)
        if self.scratch is None:
            self.scratch = c.create_string_buffer(self.lib.two_tower_train_scratch(self.model, c.byref(batch)))
        loss = c.c_double()
        status = self.lib.two_tower_train_step(self.model, c.byref(batch), c.c_double(0), c.c_long(1),
                                               c.byref(loss), self.scratch)
        if status != 0:
            raise RuntimeError(f"a training step: status {status}")
        return loss.value

    def recall(self, user, ad):
        out = [np.zeros((len(user), 128), np.float32) for _ in range(2)]
        scratch = c.create_string_buffer(self.lib.two_tower_scratch_for(self.model, c.c_long(len(user))))
        self.lib.two_tower_predict(self.model, c.byref(Inputs(len(user), user.ctypes.data, ad.ctypes.data)),
                                   c.byref(Outputs(*(x.ctypes.data for x in out))), scratch)
        return recall(*out)

    def close(self):
        self.lib.two_tower_close(self.model)


def both(seed, folder, train, valid, epochs):
    """Mean losses and recalls of every epoch: PyTorch's, and ours on its heels."""
    torch.manual_seed(seed)
    data = torch.utils.data.TensorDataset(torch.tensor(train[0]), torch.tensor(train[1]))
    loader = torch.utils.data.DataLoader(data, batch_size=512, shuffle=True, drop_last=True)
    model = TwoTower()
    optimizer = model.optimizer(model.parameters())
    st.save(folder / "first.st", {name: value.numpy() for name, value in model.state_dict().items()})
    ours, result = Ours(folder, folder / "first.st"), []
    for _ in range(epochs):
        losses = []
        for user, ad in loader:
            outputs, loss = model({"user": user, "ad": ad})
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append((loss.item(), ours.step(user.numpy(), ad.numpy())))
        with torch.no_grad():
            outputs, _ = model({"user": torch.tensor(valid[0]), "ad": torch.tensor(valid[1])})
        found = recall(outputs["user_vector"].numpy(), outputs["ad_vector"].numpy())
        result.append((*np.mean(losses, 0), found, ours.recall(*valid[:2])))
    ours.close()
    return np.array(result)


def native(seed, folder, epochs):
    """Mean losses and recalls of every epoch of the program's own training."""
    subprocess.run([folder / "two_tower", "train", "--data", folder / "train.csv", "--valid", folder / "valid.csv",
                    "--epochs", str(epochs), "--seed", str(seed), "--threads", "1", "--save", folder / "own.st", "--log",
                    folder / "log", "--no-cache", "--quiet"], check=True)
    rows = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    (folder / "log").unlink()
    return np.array([(row["loss"], row["metrics"]["recall(u, a; k = 1)"]) for row in rows if row["event"] == "epoch"])


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(x if isinstance(x, str) else "%.4f" % x for x in row) + " |")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rankc")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--curve", action="store_true", help="the loss of every epoch, of the first seed")
    options = parser.parse_args()
    torch.set_num_threads(1)  # two wait for each other on a machine that has other work
    train = pairs(10000, 42)
    valid = [x[:1000] for x in pairs(2000, 41, train[2])[:2]]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        subprocess.run([options.rankc, "build", MODEL, "-o", folder], check=True)
        for name, (user, ad) in ("train", train[:2]), ("valid", valid):
            head = ",".join(["u%d" % (i + 1) for i in range(16)] + ["a%d" % (i + 1) for i in range(12)])
            np.savetxt(folder / (name + ".csv"), np.hstack([user, ad]), "%.9g", ",", header=head, comments="")
        rows, own = [], []
        for seed in range(options.seeds):
            follow, alone = both(seed, folder, train, valid, options.epochs), native(seed, folder, options.epochs)
            if options.curve and seed == 0:
                table(["epoch", "PyTorch", "followed", "own"],
                      [(str(i + 1), *follow[i, :2], alone[i, 0]) for i in range(options.epochs)])
            rows.append((str(seed), *follow[-1, :2], alone[-1, 0], follow[-1, 2], follow[-1, 3], alone[-1, 1]))
            check(f"seed {seed}: followed within 5% of PyTorch", abs(follow[-1, 1] / follow[-1, 0] - 1) <= 0.05)
            check(f"seed {seed}: recall@1 from epoch 3 on", min(follow[2:, 3].min(), alone[2:, 1].min()) >= 0.99)
    table(["seed", "PyTorch", "followed", "own", "recall@1 PyTorch", "followed", "own"], rows)
    numbers = np.array([row[1:4] for row in rows])
    print("mean of %d seeds %.4f %.4f %.4f, deviation %.4f %.4f %.4f, least %.4f %.4f %.4f" % (
        len(rows), *numbers.mean(0), *numbers.std(0), *numbers.min(0)))
    check("own within 5% of PyTorch in the mean", abs(numbers[:, 2].mean() / numbers[:, 0].mean() - 1) <= 0.05)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
