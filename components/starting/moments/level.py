"""Whether the moment of a row stays a feature of a first model.

Later rows lie behind every moment that was learned, so that it answers them by the level of the latest rows. That is
the best guess for what comes next, and a bad one for a season that turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from kilnworks.components.features.calendar import CalendarPart, calendar_part
from kilnworks.components.starting.moments.trees import FEWEST, errors, figure_of, numbers_of, target_of, thinned
from kilnworks.schemas.contract import Contract

SEASON_TURNS = 183
"""Days of rows from which on, where no month has come again yet, a season has turned or is about to: what later rows
are like is told by an earlier level as well as by the latest."""
BEYOND_CHANCE = 1.96
"""Standard errors by which the next rows are told better without the moment where every part comes again; else any."""
BACK = "`moment` in `parts` of the definition takes it back"


@dataclass(frozen=True)
class Level:
    """Whether the moment stays, and why; empty where nobody has to know."""

    stays: bool
    why: str = ""


def level_of(
    contract: Contract, early: pl.DataFrame, next_rows: pl.DataFrame, parts: Sequence[CalendarPart], days: float
) -> Level:
    """Whether the moment of the time column stays, by how long the rows are, or by the rows next to those learned from.

    Args:
        contract: features that stay, the label, and a time column of dates among the features.
        early: rows to learn from.
        next_rows: the validation rows, which come next.
        parts: those of the date that come again in later rows; without ``month`` no whole year has been seen.
        days: from the first row to the last.
    """
    rows = thinned(pl.concat([early, next_rows]).drop_nulls(str(contract.time)).sort(str(contract.time)))
    cut = round(rows.height * early.height / max(1, early.height + next_rows.height))
    x = columns_of(contract, rows, names_of(contract), parts)
    if not np.any(np.nanmax(x[:cut], axis=0, initial=-np.inf) > np.nanmin(x[:cut], axis=0, initial=np.inf)):
        return Level(stays=True)  # nothing else varies
    year = "month" in parts
    if not year and days >= SEASON_TURNS:
        why = "later rows would get the level of the latest ones, and the rows to learn from show no season twice"
        return Level(stays=False, why=f"{why}; {BACK}")
    label = contract.label
    if label is None or rows.height < FEWEST or rows[label.name][:cut].n_unique() < 2:
        return Level(stays=True)
    target, classes = target_of(rows, label), label.classes is not None
    moment = _seconds(rows[str(contract.time)]).astype(float)
    both = [errors(each, target, cut, classes=classes) for each in (np.column_stack([x, moment]), x)]
    less = both[0] - both[1]
    spread = float(less.std()) / len(less) ** 0.5
    if not spread or float(less.mean()) / spread <= (BEYOND_CHANCE if year else 0.0):
        return Level(stays=True)
    (what, with_it), (_, without) = (figure_of(error, label) for error in both)
    by = f"trees on {cut:,} rows tell the next ones better without it ({what} {without:.3g}, with it {with_it:.3g})"
    return Level(stays=False, why=f"{by}; {BACK}")


def names_of(contract: Contract) -> list[str]:
    """The features that trees take as they are: all but texts, arrays and the moment."""
    return [n for n, f in contract.features.items() if n != contract.time and not f.shape and not f.text]


def columns_of(
    contract: Contract, rows: pl.DataFrame, names: Sequence[str], parts: Sequence[CalendarPart]
) -> np.ndarray:
    """These features, then these parts of the time column, float64 [n, columns]."""
    dates = []
    if parts:
        seconds = _seconds(rows[str(contract.time)])
        dates = [calendar_part(seconds, part).astype(float) for part in parts]
    return np.column_stack([*(numbers_of(rows[name]) for name in names), *dates])


def _seconds(series: pl.Series) -> np.ndarray:
    return series.cast(pl.Datetime("us")).dt.epoch("s").to_numpy()
