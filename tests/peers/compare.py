#!/usr/bin/python3
"""Compares every model of models/ with the same model in PyTorch, on the same weights and batch.

For each model: build it with rankc, make parameters with `M init`, disturb them so that none is
zero, draw a random batch (empty histories, repeated ids), take ten steps with `M step` and with
PyTorch in double precision, and compare outputs, loss, gradients of the first step and parameters
after the last. The description is compiled with `tables = dense` added to its
train line: PyTorch's optimizers move every row of a table at every step. `rankc interpret` gets the
same files.

An error is the norm of the difference over the norm of what PyTorch has. A gradient that is zero by
mathematics and rounding noise in practice (a bias under a softmax) is measured against the whole
gradient, and its parameter is only asked to have moved no farther than the optimizer can move it.
"""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import st
from models import MODELS

LIMITS = {"outputs": 1e-5, "loss": 1e-5, "gradients": 1e-5, "parameters": 1e-4}
NOISE = 1e-6  # of the gradient's norm: below this a parameter's own gradient is rounding


def arguments():
    here = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Compare rankc with PyTorch on every model.")
    parser.add_argument("rankc", help="path of the rankc program")
    parser.add_argument("models", nargs="*", help="names of models (default: all)")
    parser.add_argument("--folder", type=Path, default=here / "models", help="the .rank files")
    parser.add_argument("--build", default="", help="arguments for rankc build, like --fuse=off")
    parser.add_argument("--batch", type=int, default=53, help="samples in the batch")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-interpret", action="store_true", help="leave the interpreter out")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave the files there")
    return parser.parse_args()


def run(*command):
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr.strip()}")


def with_dense_tables(text):
    """The description with dense table updates; a `train` statement ends at its line's end."""
    changed, count = re.subn(r"(?m)^(train\b[^#\n]*?)\s*(#.*)?$", r"\1, tables = dense", text)
    if count != 1:
        raise RuntimeError(f"{count} train statements, not one")
    return changed


def disturbed(path, rng):
    """Adds noise to the parameters in a file: zeros would hide errors. The old values' checksums
    go. Returns the new values."""
    tensors, metadata = st.load(path)
    for name, value in tensors.items():
        if "#" not in name:  # the optimizer's state stays at its start
            noise = rng.normal(0, 0.05, value.shape)
            tensors[name] = (value + noise).astype(value.dtype)
    kept = {key: text for key, text in metadata.items() if not key.startswith("sum.")}
    st.save(path, tensors, kept)
    return {name: value for name, value in tensors.items() if "#" not in name}


def with_torch(model, weights, batch, steps):
    """Outputs, loss and gradients at the start, parameters after the steps: float64, by name."""
    model = model.double()
    state = {name: torch.tensor(value.astype(np.float64)) for name, value in weights.items()}
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if shapes != found:
        different = sorted(set(shapes.items()) ^ set(found.items()))
        raise RuntimeError(f"parameters differ: {different}")
    model.load_state_dict(state)
    tensors = {name: torch.tensor(value.astype(np.float64 if value.dtype.kind == "f" else np.int64))
               for name, value in batch.items()}
    optimizer, result = model.optimizer(list(model.parameters())), {}
    for step in range(steps):
        outputs, loss = model(tensors)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            result = {**outputs, "loss": loss}
            result.update(("grad." + name, p.grad.clone()) for name, p in model.named_parameters())
        optimizer.step()
    result.update(model.named_parameters())
    result.update((name, value) for name, value in model.named_buffers() if name in weights)
    return {name: value.detach().numpy() for name, value in result.items()}


def difference(ours, theirs, floor=0.0):
    """Norm of the difference over theirs, or over the floor when that is more."""
    if ours.size != theirs.size:
        raise RuntimeError(f"shapes differ: {ours.shape} and {theirs.shape}")
    delta = np.linalg.norm(ours.astype(np.float64).ravel() - theirs.ravel())
    norm = max(np.linalg.norm(theirs.ravel()), floor)
    return delta / norm if norm > 0 else delta


