"""Golden values of Kendall's tau-b, over all pairs by definition, in NumPy; SciPy, where installed, checks them.

python3 kendall.py > kendall.json
"""
import json
import numpy as np

rng = np.random.default_rng(1966)


def tau(x, y):
    i, j = np.triu_indices(len(x), 1)
    dx, dy = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
    return float((dx * dy).sum() / np.sqrt((dx**2).sum() * (dy**2).sum()))


cases = []
for n, levels, slope in [(2, 0, 1), (7, 0, -1), (50, 5, 0.5), (333, 0, 0.7), (333, 40, -0.3), (1000, 3, 0.1)]:
    x = rng.normal(size=n)
    y = slope * x + rng.normal(size=n)
    if levels:
        x, y = np.floor(x * levels / 4), np.floor(y * levels / 4)
    cases.append({"x": np.round(x, 6).tolist(), "y": np.round(y, 6).tolist()})
for case in cases:
    case["tau"] = tau(np.array(case["x"]), np.array(case["y"]))
    try:
        from scipy.stats import kendalltau

        assert abs(kendalltau(case["x"], case["y"]).statistic - case["tau"]) < 1e-12
    except ImportError:
        pass
print(json.dumps(cases))
