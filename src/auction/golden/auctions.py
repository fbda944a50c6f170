"""Writes auctions.json: random auctions worked out in float64 with NumPy, a candidate at a time, by sorting all.

    python3 auctions.py > auctions.json
"""
import json
import math

import numpy as np

TYPES = ["cpm", "cpc", "cpe", "cpa", "ocpm"]
rng = np.random.default_rng(20240501)


def per_mille(kind, ctr, cvr, eng):
    return {"cpm": 1.0, "cpc": 1000 * ctr, "cpe": 1000 * eng, "cpa": 1000 * ctr * cvr, "ocpm": 1000 * ctr * cvr}[kind]


def auction(count, slots):
    kinds = rng.choice(TYPES, count).tolist()
    ctr = rng.beta(2, 30, count)
    cvr = rng.beta(2, 20, count)
    eng = rng.beta(2, 15, count)
    quality = np.exp(rng.normal(0, 0.3, count))
    typical = {"cpm": 4e6, "cpc": 6e4, "cpe": 4e4, "cpa": 7e5, "ocpm": 7e5}
    bids = [int(typical[k] * math.exp(rng.normal(0, 0.8))) for k in kinds]
    reserve = int(rng.integers(0, 4_000_000))
    ecpm = [bids[i] * per_mille(kinds[i], ctr[i], cvr[i], eng[i]) for i in range(count)]
    score = np.array(ecpm) * quality
    ranking = [int(i) for i in np.argsort(-score, kind="stable") if score[i] >= reserve]
    won = []
    for place, i in enumerate(ranking[:slots]):
        following = float(score[ranking[place + 1]]) if place + 1 < len(ranking) else 0.0
        price_ecpm = max(following, reserve) / quality[i]
        charged = 1.0 if kinds[i] in ("cpm", "ocpm") else per_mille(kinds[i], ctr[i], cvr[i], eng[i])
        ceiling = ecpm[i] if kinds[i] == "ocpm" else bids[i]
        price = min(math.floor(price_ecpm / charged) + 1, math.floor(ceiling))
        won.append({"candidate": i, "eCpmMicros": ecpm[i], "score": float(score[i]), "priceMicros": price})
    return {
        "slots": slots, "reserve": reserve, "bidType": kinds, "bidMicros": bids, "pCtr": ctr.tolist(), "pCvr": cvr.tolist(),
        "pEngagement": eng.tolist(), "quality": quality.tolist(), "won": won,
    }


print(json.dumps([auction(c, s) for c, s in [(1, 1), (2, 5), (3, 2), (8, 3), (20, 4), (20, 20), (60, 10)]], indent=1))
