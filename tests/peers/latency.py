#!/usr/bin/python3
"""How long one prediction takes: rankc beside PyTorch and ONNX Runtime, in one run, on one thread.

    latency.py RANKC [fm din esmm] [--ort PYTHON] [--rounds 3] [--seconds 0.4]

The same weights and the same rows everywhere, and the same answers, which is checked first; every click
history has all of its 50 clicks. Times are microseconds: p50, p99 and p99.9 of single calls, each the median
over the rounds. rankc is called from C (`M bench`), the others from Python, as they mostly are. PyTorch runs with
OPENBLAS_* unset and tcmalloc preloaded where it is installed. --ort names a Python that has onnxruntime, which
Debian does not:

    python3 -m venv venv && venv/bin/pip install onnxruntime
"""
import argparse
import csv
import io
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import torch
from torch import nn

import models
import st
from bench import TCMALLOC
from latency_calls import times

HERE = pathlib.Path(__file__).resolve().parent
SIZES, KEPT, ROWS = (1, 16, 128), 32, 8192
COLUMNS = {"fm": ("field", 3, 3), "esmm": ("cat", 3, 6)}  # ids, how many of them, numbers


class Served(nn.Module):
    """What a server would export: tensors in, probabilities out."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors):
        logits = self.model.logits(dict(zip(self.names, tensors)))
        if torch.is_tensor(logits):
            return torch.sigmoid(logits)
        ctr, ctcvr = (torch.sigmoid(x) for x in logits)
        return ctr, ctcvr, ctcvr / ctr.clamp(min=1e-6)


def run(*command, **more):
    return subprocess.run([str(x) for x in command], check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def made_up(name, model, rng):
    """Rows by input, uniform ids and whole histories; and as lines of the model's data file."""
    if name == "din":
        data = {"item": rng.integers(0, 2000, ROWS), "hist": rng.integers(0, 2000, (ROWS, 50)),
                "hist.length": np.full(ROWS, 50)}
        lines = [f"{i},{' '.join(map(str, h))},0" for i, h in zip(data["item"], data["hist"])]
        return data, "item,hist,click\n" + "\n".join(lines) + "\n"
    ids, fields, numbers = COLUMNS[name]
    data = {ids: np.stack([rng.integers(0, size, ROWS) for size in model.sizes], 1),
            "dense": rng.normal(size=(ROWS, numbers)).astype(np.float32)}
    letter = "f" if name == "fm" else "c"
    heads = [f"{letter}{i + 1}" for i in range(fields)] + [f"d{i + 1}" for i in range(numbers)]
    labels = ["click"] if name == "fm" else ["click", "conversion"]
    lines = [",".join([*map(str, a), *(f"{x:.9g}" for x in b), *("0" for _ in labels)])
             for a, b in zip(data[ids], data["dense"])]
    return data, ",".join(heads + labels) + "\n" + "\n".join(lines) + "\n"


def agree(what, ours, theirs):
    worst = max(float(np.abs(np.ravel(a) - np.ravel(b)).max()) for a, b in zip(ours, theirs))
    if worst > 1e-5:
        raise RuntimeError(f"{what} differs by {worst:.2g}")


