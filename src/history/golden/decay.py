"""Golden sums of one user's events: python3 src/history/golden/decay.py > src/history/golden/decay.json (needs NumPy)"""
import json

import numpy as np

random = np.random.default_rng(11)
start, hour, count = 1_700_000_000_000, 3_600_000, 120
times = np.sort(start + random.integers(0, 40 * hour, count))
clicks = random.integers(0, 2, count).astype(float)
plays = np.round(random.normal(20, 30, count), 1)
delay = 60_000
reads = [start + 3 * hour + 7, start + 20 * hour + 123, start + 41 * hour, start + 400 * hour]


def weights(window, now, seen):
    if window == "lifetime":
        return seen.astype(float)
    if "halfLife" in window:
        return seen * np.exp2(-(now - times) / (int(window["halfLife"][:-1]) * hour))
    bucket = int(window["window"][:-1]) * hour / 16
    return seen * (np.floor(times / bucket) > np.floor(now / bucket) - 16)


windows = ["lifetime", {"halfLife": "1h"}, {"halfLife": "24h"}, {"window": "16h"}]
expected = []
for now in reads:
    tick = now // 10_000 * 10_000
    # All events are read as of the tick's start; labels and numbers are known a minute after the impression.
    known_before = times + delay < tick
    prior = (clicks[known_before].sum() + 0.5) / (known_before.sum() + 1)
    mean = plays[known_before].sum() / (known_before.sum() + 1)
    values = []
    for window in windows:
        shown = weights(window, now, times < now)
        known = weights(window, now, times + delay < now)
        values += [
            np.log1p(shown.sum()),
            ((known * clicks).sum() + 5 * prior) / (known.sum() + 5),
            ((known * plays).sum() + 2 * mean) / (known.sum() + 2),
            np.sign((known * plays).sum()) * np.log1p(np.abs((known * plays).sum())),
        ]
    expected.append(values)

print(json.dumps({
    "windows": windows, "times": times.tolist(), "clicks": clicks.tolist(), "plays": plays.tolist(),
    "reads": reads, "expected": [[float(value) for value in row] for row in expected],
}))
