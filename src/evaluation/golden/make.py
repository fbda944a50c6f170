"""Golden values for src/evaluation, in float64 NumPy, written from the definitions and apart from the code under test.

python3 make.py > metrics.json      needs numpy; scikit-learn, where installed, cross-checks AUC, log loss and isotonic regression
"""
import json
import numpy as np

rng = np.random.default_rng(20220425)
rows, users = 240, 23
group = rng.integers(0, users, rows)
# Two decimals, so that ties abound.
score = np.round(1 / (1 + np.exp(-rng.normal(-0.7, 1.2, rows))), 2).clip(0.01, 0.99)
label = (rng.random(rows) < score**1.3).astype(int)
weight = np.round(rng.exponential(1.0, rows), 3)


def auc(s, y, w):
    """By definition, over all pairs."""
    pos, neg = y == 1, y == 0
    if not pos.any() or not neg.any():
        return None
    d = s[pos][:, None] - s[neg][None, :]
    wins = (d > 0) + 0.5 * (d == 0)
    pair = w[pos][:, None] * w[neg][None, :]
    return float((wins * pair).sum() / pair.sum())


def gauc(s, y, g, w):
    top = covered = 0.0
    for u in np.unique(g):
        at = g == u
        a = auc(s[at], y[at], w[at])
        if a is not None:
            top += a * w[at].sum()
            covered += w[at].sum()
    return top / covered, covered / w.sum()


def log_loss(p, y, w):
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return float(np.average(-(y * np.log(p) + (1 - y) * np.log(1 - p)), weights=w))


def bins(p, y, w, count):
    """Equal-frequency bins over the distinct predictions: one closes once the weight so far reaches the next k/count."""
    values = np.unique(p)
    total, before, out, held = w.sum(), 0.0, [], []
    for v in values:
        held.append(v)
        at = np.isin(p, held)
        cut = np.floor(before * count / total) + 1
        if (before + w[at].sum()) * count >= cut * total or v == values[-1]:
            out.append((int(at.sum()), float(w[at].sum()), float(np.average(p[at], weights=w[at])), float(np.average(y[at], weights=w[at]))))
            before += w[at].sum()
            held = []
    return out


def ece(p, y, w, count):
    b = bins(p, y, w, count)
    return sum(x[1] * abs(x[2] - x[3]) for x in b) / sum(x[1] for x in b)


def pav(v, w):
    """Min-max formula of isotonic regression: max over a ≤ i of min over b ≥ i of the mean of v[a..b]."""
    n = len(v)
    mean = lambda a, b: float(np.average(v[a : b + 1], weights=w[a : b + 1]))
    return [max(min(mean(a, b) for b in range(i, n)) for a in range(i + 1)) for i in range(n)]


def field_rce(p, y, f):
    top = total = 0.0
    for u in np.unique(f):
        at = f == u
        if y[at].sum() > 0:
            top += at.sum() * abs((y[at] - p[at]).sum()) / y[at].sum()
            total += at.sum()
    return top / total


def all_metrics(w):
    rate = float(np.average(label, weights=w))
    constant = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    g, coverage = gauc(score, label, group, w)
    loss = log_loss(score, label, w)
    return {
        "rows": rows, "positives": int(label.sum()), "auc": auc(score, label, w), "gauc": g, "gaucCoverage": coverage,
        "logLoss": loss, "constantLogLoss": float(constant), "normalizedEntropy": float(loss / constant),
        "pcoc": float(np.average(score, weights=w) / rate), "ece": ece(score, label, w, 20),
    }


ones = np.ones(rows)
pav_values, pav_weights = np.round(np.sort(rng.random(30)) + rng.normal(0, 0.2, 30), 3), np.round(rng.exponential(1, 30) + 0.1, 3)
out = {
    "score": score.tolist(), "label": label.tolist(), "group": group.tolist(), "weight": weight.tolist(),
    "unweighted": all_metrics(ones), "weighted": all_metrics(weight),
    "bins7": bins(score, label, ones, 7), "bins7weighted": bins(score, label, weight, 7),
    "fieldRce": field_rce(score, label, group % 5),
    "pav": {"values": pav_values.tolist(), "weights": pav_weights.tolist(), "fitted": pav(pav_values, pav_weights)},
}
try:
    from sklearn.isotonic import isotonic_regression
    from sklearn.metrics import log_loss as sk_log_loss, roc_auc_score
    for w, m in ((ones, out["unweighted"]), (weight, out["weighted"])):
        assert abs(roc_auc_score(label, score, sample_weight=w) - m["auc"]) < 1e-12
        assert abs(sk_log_loss(label, score, sample_weight=w) - m["logLoss"]) < 1e-12
    assert np.allclose(isotonic_regression(pav_values, sample_weight=pav_weights), out["pav"]["fitted"], atol=1e-12)
except ImportError:
    pass
print(json.dumps(out))
