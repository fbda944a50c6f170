"""What the serving peers share: the task, its requests, and the orders of the benchmark (benchmarks/against).

A peer is called with a task file; it writes a line of JSON with its device and rows, then an answer for each order that
comes on standard input: {"row", "from", "to", "out"?} -> {"ns": [...]}, the time of each request.
"""
import json
import os
import sys
import time

import numpy as np

# Libraries print to standard output: what they say goes to standard error, and the answers to what was standard output.
_answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


class Task:
    def __init__(self, path):
        with open(path) as file:
            self.__dict__.update(json.load(file))
        self.ones = [field["rows"] == "one" for field in self.fields]
        stride = sum(1 if one else self.candidates for one in self.ones)
        self._requests = np.fromfile(self.requests, dtype=np.int32).reshape(-1, stride)

    def columns(self, request):
        """Each field's ids: [1] or [candidates]."""
        row, at, out = self._requests[request], 0, []
        for one in self.ones:
            count = 1 if one else self.candidates
            out.append(row[at : at + count])
            at += count
        return out

    def matrix(self, request):
        """All fields' ids, [candidates, fields]: the request's repeated for every candidate."""
        return np.stack([np.broadcast_to(ids, self.candidates) for ids in self.columns(request)], axis=1)


def serve(task, device, rows):
    """rows: by name a function that loads it and returns ready(request), which returns run(), which is timed and returns
    each task's probabilities as numpy arrays."""

    def say(value):
        _answers.write(json.dumps(value) + "\n")

    loaded = {}
    say({"device": device, "rows": list(rows)})
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["row"] not in loaded:
                loaded[order["row"]] = rows[order["row"]]()
            ready, ns, kept = loaded[order["row"]], [], []
            for request in range(order["from"], order["to"]):
                run = ready(request)
                start = time.perf_counter_ns()
                answers = run()
                ns.append(time.perf_counter_ns() - start)
                if "out" in order:
                    kept += [np.array(p, dtype=np.float32) for p in answers]
            if "out" in order:
                np.concatenate(kept).tofile(order["out"])
            say({"ns": ns})
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}".split("\n")[0]})


class SenetDnn:
    """The weights of a bundle of architecture senet-dnn as numpy arrays.

    table [all rows, size], offsets [fields]: field f's id i is row offsets[f] + i; gates (w1, b1, w2, b2) with activation
    2σ(x); layers [(w, b)] with relu; heads (w, b), one logit a column; tasks: the columns each is a product of.
    """

    def __init__(self, task):
        with open(os.path.join(task.bundle, "manifest.json")) as file:
            model = json.load(file)["model"]
        weights = _safetensors(os.path.join(task.bundle, "weights.safetensors"))
        steps = {step["output"]: step for step in model["steps"]}
        tables = {}
        for step in model["steps"]:
            if step["op"] == "embed":
                tables.update(zip(step["inputs"], step["tables"]))
        parts = [weights["tables/" + tables[field["name"]]] for field in task.fields]
        self.table = np.concatenate(parts)
        self.offsets = np.cumsum([0] + [len(part) for part in parts[:-1]]).astype(np.int32)
        senet = next(step for step in model["steps"] if step["op"] == "senet")
        assert senet["activation"] == "doubleSigmoid"
        self.gates = [weights[f"{senet['output']}.{name}"] for name in ("w1", "b1", "w2", "b2")]
        logits = [name for t in model["tasks"] for name in t["logits"]]
        logits = sorted(set(logits), key=logits.index)
        hidden = [s for s in model["steps"] if s["op"] == "dense" and s["output"] not in logits]
        assert all(step["activation"] == "relu" for step in hidden)
        self.layers = [(weights[s["output"] + ".w"], weights[s["output"] + ".b"]) for s in hidden]
        assert all(steps[name]["op"] == "dense" for name in logits)
        self.heads = (
            np.concatenate([weights[name + ".w"] for name in logits], axis=1),
            np.concatenate([weights[name + ".b"] for name in logits]),
        )
        self.tasks = [[logits.index(name) for name in t["logits"]] for t in model["tasks"]]


def _safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    return {
        name: np.frombuffer(data[entry["data_offsets"][0] : entry["data_offsets"][1]], np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and not name.endswith(".filler")
    }
