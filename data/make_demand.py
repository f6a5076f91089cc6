"""Generate ``demand.parquet``: two years of hourly electricity demand of a made-up town, with a known truth.

usage: python data/make_demand.py [OUT]     (OUT defaults to this folder)

Half-hourly demand of Victoria, the usual example, comes in a package whose licence does not allow it here; so this one
is drawn, and is honest about it: profile of the day + heating and cooling + growth + holidays + errors of which nothing
can be known.
"""

import sys
from pathlib import Path

import numpy as np
import polars as pl

SEED = 20
DAYS = 730
NOISE, KEPT = 12.0, 0.7
"""Standard deviation of what is new in each hour's error in MW, and the share of the last hour's error that stays."""
PEAKS = {True: ((8, 2.0, 90), (13, 4.0, 70), (19, 2.5, 130)), False: ((11, 3.0, 70), (19, 3.0, 100))}
"""Humps of working days and others: hour, width in hours, MW."""


def demand() -> pl.DataFrame:
    """Hours from 2022 on, local winter time all year: ``hour``, ``demand`` in MW, ``temperature`` in C, ``workday``."""
    rng = np.random.default_rng(SEED)
    hours = np.arange(DAYS * 24)
    day, of_day = hours // 24, hours % 24
    free = rng.choice(DAYS, DAYS // 30, replace=False)
    workday = ((day + 5) % 7 < 5) & ~np.isin(day, free)
    season = -np.cos(2 * np.pi * (day - 15) / 365.25)
    weather = np.repeat(_kept(rng.normal(0, 1.6, DAYS), 0.8), 24)
    temperature = (
        11
        + 9 * season
        + 4 * np.sin(2 * np.pi * (of_day - 9) / 24)
        + weather
        + _kept(rng.normal(0, 0.3, len(hours)), 0.8)
    )
    temperature = temperature.round(1)
    profile = np.where(workday, _profile(of_day, True), _profile(of_day, False))
    felt = 2.2 * np.maximum(15 - temperature, 0) + 5.0 * np.maximum(temperature - 22, 0) * (1 + 0.4 * workday)
    growth = 1 + 0.06 * hours / len(hours)
    load = growth * (180 + profile + felt) + _kept(rng.normal(0, NOISE, len(hours)), KEPT)
    start = pl.datetime_range(
        pl.datetime(2022, 1, 1), pl.datetime(2022, 1, 1) + pl.duration(hours=len(hours) - 1), "1h", eager=True
    )
    return pl.DataFrame(
        {"hour": start, "demand": load.round(1), "temperature": temperature, "workday": workday.astype(np.int64)}
    )


def floor() -> float:
    """Mean absolute error in MW, 1 to 24 hours ahead, of one who knows everything but the errors to come."""
    steps = np.arange(1, 25)
    spread = NOISE * np.sqrt((1 - KEPT ** (2 * steps)) / (1 - KEPT**2))
    return float((spread * np.sqrt(2 / np.pi)).mean())


def _profile(of_day: np.ndarray, workday: bool) -> np.ndarray:
    return sum(size * np.exp(-0.5 * ((of_day - at) / wide) ** 2) for at, wide, size in PEAKS[workday])


def _kept(new: np.ndarray, share: float) -> np.ndarray:
    """An autoregressive series of first order."""
    found = np.zeros(len(new))
    for i, one in enumerate(new):
        found[i] = one + share * (found[i - 1] if i else 0)
    return found


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    demand().write_parquet(out / "demand.parquet", compression="zstd", statistics=False)
    sys.stdout.write(f"errors that nobody can foresee: {floor():.2f} MW\n")