def worst(ours, theirs, weights, reach):
    """The largest error of each kind and where it is; reach: how far noise can move a parameter."""
    missing = sorted(set(theirs) - set(ours))
    if missing:
        raise RuntimeError(f"not in the result: {', '.join(missing)}")
    gradients = [name for name in theirs if name.startswith("grad.")]
    whole = np.sqrt(sum(np.linalg.norm(theirs[name].ravel()) ** 2 for name in gradients))
    result = {kind: (0.0, "") for kind in LIMITS}
    for name, value in theirs.items():
        if name == "loss":
            kind, error = "loss", difference(ours[name], value)
        elif name in gradients:
            tiny = np.linalg.norm(value.ravel()) < NOISE * whole
            kind, error = "gradients", difference(ours[name], value, whole if tiny else 0.0)
        elif name in weights:
            kind, error = "parameters", difference(ours[name], value)
            gradient = theirs.get("grad." + name)  # running statistics have none
            if gradient is not None and np.linalg.norm(gradient.ravel()) < NOISE * whole:
                far = np.abs(ours[name].ravel() - weights[name].ravel()).max()
                error = 0.0 if far <= reach else far
        else:
            kind, error = "outputs", difference(ours[name], value)
        if not error <= result[kind][0]:  # also when it is NaN
            result[kind] = (float(error), name)
    return result


def compare(name, options, folder):
    """Errors of the native program and of the interpreter, by kind."""
    rng = np.random.default_rng(options.seed)
    folder.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).resolve().parent  # a few that are only here
    source = next(path for path in (options.folder / f"{name}.rank", here / f"{name}.rank")
                  if path.exists())
    text = source.read_text(encoding="utf-8")
    description = folder / f"{name}.rank"
    description.write_text(with_dense_tables(text), encoding="utf-8")
    run(options.rankc, "build", description, "-o", folder, *options.build.split())
    start, batch, out = folder / "start.st", folder / "batch.st", folder / "out.st"
    run(folder / name, "init", "--save", start)
    weights, model = disturbed(start, rng), MODELS[name]()
    inputs = model.random(rng, options.batch)
    st.save(batch, inputs)
    theirs = with_torch(model, weights, inputs, options.steps)
    reach = 1.5 * model.optimizer(list(model.parameters())).defaults["lr"] * options.steps
    files = ("--load", start, "--batch", batch, "--steps", options.steps, "--out", out)
    run(folder / name, "step", *files)
    results = {"native": worst(st.load(out)[0], theirs, weights, reach)}
    if not options.no_interpret:
        run(options.rankc, "interpret", description, *files)
        results["interpreter"] = worst(st.load(out)[0], theirs, weights, reach)
    return results


def table(rows, markdown):
    head = ["model", "backend", *LIMITS, "verdict"]
    if markdown:
        print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for row in rows:
            print("| " + " | ".join(row) + " |")
        return
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main():
    options = arguments()
    options.rankc = Path(options.rankc).resolve()
    torch.set_num_threads(1)
    rows, failures = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.models or MODELS:
            try:
                results = compare(name, options, (options.keep or Path(temporary)) / name)
            except (RuntimeError, OSError, ValueError) as error:
                failures.append(f"{name}: {error}")
                rows.append([name, "", *[""] * len(LIMITS), "FAILED"])
                continue
            for backend, errors in results.items():
                wrong = [kind for kind, limit in LIMITS.items() if not errors[kind][0] <= limit]
                failures += [f"{name}, {backend}: {kind} differ by {errors[kind][0]:.2e}, most in "
                             f"{errors[kind][1]}" for kind in wrong]
                rows.append([name, backend, *[f"{errors[kind][0]:.1e}" for kind in LIMITS],
                             "FAILED" if wrong else "ok"])
    table(rows, options.markdown)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
