"""Writes ops.json: each op's value and gradients by an independent float64 program (python3 ops.py; needs NumPy).

Inputs are rounded to float32 first. A gradient is the central difference of sum(dy * op(inputs)) in float64.
The losses are computed with 60 decimal digits, so that saturated probabilities are right too.
"""

import json
from decimal import Decimal, getcontext
from pathlib import Path

import numpy as np

getcontext().prec = 400
random = np.random.default_rng(20240607)
sigmoid = lambda z: 1 / (1 + np.exp(-z))
ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": sigmoid,
    "doubleSigmoid": lambda z: 2 * sigmoid(z),
}


def gradients(op, inputs, dy, step=1e-5):
    result = []
    for i, x in enumerate(inputs):
        grad = np.zeros_like(x)
        for at in np.ndindex(*x.shape):
            sides = []
            for sign in (1, -1):
                moved = [y.copy() for y in inputs]
                moved[i][at] += sign * step
                sides.append(np.sum(dy * op(*moved)))
            grad[at] = (sides[0] - sides[1]) / (2 * step)
        result.append(grad)
    return result


cases = []


def case(op_name, attrs, op, *shapes):
    draw = lambda shape: random.normal(size=shape) if isinstance(shape, tuple) else shape
    inputs = [draw(shape).astype(np.float32).astype(np.float64) for shape in shapes]
    value = op(*inputs)
    dy = random.normal(size=value.shape).astype(np.float32).astype(np.float64)
    pack = lambda x: {"shape": list(x.shape), "values": [float(f"{v:.9g}") for v in x.ravel()]}
    cases.append(
        {
            "op": op_name,
            "attrs": attrs,
            "inputs": [pack(x) for x in inputs],
            "value": pack(value),
            "dy": pack(dy),
            "gradients": [pack(g) for g in gradients(op, inputs, dy)],
        }
    )


def by_field(x, sizes):
    return np.split(x, np.cumsum(sizes)[:-1], axis=1)


def pairs(x, fields, dim):
    e = x.reshape(len(x), fields, dim)
    return np.stack([np.sum(e[:, i] * e[:, j], 1) for i in range(fields) for j in range(i + 1, fields)], 1)


for name, act in ACTIVATIONS.items():
    case("dense", {"activation": name, "bias": True}, lambda x, w, b: act(x @ w + b), (3, 5), (5, 4), (4,))
case("dense", {"activation": "relu", "bias": False}, lambda x, w: np.maximum(x @ w, 0), (17, 3), (3, 2))
case("dense", {"activation": "linear", "bias": True}, lambda x, w, b: x @ w + b, (1, 4), (4, 1), (1,))
for sizes in ([4, 4, 4], [2, 5, 1], [3]):
    width, fields = sum(sizes), len(sizes)
    means = lambda x: np.stack([part.mean(1) for part in by_field(x, sizes)], 1)
    case("fieldMeans", {"sizes": sizes}, means, (3, width))
    scale = lambda x, a: np.concatenate([part * a[:, [f]] for f, part in enumerate(by_field(x, sizes))], 1)
    case("scaleFields", {"sizes": sizes}, scale, (3, width), (3, fields))
for fields, dim in ((4, 3), (2, 1)):
    case("inner", {"fields": fields, "dim": dim}, lambda x: pairs(x, fields, dim), (3, fields * dim))
    case("fm", {"fields": fields, "dim": dim}, lambda x: pairs(x, fields, dim).sum(1, keepdims=True), (3, fields * dim))
case("crossFull", {}, lambda x0, x, w, b: x0 * (x @ w + b) + x, (3, 4), (3, 4), (4, 4), (4,))
case("crossLowRank", {}, lambda x0, x, v, u, b: x0 * (x @ v @ u + b) + x, (3, 4), (3, 4), (4, 2), (2, 4), (4,))
case("concat", {}, lambda *xs: np.concatenate(xs, 1), (3, 2), (3, 1), (3, 4))
case("add", {}, lambda a, b: a + b, (3, 4), (3, 4))
case("add", {}, lambda a, b: a + b, (3, 4), (1, 4))
case("multiply", {}, lambda a, b: a * b, (3, 4), (3, 4))
case("multiply", {}, lambda a, b: a * b, (1, 4), (3, 4))
case("sumWidth", {}, lambda x: x.sum(1, keepdims=True), (3, 5))
case("addBias", {}, lambda x, b: x + b, (3, 2), (2,))
case("softmax", {}, lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True), (3, 4))


def there(k):
    return k[:, :, -1:] > 0.5  # so that a step of the differences makes no event


def attend(k, q, wk, length, weights):
    k = k.reshape(len(k), length, -1)
    s = np.einsum("rls,su,ru->rl", k, wk, q)[:, :, None] / np.sqrt(wk.shape[1])
    if weights == "sigmoid":
        a = np.where(there(k), sigmoid(s), 0)
    else:
        e = np.where(there(k), np.exp(s), 0)
        a = e / np.maximum(e.sum(1, keepdims=True), 1e-300)
    return np.sum(a * k, 1)


def pool(k, length, mode):
    k = k.reshape(len(k), length, -1)
    if mode == "last":
        return np.where(there(k)[:, 0], k[:, 0], 0)
    return np.sum(np.where(there(k), k, 0), 1) / np.maximum(there(k).sum(1), 1)


def events(rows, length, size):
    """Events whose last number is 1; the second row has none, the third one, with a gap before it."""
    k = random.normal(size=(rows, length, size))
    k[:, :, -1] = 1
    k[1] = 0
    k[2, [i for i in range(length) if i != 1]] = 0
    return k.reshape(rows, length * size)


for weights in ("softmax", "sigmoid"):
    run = lambda k, q, wk: attend(k, q, wk, 4, weights)
    case("attend", {"length": 4, "weights": weights}, run, events(5, 4, 3), (5, 2), (3, 2))
for mode in ("mean", "last"):
    case("pool", {"length": 4, "mode": mode}, lambda k: pool(k, 4, mode), events(5, 4, 3))


def loss_of(logits, label):
    """-y ln p - (1 - y) ln(1 - p), p the product of the sigmoids, and its gradient."""
    one = Decimal(1)
    gates = [one / (one + (-Decimal(z)).exp()) for z in logits]
    p = one
    for gate in gates:
        p *= gate
    y = Decimal(label)
    loss = -(y * p.ln() if y > 0 else 0) - ((one - y) * (one - p).ln() if y < 1 else 0)
    return float(loss), [float((one - gate) * (p - y) / (one - p)) for gate in gates]


losses = []
for heads in (1, 2, 3):
    rows = [list(map(float, row)) for row in random.normal(scale=3, size=(6, heads)).astype(np.float32)]
    rows += [[z] * heads for z in (-100.0, -20.0, 0.0, 20.0, 100.0)] + [[90.0] + [-90.0] * (heads - 1)]
    labels = [float(i % 2) for i in range(len(rows) - 2)] + [0.25, 0.75]
    for swap in (False, True):
        marks = [1 - y for y in labels] if swap else labels
        results = [loss_of(z, y) for z, y in zip(rows, marks)]
        losses.append(
            {"logits": rows, "labels": marks, "loss": [r[0] for r in results], "gradients": [r[1] for r in results]}
        )

Path(__file__).with_name("ops.json").write_text(json.dumps({"cases": cases, "losses": losses}, separators=(",", ":")))
