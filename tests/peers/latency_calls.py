"""How long calls take: what the peers of latency.py have in common. Needs numpy alone.

Run as a program, it times a model in ONNX Runtime, in whatever Python has that:

    latency_calls.py MODEL.onnx BATCHES.npz SECONDS     prints its first outputs and its times as JSON
"""
import json
import sys
import time


def times(call, batches, seconds):
    """Microseconds of single calls, batches in rotation; the first 0.2 seconds only warm up."""
    taken, i = [], 0
    end = time.perf_counter() + 0.2
    while time.perf_counter() < end or i < 20:
        call(batches[i % len(batches)])
        i += 1
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < 100:
        start = time.perf_counter_ns()
        call(batches[i % len(batches)])
        taken.append((time.perf_counter_ns() - start) / 1000)
        i += 1
    return taken


def main():
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    names = [x.name for x in session.get_inputs()]  # what the outputs do not depend on is gone
    stored = np.load(sys.argv[2])
    count = sum(key.startswith(f"{names[0]}/") for key in stored.files)
    batches = [{name: stored[f"{name}/{i}"] for name in names} for i in range(count)]
    taken = times(lambda batch: session.run(None, batch), batches, float(sys.argv[3]))
    first = session.run(None, batches[0])
    json.dump({"version": ort.__version__, "outputs": [x.tolist() for x in first], "us": taken},
              sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
