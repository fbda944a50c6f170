"""Golden statistics of standardised vectors: python3 src/schema/golden/vectorFields.py > src/schema/golden/vectorFields.json"""
import json
import math
import random

random.seed(7)
rows = [[random.gauss(3, 2), random.lognormvariate(4, 2), 1e6 + random.random(), 0.1] for _ in range(60)]
for r in range(0, 60, 7):
    rows[r] = None
rows[3][1] = None

means, deviations = [], []
for i in range(4):
    present = [row[i] for row in rows if row is not None and row[i] is not None]
    mean = math.fsum(present) / len(present)
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in present) / len(present))
    means.append(mean)
    deviations.append(deviation if deviation > 1e-12 else 1.0)


def standardised(row, clip):
    """The mean stands for a missing number."""
    row = row or [None] * 4
    return [0 if x is None else max(-clip, min(clip, (x - m) / d)) for x, m, d in zip(row, means, deviations)]


cases = [{"clip": clip, "standardised": [standardised(row, clip) for row in rows]} for clip in (4, 1.5)]
print(json.dumps({"rows": rows, "means": means, "deviations": deviations, "cases": cases}))
