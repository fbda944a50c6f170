"""Golden statistics of number fields: python3 src/schema/golden/numberFields.py > src/schema/golden/numberFields.json (needs NumPy)"""
import json

import numpy as np

random = np.random.default_rng(7)
columns = {
    "normal": random.normal(3, 2, 120),
    "money": np.round(random.lognormal(4, 2, 120), 2),
    "counts": random.poisson(1.5, 120).astype(float),
    "signed": np.concatenate([-random.lognormal(0, 3, 60), random.lognormal(0, 3, 60)]),
    "large": 1e9 + random.normal(0, 1, 120),
    "constant": np.full(120, 0.1),
}


def transform(x, name):
    return np.sign(x) * np.log1p(np.abs(x)) if name == "log1p" else x


cases = []
for name, values in columns.items():
    values = values.copy()
    values[::17] = np.nan
    present = values[~np.isnan(values)]
    for how in ("none", "log1p"):
        for clip in (4, 1.5):
            t = transform(present, how)
            mean, deviation = t.mean(), t.std()
            deviation = deviation if deviation > 1e-12 else 1.0
            z = np.clip((transform(values, how) - mean) / deviation, -clip, clip)
            cases.append({
                "column": name, "transform": how, "clip": clip, "mean": mean, "deviation": deviation,
                "standardised": np.nan_to_num(z).tolist(),
            })
    for quantiles in (2, 7, 40):
        # The smallest value below or at which a share of k/quantiles lies; equal bounds are one.
        bounds = np.unique(np.quantile(present, np.arange(1, quantiles) / quantiles, method="inverted_cdf"))
        ids = np.where(np.isnan(values), 0, 2 + np.searchsorted(bounds, values, side="left"))
        cases.append({
            "column": name, "quantiles": quantiles, "boundaries": bounds.tolist(), "ids": ids.tolist(),
            "counts": np.bincount(ids, minlength=len(bounds) + 3).tolist(),
        })
    columns[name] = values

shown = {name: [None if np.isnan(x) else x for x in values] for name, values in columns.items()}
print(json.dumps({"columns": shown, "cases": cases}))