class Case:
    """One model: rankc's program, the module with its weights, and the rows."""

    def __init__(self, options, name, work):
        self.options, self.name, self.work = options, name, work
        self.program, self.weights, self.rows = (work / x for x in (name, f"{name}.st", f"{name}.csv"))
        run(options.rankc, "build", HERE.parents[1] / "models" / f"{name}.rank", "-o", work)
        run(self.program, "init", "--save", self.weights)
        model = models.MODELS[name]()
        state = {key: torch.tensor(x) for key, x in st.load(self.weights)[0].items() if "#" not in key}
        model.load_state_dict(state)
        self.data, text = made_up(name, model, np.random.default_rng(1))
        self.rows.write_text(text)
        self.module = Served(model, list(self.data)).eval()
        with torch.no_grad():
            out = self.module(*(torch.tensor(x) for x in self.data.values()))
        self.outputs = [x.numpy() for x in (out if isinstance(out, tuple) else (out,))]
        read = csv.reader(io.StringIO(run(self.program, "predict", "--no-cache", "--data", self.rows, "--load",
                                          self.weights)))
        next(read)
        agree(name, np.array([[float(x) for x in line] for line in read]).T, self.outputs)

    def batches(self, size):
        return [[x[i * size:(i + 1) * size] for x in self.data.values()] for i in range(KEPT)]

    def rankc(self):
        text = run(self.program, "bench", "--csv", "--no-cache", "--data", self.rows, "--load", self.weights)
        return {int(row["batch"]): [float(row[f"{p}_us"]) for p in ("p50", "p99", "p99.9")]
                for row in csv.DictReader(io.StringIO(text))}

    def torch(self, size, scripted):
        batches = [[torch.tensor(x) for x in batch] for batch in self.batches(size)]
        call = self.module
        with torch.no_grad():
            if scripted:
                call = torch.jit.optimize_for_inference(torch.jit.trace(call, batches[0]))
                for _ in range(20):
                    out = call(*batches[0])
                agree(f"{self.name} as TorchScript", [(out[0] if isinstance(out, tuple) else out).numpy()],
                      [self.outputs[0][:size]])
            return percentiles(times(lambda batch: call(*batch), batches, self.options.seconds))

    def onnx(self, size):
        path, stored = self.work / f"{self.name}{size}.onnx", self.work / f"{self.name}{size}.npz"
        if not path.exists():
            first = tuple(torch.tensor(x) for x in self.batches(size)[0])
            torch.onnx.export(self.module, first, str(path), input_names=list(self.data), opset_version=13)
            np.savez(stored, **{f"{key}/{i}": x for i, batch in enumerate(self.batches(size))
                                for key, x in zip(self.data, batch)})
        done = json.loads(run(self.options.ort, HERE / "latency_calls.py", path, stored, self.options.seconds))
        agree(f"{self.name} in ONNX Runtime", done["outputs"], [x[:size] for x in self.outputs])
        return percentiles(done["us"])


def percentiles(us):
    return [float(np.percentile(us, p)) for p in (50, 99, 99.9)]


def show(name, size, rounds):
    """One line of the table: the median over rounds of each percentile, by system."""
    cells = [" / ".join(f"{x:.3g}" if x < 1000 else f"{x:.0f}" for x in map(statistics.median, zip(*times_of)))
             for times_of in rounds.values()]
    print(f"| {name} | {size} | " + " | ".join(cells) + " |", flush=True)


def at_best():
    """Starts again with what PyTorch runs best with."""
    if os.environ.get("LATENCY_READY") is None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        environment.update(LATENCY_READY="1", OMP_NUM_THREADS="1")
        if os.path.exists(TCMALLOC):
            environment["LD_PRELOAD"] = TCMALLOC
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    os.environ.pop("LD_PRELOAD", None)  # of ours, not of what is started from here


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("rankc")
    parser.add_argument("names", nargs="*", default=["fm", "din", "esmm"])
    parser.add_argument("--ort", help="a Python that has onnxruntime")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.4)
    options = parser.parse_args()
    at_best()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="The shape inference of prim::Constant")
    systems = ["rankc", "PyTorch", "TorchScript"] + (["ONNX Runtime"] if options.ort else [])
    print("| model | batch | " + " | ".join(systems) + " |\n|" + "---|" * (len(systems) + 2))
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            case = Case(options, name, pathlib.Path(folder))
            rounds = {size: {system: [] for system in systems} for size in SIZES}
            for _ in range(options.rounds):
                ours = case.rankc()
                for size in SIZES:
                    rounds[size]["rankc"].append(ours[size])
                    rounds[size]["PyTorch"].append(case.torch(size, False))
                    rounds[size]["TorchScript"].append(case.torch(size, True))
                    if options.ort:
                        rounds[size]["ONNX Runtime"].append(case.onnx(size))
            for size in SIZES:
                show(name, size, rounds[size])
    return 0


if __name__ == "__main__":
    sys.exit(main())
