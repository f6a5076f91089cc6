"""Dates and times."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, fault


def _moments(b: Batch, change: Callable[[pd.Series], pd.Series]) -> Spoiled:
    c = b.times[0] if b.times else None
    return None if c is None else b.with_moments(c, change(b.moments(c)))


@fault
def dates_a_year_late(b: Batch) -> Spoiled:
    return _moments(b, lambda t: t + pd.DateOffset(years=1))


@fault
def dates_a_century_early(b: Batch) -> Spoiled:
    return _moments(b, lambda t: t.where(~b.some(0.1), t - pd.DateOffset(years=100)))


@fault
def dates_at_the_epoch(b: Batch) -> Spoiled:
    return _moments(b, lambda t: t.where(~b.some(0.05), pd.Timestamp("1970-01-01")))


@fault
def dates_a_month_early(b: Batch) -> Spoiled:
    return _moments(b, lambda t: t - pd.Timedelta(days=40))


@fault
def day_and_month_swapped(b: Batch) -> Spoiled:
    c = b.times[0] if b.times else None
    forms = {"admitted": ("%d.%m.%Y", "%m.%d.%Y"), "sold_on": ("%Y-%m-%d", "%Y-%d-%m")}
    if c not in forms:
        return None
    old, new = forms[c]
    return b.frame.assign(**{c: pd.to_datetime(b.frame[c], format=old).dt.strftime(new)})


@fault
def dates_written_otherwise(b: Batch) -> Spoiled:
    c = b.times[0] if b.times else None
    return None if c is None else b.frame.assign(**{c: b.moments(c).dt.strftime("%m/%d/%y")})


@fault
def time_of_day_lost(b: Batch) -> Spoiled:
    return b.frame.assign(ordered_at=b.frame["ordered_at"].dt.normalize()) if "ordered_at" in b.frame.columns else None


@fault
def night_hours_missing(b: Batch) -> Spoiled:
    return b.frame[b.frame["ordered_at"].dt.hour >= 8] if "ordered_at" in b.frame.columns else None


@fault
def gap_in_time(b: Batch) -> Spoiled:
    if "measured_at" not in b.frame.columns:
        return None
    n = len(b.frame)
    return b.frame.drop(index=range(n // 2, n // 2 + n // 8))


@fault
def months_missing(b: Batch) -> Spoiled:
    if "ordered_at" not in b.frame.columns:
        return None
    return b.frame[~b.frame["ordered_at"].dt.month.isin([5, 6])]


@fault
def clock_an_hour_off_in_the_middle(b: Batch) -> Spoiled:
    if "measured_at" not in b.frame.columns:
        return None
    t = pd.to_datetime(b.frame["measured_at"])
    late = np.arange(len(t)) >= len(t) // 2
    return b.frame.assign(measured_at=(t + pd.to_timedelta(late * 60, unit="min")).dt.strftime("%Y-%m-%dT%H:%M:%S"))
