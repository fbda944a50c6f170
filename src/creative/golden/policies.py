"""Golden values of what policies make of counts, in float64 NumPy, from the definitions and apart from the code under test.

python3 policies.py > policies.json
"""
import json
import math
import numpy as np

rng = np.random.default_rng(20020501)


def kl(p, q):
    part = p * math.log(p / q) if p > 0 else 0.0
    return part + ((1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0)


def kl_bound(p, most):
    """The root by Newton's method from above, where the divergence is convex and rising."""
    q = 1 - 1e-15
    for _ in range(500):
        step = (kl(p, q) - most) / ((q - p) / (q * (1 - q)))
        q -= step
        if q <= p:
            q = p + (q + step - p) / 2
        if abs(step) < 1e-17:
            break
    return q


def best_of(arms):
    """P(each arm's slope·θ + intercept is the highest): over a fine grid of the logit of θ."""
    x = np.linspace(-40, 40, 2_000_001)
    logs = -np.log1p(np.exp(-x)), -np.log1p(np.exp(x))
    grid = np.exp(logs[0])
    densities, cumulated = [], []  # of x, the logit that the grid is even in
    for a, b, _, _ in arms:
        d = np.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * logs[0] + b * logs[1])
        d /= d.sum()
        densities.append(d)
        cumulated.append(np.cumsum(d) - d / 2)
    shares = []
    for i, (_, _, s, t) in enumerate(arms):
        product = densities[i].copy()
        for j, (_, _, u, v) in enumerate(arms):
            if j != i:
                product *= np.interp((s * grid + t - v) / u, grid, cumulated[j], left=0, right=1)
        shares.append(float(product.sum()))
    assert abs(sum(shares) - 1) < 1e-5, shares
    return [x / sum(shares) for x in shares]


def posterior(exposures, clicks, prior, kappa):
    """The ad's rate by credibility, three rounds; then each arm's Gamma posterior."""
    n, c = np.array(exposures, float), np.array(clicks, float)
    rate = (c.sum() + prior[0]) / (n.sum() + prior[1])
    for _ in range(3):
        z = n / (n + kappa / rate)
        rates = np.divide(c, n, out=np.zeros_like(c), where=n > 0)
        rate = float((z @ rates + prior[0] / kappa * (prior[0] / prior[1])) / (z.sum() + prior[0] / kappa))
    mean = (c + kappa) / (n + kappa / rate)
    return rate, mean.tolist(), (np.sqrt(c + kappa) / (n + kappa / rate)).tolist()


def loss(means, deviations):
    """Expected gain of each other arm over the one that leads, of normal rates, by the trapezoid rule."""
    best = int(np.argmax(means))
    total = 0.0
    for i, (m, s) in enumerate(zip(means, deviations)):
        if i == best:
            continue
        spread = math.hypot(s, deviations[best])
        x = np.linspace(0, m - means[best] + 12 * spread, 400_001) if m - means[best] + 12 * spread > 0 else np.zeros(2)
        f = x * np.exp(-(((x - m + means[best]) / spread) ** 2) / 2) / (spread * math.sqrt(2 * math.pi))
        total += float(((f[1:] + f[:-1]) / 2 * np.diff(x)).sum())
    return total / means[best]


kl_cases = [(p, most) for p in (0.0, 0.001, 0.0155, 0.3, 1.0) for most in (1e-5, 0.003, 0.7)]
betas = [
    [(1, 1, 1, 0), (1, 1, 1, 0)],
    [(1.9, 125.6, 1, 0), (1.9, 125.6, 1, 0), (1.9, 125.6, 1, 0)],
    [(62.9, 3571.6, 1, 0), (48.9, 3400.6, 1, 0), (1.9, 125.6, 1, 0), (11.9, 900.6, 1, 0)],
    [(1, 1, 1, 0), (31, 2100, 1, 0), (41, 2100, 1, 0), (35, 2000, 1, 0), (2, 60, 1, 0)],
    [(3001, 200000, 1, 0), (3050, 200000, 1, 0)],
    [(20, 900, 60, 0.1), (24, 900, 45, 0.3), (15, 900, 70, -0.1)],
]
ads = [
    ([0, 0, 0], [0, 0, 0]),
    ([1200, 0, 300], [25, 0, 2]),
    ([5000, 4800.5, 700.25, 650], [80, 110, 9, 14]),
]
prior, kappa = (1.5, 100), 12
out = {
    "klBounds": [{"p": p, "most": most, "bound": 1.0 if p == 1 else kl_bound(p, most)} for p, most in kl_cases],
    "bestOfBetas": [{"arms": arms, "shares": best_of(arms)} for arms in betas],
    "ads": [],
}
for exposures, clicks in ads:
    rate, means, deviations = posterior(exposures, clicks, prior, kappa)
    out["ads"].append(
        {"exposures": exposures, "clicks": clicks, "rate": rate, "means": means, "deviations": deviations, "loss": loss(means, deviations)}
    )

# A linear rate by context: contexts of exposures and clicks, one arm.
size, mean, weight = 3, 0.02, 600.0
A, b = weight * np.eye(size), weight * mean * np.ones(size)
seen = []
for _ in range(6):
    x = np.round(rng.dirichlet(np.ones(size)), 3)
    n, c = int(rng.integers(50, 500)), int(rng.integers(0, 20))
    A += n * np.outer(x, x)
    b += c * x
    seen.append({"context": x.tolist(), "exposures": n, "clicks": c})
asked = [0.2, 0.5, 0.3]
inverse = np.linalg.inv(A)
out["contexts"] = {
    "mean": mean,
    "weight": weight,
    "seen": seen,
    "asked": asked,
    "rate": float(inverse @ b @ np.array(asked)),
    "variance": float(np.array(asked) @ inverse @ np.array(asked)),
}
print(json.dumps(out))
