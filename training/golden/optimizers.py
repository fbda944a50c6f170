"""Golden steps of the embedding optimizers: python3 training/golden/optimizers.py > training/golden/optimizers.json (needs NumPy)"""
import json

import numpy as np

random = np.random.default_rng(3)
rows, size, rate = 8, 3, 0.05
start = random.normal(0, 0.5, (rows, size))
counts = np.array([4, 0, 1, 10, 2, 100, 7, 3.0])
# Row 7 is never touched; in the third step row 2 alone is; gradients of 0 occur.
batches = [[2, 3, 2, 2, 5, 0], [1, 1, 6], [2], [5, 4, 3, 0, 0, 6, 2]]
batches = [(ids, random.normal(0, 1, (len(ids), size))) for ids in batches]
batches[1][1][2] = 0


def summed(ids, gradients):
    total = np.zeros((rows, size))
    np.add.at(total, ids, gradients)
    return total


def lazy_adam(l2, b1=0.9, b2=0.999, eps=1e-8):
    w, m, v = start.copy(), np.zeros((rows, size)), np.zeros((rows, size))
    for t, (ids, gradients) in enumerate(batches, 1):
        g = summed(ids, gradients)
        for row in sorted(set(ids)):
            d = g[row] + l2 / max(1, counts[row]) * w[row]
            m[row] = b1 * m[row] + (1 - b1) * d
            v[row] = b2 * v[row] + (1 - b2) * d * d
            w[row] -= rate * (m[row] / (1 - b1**t)) / (np.sqrt(v[row] / (1 - b2**t)) + eps)
    return {"weights": w.tolist(), "means": m.tolist(), "squares": v.tolist()}


def rowwise_adagrad(l2, eps=1e-10):
    w, v = start.copy(), np.zeros(rows)
    for ids, gradients in batches:
        g = summed(ids, gradients)
        for row in sorted(set(ids)):
            d = g[row] + l2 / max(1, counts[row]) * w[row]
            v[row] += np.mean(d * d)
            w[row] -= rate * d / (np.sqrt(v[row]) + eps)
    return {"weights": w.tolist(), "squares": v.tolist()}


def adam(b1=0.9, b2=0.999, eps=1e-8):
    w, m, v = start.ravel().copy(), 0.0, 0.0
    for t, (ids, gradients) in enumerate(batches, 1):
        g = summed(ids, gradients).ravel()
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        w -= rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return {"weights": w.tolist(), "means": m.tolist(), "squares": v.tolist()}


print(json.dumps({
    "rows": rows, "size": size, "rate": rate, "start": start.tolist(), "counts": counts.tolist(),
    "batches": [{"ids": ids, "gradients": g.tolist()} for ids, g in batches],
    "dense": adam(),
    "adam": {str(l2): lazy_adam(l2) for l2 in (0, 0.3)},
    "adagrad": {str(l2): rowwise_adagrad(l2) for l2 in (0, 0.3)},
}))
