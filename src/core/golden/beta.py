"""Golden values of src/core/beta.ts by SciPy.

python3 beta.py > beta.json
"""
import json
import numpy as np
from scipy.special import betainc, gammaln

rng = np.random.default_rng(1992)
gammas = [1e-8, 0.1, 0.5, 1, 1.5, 2, 3.3, 10, 123.456, 1e4, 1e8]
cases = []
for scale in [0.3, 3, 30, 3000, 3e6]:
    for _ in range(12):
        a, b = float(scale * rng.random()), float(scale * rng.random())
        mean, sd = a / (a + b), np.sqrt(a * b / (a + b) ** 2 / (a + b + 1))
        x = float(np.clip(mean + sd * rng.normal() * 2, 0.001, 0.999))
        cases.append([x, a, b, float(betainc(a, b, x))])
print(json.dumps({"lnGamma": [[x, float(gammaln(x))] for x in gammas], "betaCdf": cases}))
