"""Columns that a split by time runs out of: what later rows hold, no row to learn from has shown.

In a split by time the later rows hold months, numbers and names that come after those of the training rows. A column
most of whose later values are new tells a model nothing there, and leads it astray: it is left out. What comes again
(the weekday, the hour, a season of which a whole year is there) stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.features.calendar import PARTS, CalendarPart, calendar_part
from kilnworks.components.features.settings import FeatureSettings
from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.splitting.assign import labelled, make_assigner
from kilnworks.components.sources.splitting.splits import AnySplit, ByTime
from kilnworks.components.starting.recipe import Decision
from kilnworks.components.starting.rehearsal import Parts
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.words import listed, named

NEW = {"numbers": 0.25, "names": 0.5}
"""Share of the later values that no training row shows, from which on a column is left out: a network draws on beyond
the numbers that it knows, and takes a name that it does not know for none."""
NOTED = 0.1
"""From this share on it is said."""
SEASON = "; later ones are answered by the level of the latest rows, unless `parts` goes without `moment`"
"""What becomes of seasons that nobody has seen: the moment of a row says how high the label was then, and no more."""
FEW = 64
"""Whole numbers with up to so many values are looked at one by one, and else by their range."""


@dataclass(frozen=True)
class Kept:
    """A contract without the columns that run out, the settings of the dates that stay, and what was decided."""

    contract: Contract
    features: Mapping[str, FeatureSettings]
    decisions: tuple[Decision, ...]


def without_what_runs_out(contract: Contract, source: Source, parts: Parts, split: AnySplit) -> Kept:
    """Leave out what later rows hold and training rows do not; nothing where rows are not split by time.

    Args:
        contract: with the time column.
        source: of the rows, read for the cuts of the split.
        parts: all rows in contract dtypes.
        split: the plan.
    """
    if not isinstance(split, ByTime):
        return Kept(contract, {}, ())
    early, later = _cut(contract, source, parts, split)
    if not early.height or not later.height:
        return Kept(contract, {}, ())
    share = {n: _new(f, early[n], later[n]) for n, f in contract.features.items() if n != contract.time}
    gone = {n for n, new in share.items() if new >= NEW[_kind(contract.features[n])]}
    dates, lines = _dates(contract, early, later, gone)
    if len(gone) == len(contract.features) or not (contract.features.keys() - gone - {contract.time} or contract.time):
        return Kept(contract, dates, lines)
    decisions = [_said(n, contract.features[n], early[n], new, n in gone) for n, new in share.items() if new >= NOTED]
    kept = {n: f for n, f in contract.features.items() if n not in gone}
    changes: dict[str, Any] = {"features": kept, "ignore": (*contract.ignore, *(n for n in share if n in gone))}
    return Kept(contract.model_copy(update=changes) if gone else contract, dates, (*decisions, *lines))


def _cut(contract: Contract, source: Source, parts: Parts, split: ByTime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows to learn from, and the later ones; those without a label are neither."""
    wanted = Wanted(contract_columns(contract), frozenset(contract.ignore))
    assigner = make_assigner(split, contract, source, wanted)
    found: dict[bool, list[pl.DataFrame]] = {True: [], False: []}
    for part, frame in parts.items():
        for name, placed in assigner.assign(labelled(frame, contract), part).items():
            found[name == "train"].append(placed)
    empty = next(iter(parts.values())).clear()
    early, later = (pl.concat([empty, *found[key]]) for key in (True, False))
    return early, later


def _new(feature: Feature, early: pl.Series, later: pl.Series) -> float:
    """Share of the later values that lie outside of the range, or are none of the values, of the early ones."""
    early, later = early.drop_nulls(), later.drop_nulls()
    if feature.shape or feature.text or feature.dtype == "bool" or not len(early) or not len(later):
        return 0.0
    if feature.dtype == "string" or feature.allowed is not None or _few(feature, early):
        return 1.0 - int(later.is_in(early.unique().implode()).sum()) / len(later)
    if feature.dtype == "float":
        early, later = early.drop_nans(), later.drop_nans()
    low, high = early.min(), early.max()
    if low is None or high is None or not len(later):
        return 0.0
    return int(((later < low) | (later > high)).sum()) / len(later)


def _kind(feature: Feature) -> str:
    return "names" if feature.dtype == "string" else "numbers"


def _few(feature: Feature, early: pl.Series) -> bool:
    return feature.dtype == "int" and early.n_unique() <= FEW


def _said(name: str, feature: Feature, early: pl.Series, new: float, gone: bool) -> Decision:
    values = early.drop_nulls()
    if feature.dtype in ("float", "datetime") or (feature.dtype == "int" and feature.allowed is None):
        known = f"beyond {_shown(values.min())} to {_shown(values.max())}"
    else:
        known = "values"
    rows = "of the later rows have" if feature.dtype == "string" else "of the later rows lie"
    lacks = f"{new:.0%} {rows} {known} that no row to learn from shows"
    if gone:
        return Decision("left out", named(name), f"it runs out: {lacks}", flagged=True)
    return Decision("runs out?", named(name), f"{lacks}; it stays", flagged=True)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _dates(
    contract: Contract, early: pl.DataFrame, later: pl.DataFrame, gone: set[str]
) -> tuple[dict[str, FeatureSettings], tuple[Decision, ...]]:
    """The parts of each date that come again, where one of them does not."""
    settings, lines = {}, []
    for name, feature in contract.features.items():
        if feature.dtype != "datetime" or name in gone:
            continue
        out = [part for part in PARTS if _part_is_new(early[name], later[name], part)]
        if out:
            kept = tuple(part for part in ("moment", *PARTS) if part not in out)
            settings[name] = FeatureSettings(encode="moment", parts=kept)
            why = (
                f"the later rows have {listed(out)}s that no row to learn from shows{SEASON if 'month' in out else ''}"
            )
            lines.append(Decision("left out", f"{listed(out)} of {named(name)}", f"it runs out: {why}", flagged=True))
    return settings, tuple(lines)


def _part_is_new(early: pl.Series, later: pl.Series, part: CalendarPart) -> bool:
    if part == "time of day":
        return False
    seen, then = (calendar_part(_seconds(series), part) for series in (early, later))
    return bool(len(seen) and len(then) and 1 - np.isin(then, seen).mean() >= NEW["numbers"])


def _seconds(series: pl.Series) -> np.ndarray:
    return series.drop_nulls().cast(pl.Datetime("us")).dt.epoch("s").to_numpy()
