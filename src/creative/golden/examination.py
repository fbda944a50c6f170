"""Golden values of src/creative/examination.ts, in float64 NumPy: the maximum of the joint Poisson likelihood over examination and attraction by the
alternating equations (EM's fixed point, 200,000 rounds), and standard errors from the whole information matrix, of both kinds of parameters.

python3 examination.py > examination.json
"""
import json
import numpy as np

rng = np.random.default_rng(2007)
items, positions = 40, 6
attraction = rng.beta(2, 20, items)
examination = np.exp(-0.35 * np.arange(positions))
# The better an item, the higher it is shown, more or less.
place = np.argsort(np.argsort(-np.log(attraction) + rng.normal(0, 0.8, items))) * positions / items
impressions = np.floor(
    2000 * np.exp(-0.5 * (place[:, None] - np.arange(positions)[None, :]) ** 2) * rng.random((items, positions))
)
clicks = rng.binomial(impressions.astype(int), examination[None, :] * attraction[:, None]).astype(float)

e = np.ones(positions)
for _ in range(200_000):
    a = clicks.sum(1) / (impressions * e).sum(1)
    e = clicks.sum(0) / (impressions * a[:, None]).sum(0)
    e /= e[0]
best = int(np.argmax(e))
e /= e[best]
a = clicks.sum(1) / (impressions * e).sum(1)
# Information of (ln e without the best, ln a): of a Poisson mean mu = n e a.
mu = impressions * e * a[:, None]
free = [s for s in range(positions) if s != best]
clicked = clicks.sum(1) > 0
m = mu[clicked][:, free]
info = np.block([[np.diag(mu[clicked].sum(0)[free]), m.T], [m, np.diag(mu[clicked].sum(1))]])
errors = np.zeros(positions)
errors[free] = np.sqrt(np.diag(np.linalg.inv(info))[: len(free)])
print(
    json.dumps(
        {
            "impressions": impressions.astype(int).tolist(),
            "clicks": clicks.astype(int).tolist(),
            "examination": e.tolist(),
            "ecoi": a.tolist(),
            "standardErrors": errors.tolist(),
        }
    )
)
