"""What goes wrong in columns that advance, each in a file of the next period that is clean otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.quality.next_period import KINDS

Spoil = Callable[[pd.DataFrame, pd.DataFrame, np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class NextFault:
    """A kind of source, the column that is hurt, and how; ``spoil(later, first, r)`` gives back the spoiled rows."""

    kind: str
    column: str
    what: str
    spoil: Spoil


def _part(n: int, begin: float, end: float = 1.0) -> slice:
    return slice(int(n * begin), int(n * end))


def scaled(times: float, begin: float = 0.0) -> Callable[[pd.Series], pd.Series]:
    """Another unit, for the whole file or from some row on."""
    return lambda s: s.where(np.arange(len(s)) < len(s) * begin, s * times)


def back_once(s: pd.Series) -> pd.Series:
    """One row shows what was read much earlier."""
    values = s.to_numpy().copy()
    values[len(s) // 2] = values[len(s) // 5]
    return pd.Series(values, s.index)


def reset(s: pd.Series) -> pd.Series:
    """From the middle on it counts from nought again."""
    half = len(s) // 2
    return s.where(np.arange(len(s)) < half, s - s.iloc[half])


def frozen(s: pd.Series) -> pd.Series:
    """The last third stays where it is."""
    cut = 2 * len(s) // 3
    return s.where(np.arange(len(s)) < cut, s.iloc[cut])


def wrapped(s: pd.Series) -> pd.Series:
    """A counter of few digits begins again in the middle."""
    return s % float(s.iloc[len(s) // 2])


def begun_again(s: pd.Series) -> pd.Series:
    """The file begins at nought instead of where the last one ended."""
    return s - s.iloc[0]


COUNTERS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "in another unit": scaled(1000),
    "in a smaller unit": scaled(0.001),
    "in another unit from the middle on": scaled(1000, 0.5),
    "goes back once": back_once,
    "reset in the middle": reset,
    "begun again": begun_again,
    "frozen": frozen,
    "wrapped around": wrapped,
}
METERS = (
    ("heat_pump", "meter_kwh"),
    ("heat_pump", "starts"),
    ("machine_minutes", "parts"),
    ("traffic_counts", "ever_counted"),
    ("invoices", "running_total"),
    ("counter_without_a_clock", "pulses"),
    ("growing_site", "members"),
    ("admissions", "patient_no"),
)
GROUPS = (
    ("water_meters", "reading_m3", "household"),
    ("odometers", "odometer", "plate"),
    ("machines_in_the_field", "hours", "machine"),
    ("country_totals", "total_cases", "country"),
    ("positions", "km_so_far", "lorry"),
)
DATES = (
    ("retail_orders", "ordered_at", None),
    ("invoices", "issued", "%Y-%m-%d"),
    ("odometers", "filled_at", "%Y-%m-%d %H:%M"),
    ("weather_days", "date", "%Y-%m-%d"),
    ("quarter_of_sales", "sold_at", "%d.%m.%Y %H:%M:%S"),
    ("web_accounts", "seen_at", "%Y-%m-%d %H:%M:%S"),
)


def _some(n: int, r: np.random.Generator, share: float) -> np.ndarray:
    flags = np.zeros(n, bool)
    flags[r.choice(n, max(3, int(n * share)), replace=False)] = True
    return flags


def _moments(change: Callable[[pd.Series, np.random.Generator], pd.Series], column: str, form: str | None) -> Spoil:
    def spoil(later: pd.DataFrame, first: pd.DataFrame, r: np.random.Generator) -> pd.DataFrame:
        changed = change(pd.to_datetime(later[column], format=form), r)
        return later.assign(**{column: changed if form is None else changed.dt.strftime(form)})

    return spoil


CLOCKS: dict[str, Callable[[pd.Series, np.random.Generator], pd.Series]] = {
    "at the epoch for a few": lambda t, r: t.where(~_some(len(t), r, 0.02), pd.Timestamp("1970-01-01")),
    "in 2099 for a few": lambda t, r: t.where(~_some(len(t), r, 0.02), pd.Timestamp("2099-12-31")),
    "a century early": lambda t, r: t - pd.DateOffset(years=100),
    "thirty years late": lambda t, r: t + pd.DateOffset(years=30),
    "two years early": lambda t, r: t - pd.DateOffset(years=2),
}


def _column(name: str, change: Callable[[pd.Series], pd.Series]) -> Spoil:
    return lambda later, first, r: later.assign(**{name: change(later[name])})


def _one_group(name: str, group: str, change: Callable[[pd.Series], pd.Series]) -> Spoil:
    """A fifth of the groups is hurt, each by itself."""

    def spoil(later: pd.DataFrame, first: pd.DataFrame, r: np.random.Generator) -> pd.DataFrame:
        hurt = sorted(later[group].unique())[::5]
        values = later[name].astype(float)
        for one in hurt:
            rows = later[group] == one
            values[rows] = change(values[rows])
        return later.assign(**{name: values})

    return spoil


def _without_months(column: str, form: str | None) -> Spoil:
    """A fifth of the time is missing in the middle."""

    def spoil(later: pd.DataFrame, first: pd.DataFrame, r: np.random.Generator) -> pd.DataFrame:
        moments = pd.to_datetime(later[column], format=form)
        low, high = moments.quantile([0.4, 0.6])
        return later[(moments < low) | (moments > high)]

    return spoil


def _ids_again(column: str) -> Spoil:
    def spoil(later: pd.DataFrame, first: pd.DataFrame, r: np.random.Generator) -> pd.DataFrame:
        values = later[column].to_numpy().copy()
        values[: len(values) // 5] = first[column].to_numpy()[: len(values) // 5]
        return later.assign(**{column: values})

    return spoil


def next_faults() -> list[NextFault]:
    """Every fault."""
    found = [NextFault(k, c, w, _column(c, f)) for k, c in METERS for w, f in COUNTERS.items()]
    found += [
        NextFault(k, c, w, _one_group(c, g, f))
        for k, c, g in GROUPS
        for w, f in COUNTERS.items()
        if w != "wrapped around"
    ]
    found += [NextFault(k, c, w, _moments(f, c, form)) for k, c, form in DATES for w, f in CLOCKS.items()]
    found += [NextFault(k, c, "a stretch missing", _without_months(c, form)) for k, c, form in DATES]
    for kind, column in (
        ("retail_orders", "order_id"),
        ("versions", "change_id"),
        ("bicycles", "instant"),
        ("support_tickets", "ticket"),
    ):
        found.append(NextFault(kind, column, "used again", _ids_again(column)))
    found.append(NextFault("quarter_of_sales", "month", "one too large", _column("month", lambda s: s % 12 + 1)))
    found.append(NextFault("hourly_load", "month", "constant", _column("month", lambda s: s * 0 + 1)))
    found.append(NextFault("machine_minutes", "ts", "in seconds", _column("ts", lambda s: s // 1000)))
    found.append(NextFault("positions", "unix_time", "in milliseconds", _column("unix_time", lambda s: s * 1000)))
    found.append(NextFault("support_tickets", "version", "written otherwise", _column("version", lambda s: "v" + s)))
    return found


def later_of(fault: NextFault, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, str | None]:
    """The clean file, the spoiled one of the next period, and the label."""
    r = np.random.default_rng([seed, *fault.kind.encode()])
    series = KINDS[fault.kind](r)
    first, later = series.first.reset_index(drop=True), series.between(0, 1).reset_index(drop=True)
    return first, fault.spoil(later, first, r), series.label
