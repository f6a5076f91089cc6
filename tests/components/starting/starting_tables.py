"""Tables with one oddity of each kind, for the tests of a first look."""

import datetime

import numpy as np
import polars as pl


def table(n: int = 1200, seed: int = 0) -> pl.DataFrame:
    """Rows in the order of time; ``bought`` is the label, ``receipt`` tells it, and some columns are worth nothing."""
    r = np.random.default_rng(seed)
    start = datetime.datetime(2024, 1, 1)
    minutes = np.sort(r.integers(0, 400 * 1440, n))
    spent = r.lognormal(3, 1, n)
    logit = 0.9 * np.log(spent / 20) + r.normal(size=n) - 0.5
    bought = logit > 0
    return pl.DataFrame(
        {
            "order_id": [f"o{seed}{k:07d}" for k in r.permutation(n)],
            "seen_at": [(start + datetime.timedelta(minutes=int(m))).strftime("%d.%m.%Y %H:%M") for m in minutes],
            "spent": [None if hole else round(float(v), 2) for v, hole in zip(spent, r.random(n) < 0.05, strict=True)],
            "city": [f"city{int(k) % 40}" for k in r.zipf(1.5, n)],
            "member": ["True" if v else "False" for v in r.random(n) < 0.5],
            "shop_id": r.integers(100, 140, n),
            "version": ["v1"] * n,
            "flag": ["rare" if i in (7, 70) else "usual" for i in range(n)],
            "remark": [f"the parcel {k} of {j}" for k, j in zip(r.integers(0, 10**9, n), range(n), strict=True)],
            "receipt": [f"{v:.2f}" if b else "" for v, b in zip(r.random(n) * 100, bought, strict=True)],
            "bought": ["yes" if b else "no" for b in bought],
        }
    )
