"""Golden values of src/creative/decayEffects.ts and rateRatio.ts, in float64 NumPy and SciPy: the mode of the posterior by Newton on its numerically
differentiated logarithm, the expected information there, and binomial tails.

python3 decay.py > decay.json
"""
import json
import numpy as np
from scipy.optimize import minimize
from scipy.stats import binom

rng = np.random.default_rng(1954)
windows = 20
start = np.arange(windows) * 86_400_000.0
exposures = np.round(rng.uniform(500, 3000, windows), 1)
frequency = np.round(np.cumsum(rng.uniform(0, 0.5, windows)) * rng.uniform(0.2, 1.8, windows), 2)
x = np.stack([np.ones(windows), -np.log1p(np.arange(windows)), -np.log1p(frequency)], 1)
p = 1 / (1 + np.exp(-(x @ [-2.0, 0.15, 0.3])))
clicks = rng.poisson(exposures * p).astype(float)


def posterior(columns, dispersion):
    z = x[:, columns]
    rate = clicks.sum() / exposures.sum()
    centre = np.zeros(len(columns))
    centre[0] = np.log(rate / (1 - rate))
    precision = np.array([1 / 9] + [1.0] * (len(columns) - 1))

    def minus(theta):
        mean = exposures / (1 + np.exp(-(z @ theta)))
        return -(clicks * np.log(mean) - mean).sum() / dispersion + 0.5 * (precision * (theta - centre) ** 2).sum()

    best = minimize(minus, centre, method="BFGS", options={"gtol": 1e-9}).x
    best = minimize(minus, best, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 20000}).x
    q = 1 / (1 + np.exp(-(z @ best)))
    info = (z * (exposures * q * (1 - q) ** 2 / dispersion)[:, None]).T @ z + np.diag(precision)
    return {"strengths": best[1:].tolist(), "errors": np.sqrt(np.diag(np.linalg.inv(info)))[1:].tolist()}


tails = []
for now, then, e_now, e_then, ratio in [(3, 20, 100, 400, 1), (60, 140, 1500, 2100, 0.8), (0, 9, 50, 60, 0.5), (900, 1000, 1e4, 9e3, 0.8)]:
    share = ratio * e_now / (ratio * e_now + e_then)
    n = now + then
    tails.append([now, e_now, then, e_then, ratio, float(binom.cdf(now, n, share)), float(binom.sf(now - 1, n, share))])
print(
    json.dumps(
        {
            "startMs": start.tolist(),
            "exposures": exposures.tolist(),
            "clicks": clicks.tolist(),
            "frequency": frequency.tolist(),
            "both": posterior([0, 1, 2], 1.0),
            "ageAlone": posterior([0, 1], 2.5),
            "tails": tails,
        }
    )
)
