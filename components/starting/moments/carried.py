"""Categories whose values come again for other things: what they say of a row does not carry over to later rows.

A storm is named as one of years before, a desk is given to somebody else: the values of later rows are all known, and
a model that has learned them is sure of what is no longer so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from kilnworks.components.features.calendar import CalendarPart
from kilnworks.components.starting.columns import codes
from kilnworks.components.starting.moments.level import BEYOND_CHANCE, columns_of, names_of
from kilnworks.components.starting.moments.trees import FEWEST, errors, figure_of, target_of, thinned
from kilnworks.schemas.contract import Contract, Label

VALUES = 16
"""Categories with more values than this are looked at: they are embedded, and can name things."""
MOST = 8
"""Columns that are looked at, at most: those of the most values."""
INNER = 0.75
"""Share of the training rows that learns where the rest of them judges."""
WORTH = 0.1
"""Share of the loss by which later rows must be told better without a name, too: a network whose prior holds rare names
back is not led astray by what costs trees a few percent (decision 378)."""
STRETCHES = 20
"""Stretches of time whose mean errors are compared: rows beside each other, as those of one storm, err together."""


def not_carried(
    contract: Contract, rows: Mapping[str, pl.DataFrame], parts: Sequence[CalendarPart]
) -> dict[str, tuple[str, float, float]]:
    """Categories without which trees tell later rows better, by a tenth and beyond chance, in two stretches of time.

    Once the latest quarter of the training rows judges what the others teach, once the validation rows. Test rows are
    not looked at.

    Args:
        contract: features that stay, the label, and a time column.
        rows: of ``train`` and ``val``.
        parts: of the time column's date, those that come again.

    Returns:
        By column what is measured, of the validation rows with the column and without it.
    """
    label, time = contract.label, str(contract.time)
    names = names_of(contract)
    if label is None or len(names) + len(parts) < 2 or time not in rows["train"].columns:
        return {}
    train, val = (rows[part].drop_nulls(time).sort(time) for part in ("train", "val"))
    candidates = _candidates(contract, train)
    inner = round(INNER * train.height)
    if not candidates or min(inner, val.height) < FEWEST or train[label.name][:inner].n_unique() < 2:
        return {}
    doubted = _better_without(contract, label, train[:inner], train[inner:], parts, candidates)
    return _better_without(contract, label, train, val, parts, list(doubted)) if doubted else {}


def _candidates(contract: Contract, train: pl.DataFrame) -> list[str]:
    """Categories of many values, those of the most values first."""
    texts = [n for n in names_of(contract) if contract.features[n].dtype == "string"]
    values = {n: train[n].n_unique() for n in dict.fromkeys([*texts, *codes(contract, train)])}
    return sorted((n for n, count in values.items() if count > VALUES), key=lambda n: -values[n])[:MOST]


def _better_without(
    contract: Contract,
    label: Label,
    early: pl.DataFrame,
    later: pl.DataFrame,
    parts: Sequence[CalendarPart],
    candidates: Sequence[str],
) -> dict[str, tuple[str, float, float]]:
    """Which of these the later rows are told better without, by a tenth and beyond chance, and by how much."""
    frame = thinned(pl.concat([early, later]))
    cut = round(frame.height * early.height / (early.height + later.height))
    names, named = names_of(contract), codes(contract, early)
    frame = frame.with_columns(pl.col(named).cast(pl.String))
    x, target = columns_of(contract, frame, names, parts), target_of(frame, label)
    categories = np.array([frame[n].dtype == pl.String for n in names] + [False] * len(parts))

    def told(columns: np.ndarray) -> np.ndarray:
        asked = {"classes": label.classes is not None, "categories": categories[columns]}
        return errors(x[:, columns], target, cut, **asked)

    every = np.arange(x.shape[1])
    with_it, found = told(every), {}
    for name in candidates:
        without = told(np.delete(every, names.index(name)))
        less = with_it - without
        if less.mean() >= WORTH * with_it.mean() and _beyond(less) > BEYOND_CHANCE:
            (what, a), (_, b) = figure_of(with_it, label), figure_of(without, label)
            found[name] = what, a, b
    return found


def _beyond(less: np.ndarray) -> float:
    """By how many standard errors of its stretches the mean lies above 0."""
    means = np.array([stretch.mean() for stretch in np.array_split(less, STRETCHES)])
    spread = float(means.std(ddof=1)) / STRETCHES**0.5
    return float(means.mean()) / spread if spread else 0.0
