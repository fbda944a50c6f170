"""Golden values of listwise distillation, in float64: python3 listCrossEntropy.py > listCrossEntropy.json"""

import json

import numpy as np

rng = np.random.default_rng(7)
offsets = [0, 3, 4, 9]
logits = rng.normal(0, 2, 9).astype(np.float32).astype(np.float64)
teacher = rng.normal(0, 3, 9).astype(np.float32).astype(np.float64)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


cases = []
for temperature, scale in [(1.0, 1.0), (2.5, 0.25)]:
    loss, gradient = 0.0, []
    for a, b in zip(offsets, offsets[1:]):
        p, q = softmax(teacher[a:b] / temperature), softmax(logits[a:b] / temperature)
        loss += scale * temperature**2 * float(np.sum(p * np.log(p / q)))
        gradient += (scale * temperature * (q - p)).tolist()
    cases.append({"temperature": temperature, "scale": scale, "loss": loss, "gradient": gradient})
print(json.dumps({"offsets": offsets, "logits": logits.tolist(), "teacher": teacher.tolist(), "cases": cases}, indent=2))
