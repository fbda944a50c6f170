"""Golden values for src/evaluation/ope.ts and rewardModel.ts, in float64 NumPy, written from the papers' formulas by sums over rows.

python3 ope.py > ope.json      needs numpy
"""
import json
import numpy as np

rng = np.random.default_rng(18)
rows, actions, contexts = 400, 5, 3
logging = rng.dirichlet(np.ones(actions), contexts).round(3)
logging[:, -1] = 1 - logging[:, :-1].sum(1)
logging = np.maximum(logging, 0.004)
logging /= logging.sum(1, keepdims=True)
target = rng.dirichlet(np.ones(actions), contexts)
truth = rng.uniform(0.01, 0.2, (contexts, actions))
context = rng.integers(0, contexts, rows)
action = np.array([rng.choice(actions, p=logging[c]) for c in context])
reward = (rng.random(rows) < truth[context, action]).astype(float)
unit = np.arange(rows) // 2

p = logging[context, action]
pi = target[context, action]
w = pi / p


def mix32(h):
    """murmur3's finaliser."""
    h ^= h >> 16
    h = h * 0x85EBCA6B & 0xFFFFFFFF
    h ^= h >> 13
    h = h * 0xC2B2AE35 & 0xFFFFFFFF
    return h ^ h >> 16


def shrink(n, s, prior, variance):
    """Random effects: between-group variance by moments, priors scaled to the groups' weighted mean, then posterior means."""
    seen = n > 0
    mean = np.divide(s, n, out=np.zeros_like(s), where=seen)
    total = n.sum()
    between = ((n * (mean - prior) ** 2)[seen].sum() - (seen.sum() - 1) * variance) / (total - (n**2).sum() / total)
    if not between > 0:
        return prior * s.sum() / (n * prior).sum()
    weight = 1 / (between + variance / n[seen])
    scale = (weight * mean[seen]).sum() / (weight * prior[seen]).sum()
    m = variance / between
    return (s + m * prior * scale) / (n + m)


def fit(at):
    n = np.zeros((contexts, actions))
    s = np.zeros((contexts, actions))
    np.add.at(n, (context[at], action[at]), 1)
    np.add.at(s, (context[at], action[at]), reward[at])
    mean = reward[at].mean()
    variance = (reward[at] ** 2).mean() - mean**2
    by_action = shrink(n.sum(0), s.sum(0), np.full(actions, mean), variance)
    by_context = shrink(n.sum(1), s.sum(1), np.full(contexts, mean), variance)
    prior = by_action[None, :] * by_context[:, None] / mean
    return shrink(n.ravel(), s.ravel(), prior.ravel(), variance).reshape(contexts, actions)


half = np.array([mix32(int(u)) & 1 for u in unit])
logged = np.zeros(rows)
expected = np.zeros(rows)
for h in (0, 1):
    q = fit(half != h)
    at = half == h
    logged[at] = q[context[at], action[at]]
    expected[at] = (target * q).sum(1)[context[at]]


def ads():
    """A log of three ads of 2 positions x 3 creatives, 1 x 4 and 3 x 2, whose rates are far apart."""
    rng = np.random.default_rng(5)
    ad_of, context_of, action_of = [], [], []
    for ad, (positions, creatives) in enumerate([(2, 3), (1, 4), (3, 2)]):
        first_context, first_action = max(context_of, default=-1) + 1, max(action_of, default=-1) + 1
        for position in range(positions):
            for creative in range(creatives):
                ad_of.append(ad)
                context_of.append(first_context + position)
                action_of.append(first_action + creative)
    ad_of, context_of, action_of = (np.array(a) for a in (ad_of, context_of, action_of))
    share = rng.uniform(0.1, 1, len(ad_of))
    share /= np.bincount(context_of, share)[context_of]
    rate = np.array([0.3, 0.05, 0.6])[ad_of] * rng.uniform(0.3, 1.6, action_of.max() + 1)[action_of]
    cell = rng.integers(0, len(ad_of), 600)
    reward = (rng.random(600) < rate[cell]).astype(float)

    def fit(at):
        y = reward[at]
        mean, variance = y.mean(), y.var()

        def by(group, prior):
            n = np.bincount(group[cell[at]], minlength=group.max() + 1).astype(float)
            s = np.bincount(group[cell[at]], y, minlength=group.max() + 1)
            ofgroup = np.array([prior[group == g][0] for g in range(group.max() + 1)])
            return shrink(n, s, ofgroup, variance)[group]

        of_ad = by(ad_of, np.full(len(ad_of), mean))
        return by(np.arange(len(ad_of)), by(action_of, of_ad) * by(context_of, of_ad) / of_ad)

    half = np.array([mix32(i) & 1 for i in range(600)])
    q = [fit(half != h) for h in (0, 1)]
    logged = [q[h][c] for h, c in zip(half, cell)]
    expected = [np.bincount(context_of, share * q[h])[context_of[c]] for h, c in zip(half, cell)]
    return {
        "ads": ad_of.tolist(), "contexts": context_of.tolist(), "actions": action_of.tolist(), "shares": share.tolist(),
        "cells": cell.tolist(), "rewards": reward.tolist(), "logged": logged, "target": expected,
    }


tau = 1.5
switched = w * (w <= tau)

# The threshold of least bound, rewards at the model's rates, scaled to the clicks there were.
rate = np.minimum(1, logged * reward.sum() / logged.sum())
bound = np.abs(logged).max() + 2 * np.sqrt(reward.var() / rows)
best = (np.inf, None)
for quantile in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1):
    t = np.sort(w)[int(np.ceil(quantile * rows)) - 1]
    kept = w * (w <= t)
    y0 = expected - kept * logged
    y1 = y0 + kept
    mean = ((1 - rate) * y0 + rate * y1).mean()
    second = ((1 - rate) * y0**2 + rate * y1**2).mean()
    error = (second - mean**2) / rows + (bound * (w * (w > t)).mean()) ** 2
    if error <= best[0]:
        best = (error, t)

print(json.dumps({
    "rewards": reward.tolist(), "actions": action.tolist(), "contexts": context.tolist(), "units": unit.tolist(),
    "propensities": p.tolist(), "targetProbabilities": pi.tolist(), "target": target.ravel().tolist(), "actionCount": actions,
    "predictionsLogged": logged.tolist(), "predictionsTarget": expected.tolist(),
    "effectiveSampleSize": w.sum() ** 2 / (w**2).sum(), "weightMax": w.max(), "weightMean": w.mean(),
    "ads": ads(),
    "switchAbove": tau, "chosenThreshold": best[1],
    "estimates": {
        "ips": (w * reward).mean(),
        "snips": (w * reward).sum() / w.sum(),
        "dm": expected.mean(),
        "dr": (expected + w * (reward - logged)).mean(),
        "switch-dr": (expected + switched * (reward - logged)).mean(),
    },
}))
