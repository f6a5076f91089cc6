"""Tables with moments of which the truth is known, for the tests of what a first look makes of time."""

import datetime

import numpy as np
import polars as pl

PARTS = {"month": lambda d: d.month, "day": lambda d: d.day, "weekday": lambda d: d.isoweekday()}


def flights(days: int = 200, per_day: int = 15, seed: int = 0, *, shuffled: bool = True) -> pl.DataFrame:
    """Rows of days each of which has a level of its own: by hash a model knows the level of the day, later it does not.

    ``late`` is the label. ``hour`` and ``weekday`` come again and tell a little; ``month``, ``reading`` (which grows)
    and ``frame`` (a number in use for some weeks) run out of what was seen; ``distance`` says nothing of time.
    """
    r = np.random.default_rng(seed)
    start = datetime.date(2023, 1, 1)
    level = r.normal(0, 1.5, days)
    day = np.repeat(np.arange(days), per_day)
    n = len(day)
    dates = [start + datetime.timedelta(days=int(d)) for d in day]
    hour, distance = r.integers(5, 24, n), r.gamma(2, 300, n).round()
    logit = -1.2 + level[day] + 0.06 * (hour - 14) + 0.4 * np.isin([d.isoweekday() for d in dates], (5, 7))
    rows = pl.DataFrame(
        {
            "flown": [d.isoformat() for d in dates],
            **{name: [part(d) for d in dates] for name, part in PARTS.items()},
            "hour": hour,
            "distance": distance,
            "reading": day * 40 + r.integers(0, 40, n),
            "frame": [f"N{100 + d // 20 * 8 + k}" for d, k in zip(day, r.integers(0, 8, n), strict=True)],
            "late": np.where(r.random(n) < 1 / (1 + np.exp(-logit)), "yes", "no"),
        }
    )
    return rows.sample(fraction=1.0, shuffle=True, seed=seed) if shuffled else rows
