"""Columns that a split by time runs out of: what later rows hold, no row to learn from has shown.

In a split by time the later rows hold months, numbers and names that come after those of the training rows. A column
most of whose later values are new tells a model nothing there, and leads it astray: it is left out. What comes again
(the weekday, the hour, a season of which a whole year is there) stays, unless it is a name that comes again for another
thing (``carried.py``), or the day of the month, which does not come often enough in less than a year. A month that has
only begun stands in training and in later rows of one file: whether it comes again is told by the days that the
training rows span.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.features.calendar import DAY, PARTS, CalendarPart, calendar_part
from kilnworks.components.features.settings import FeatureSettings
from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.splitting.assign import labelled, make_assigner
from kilnworks.components.sources.splitting.splits import SPLITS, AnySplit, ByTime
from kilnworks.components.starting.moments.carried import not_carried
from kilnworks.components.starting.moments.level import Level, level_of
from kilnworks.components.starting.recipe import Decision
from kilnworks.components.starting.rehearsal import Parts
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.words import listed, named

NEW = {"numbers": 0.25, "names": 0.5}
"""Share of the later values that no training row shows, from which on a column is left out: a network draws on beyond
the numbers that it knows, and takes a name that it does not know for none."""
NOTED = 0.1
"""From this share on it is said."""
CHANGED = "what it tells does not last: trees tell two stretches of later rows better without it"
BACK = "move it from `ignore` to `features` of the contract to keep it"
SEASON = "; later ones are answered by the level of the latest rows, unless `parts` goes without `moment`"
"""What becomes of seasons that nobody has seen where the moment of a row stays."""
SINGLE_DAYS = "the rows are of less than a year: it would tell single days from one another, which do not come again"
SAME = 0.99
"""Share of rows from which on a column says a part of the time; all falls of one that only grows are the rest."""
GROWS = "it only ever grows with {}: what it tells of the rows to learn from does not come again"
STEPS = 4
"""Times that a column grows from which on it is left out: fewer are as likely changes that last."""
ROUNDS: Mapping[CalendarPart, tuple[float, int]] = {
    "month": (365, 12), "day": (31, 31), "weekday": (7, 7), "time of day": (1, DAY),
}  # fmt: skip
"""Days after which a part of a date comes again, and how many values it has."""
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
    rows = _cut(contract, source, parts, split)
    early, later = rows["train"], pl.concat([rows["val"], rows["test"]])
    if not early.height or not later.height:
        return Kept(contract, {}, ())
    share = {n: _new(f, early[n], later[n]) for n, f in contract.features.items() if n != contract.time}
    gone = {n for n, new in share.items() if new >= NEW[_kind(contract.features[n])]}
    out = _parts_out(contract, early, later, gone)
    said = {**_growing(contract, pl.concat([early, later]), gone), **_said_by_time(contract, early, out, gone)}
    gone |= said.keys()
    if len(gone) == len(contract.features) or not (contract.features.keys() - gone - {contract.time} or contract.time):
        return Kept(contract, *_dates(out, None))
    told = {n: new for n, new in share.items() if new >= NOTED and n not in said}
    decisions = [_said(n, contract.features[n], early[n], new, n in gone) for n, new in told.items()]
    decisions += [Decision("left out", named(n), f"{why}; {BACK}", flagged=True) for n, why in sorted(said.items())]
    kept = {n: f for n, f in contract.features.items() if n not in gone}
    changes: dict[str, Any] = {"features": kept, "ignore": (*contract.ignore, *(n for n in share if n in gone))}
    contract = contract.model_copy(update=changes) if gone else contract
    contract, changed = _without_changed(contract, rows, out)
    decisions = [d for d in decisions if d.choice not in {one.choice for one in changed}]
    dates, lines = _dates(out, _without_level(contract, rows, out))
    return Kept(contract, dates, (*decisions, *changed, *lines))


def _cut(contract: Contract, source: Source, parts: Parts, split: ByTime) -> dict[str, pl.DataFrame]:
    """The rows with a label of each split."""
    wanted = Wanted(contract_columns(contract), frozenset(contract.ignore))
    assigner = make_assigner(split, contract, source, wanted)
    empty = next(iter(parts.values())).clear()
    found: dict[str, list[pl.DataFrame]] = {name: [empty] for name in SPLITS}
    for part, frame in parts.items():
        for name, placed in assigner.assign(labelled(frame, contract), part).items():
            found[name].append(placed)
    return {name: pl.concat(frames) for name, frames in found.items()}


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


def _parts_out(
    contract: Contract, early: pl.DataFrame, later: pl.DataFrame, gone: set[str]
) -> dict[str, list[CalendarPart]]:
    """The parts of each date that do not come again."""
    dates = [n for n, f in contract.features.items() if f.dtype == "datetime" and n not in gone]
    return {n: [part for part in PARTS if _part_is_new(early[n], later[n], part)] for n in dates}


def _said_by_time(
    contract: Contract, early: pl.DataFrame, out: Mapping[str, list[CalendarPart]], gone: set[str]
) -> dict[str, str]:
    """Columns of whole numbers that say a part of the time that does not come again, and why they go."""
    time = str(contract.time)
    dated = early.filter(pl.col(time).is_not_null()) if time in out else early.clear()
    seconds = _seconds(dated[time])
    found: dict[str, str] = {}
    for part in _left(out.get(time, ()), is_time=True):
        values = pl.Series(calendar_part(seconds, part))
        why = SINGLE_DAYS if part == "day" else f"the {part} of {named(time)} does not come again in later rows"
        whole = [n for n in _whole(contract) if n not in gone]
        same = [n for n in whole if int((dated[n] == values).sum()) >= SAME * max(1, dated.height)]
        found |= dict.fromkeys(same, why)
    return found


def _growing(contract: Contract, rows: pl.DataFrame, gone: set[str]) -> dict[str, str]:
    """Columns of whole numbers that only ever grow with the time, as a number of the week does, and why they go."""
    time = str(contract.time)
    whole = [n for n in _whole(contract) if n not in gone and n != time]
    ordered = rows.drop_nulls(time).group_by(time).agg(
        pl.col(whole).min().name.suffix(" from"), pl.col(whole).max().name.suffix(" to")
    ).sort(time)  # fmt: skip
    found = {}
    for name in whole:
        low, high = (ordered[f"{name} {end}"].drop_nulls().to_numpy() for end in ("from", "to"))
        falls = np.maximum(high[:-1] - low[1:], 0).sum()
        grows = int(((low[1:] >= high[:-1]) & (high[1:] > low[:-1])).sum())
        if grows >= STEPS and falls <= (1 - SAME) * (high.max() - low.min()):
            found[name] = GROWS.format(named(time))
    return found


def _whole(contract: Contract) -> list[str]:
    return [n for n, f in contract.features.items() if f.dtype == "int" and not f.shape]


def _without_changed(
    contract: Contract, rows: Mapping[str, pl.DataFrame], out: Mapping[str, list[CalendarPart]]
) -> tuple[Contract, list[Decision]]:
    """The contract without categories whose values come again for other things, and the lines that say so."""
    time = str(contract.time)
    parts = [part for part in PARTS if part not in _left(out[time], is_time=True)] if time in out else []
    found = not_carried(contract, rows, parts)
    kept = {n: f for n, f in contract.features.items() if n not in found}
    if not kept.keys() - {time}:
        return contract, []  # nothing else is known
    lines = [
        Decision(
            "left out", named(name), f"{CHANGED} ({what} {without:.3g}, with it {with_it:.3g}); {BACK}", flagged=True
        )
        for name, (what, with_it, without) in found.items()
    ]
    return contract.model_copy(update={"features": kept, "ignore": (*contract.ignore, *found)}), lines


def _without_level(
    contract: Contract, rows: Mapping[str, pl.DataFrame], out: Mapping[str, list[CalendarPart]]
) -> tuple[str, Level] | None:
    """The time column and what becomes of its moment; None where it is no date that the model sees."""
    time = contract.time
    if time is None or time not in out:
        return None
    moments = pl.concat([part[time] for part in rows.values()]).drop_nulls().cast(pl.Datetime("us")).sort()
    days = (moments[-1] - moments[0]).total_seconds() / DAY
    kept = [part for part in PARTS if part not in _left(out[time], is_time=True)]
    return time, level_of(contract, rows["train"], rows["val"], kept, days)


def _dates(
    out: Mapping[str, list[CalendarPart]], judged: tuple[str, Level] | None
) -> tuple[dict[str, FeatureSettings], tuple[Decision, ...]]:
    """The settings of dates of which not every part stays, and the lines that say so."""
    settings, lines = {}, []
    for name, parts in out.items():
        level = judged[1] if judged is not None and judged[0] == name else Level(stays=True)
        left = _left(parts, is_time=judged is not None and judged[0] == name)
        if parts:
            season = SEASON if "month" in parts and level.stays else ""
            why = f"it runs out: later rows have {listed(parts)}s that no row to learn from shows{season}"
            lines.append(Decision("left out", f"{listed(parts)} of {named(name)}", why, flagged=True))
        if "day" in left and "day" not in parts:
            why = f"{SINGLE_DAYS}; `day` in `parts` of the definition takes it back"
            lines.append(Decision("left out", f"day of {named(name)}", why, flagged=True))
        if not level.stays:
            lines.append(Decision("left out", f"moment of {named(name)}", level.why, flagged=True))
        if left or not level.stays:
            moment: tuple[CalendarPart, ...] = ("moment",) if level.stays else ()
            kept = (*moment, *(part for part in PARTS if part not in left))
            settings[name] = FeatureSettings(encode="moment", parts=kept) if kept else FeatureSettings(encode="drop")
    return settings, tuple(lines)


def _left(parts: Sequence[CalendarPart], *, is_time: bool) -> Sequence[CalendarPart]:
    """The parts that run out, and of the time the day with the month (decision 376)."""
    return parts if not is_time or "month" not in parts or "day" in parts else [*parts, "day"]


def _part_is_new(early: pl.Series, later: pl.Series, part: CalendarPart) -> bool:
    """Whether later rows show a part that training rows do not, in this file or in those that follow it."""
    seen, then = (calendar_part(_seconds(series), part) for series in (early, later))
    if not len(seen) or not len(then):
        return False
    days, values = ROUNDS[part]
    if np.ptp(_seconds(early)) < days * DAY and len(np.unique(seen)) < values:
        return True
    return part != "time of day" and bool(1 - np.isin(then, seen).mean() >= NEW["numbers"])


def _seconds(series: pl.Series) -> np.ndarray:
    return series.drop_nulls().cast(pl.Datetime("us")).dt.epoch("s").to_numpy()
