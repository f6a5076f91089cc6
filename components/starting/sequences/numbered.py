"""Numbers of one course that stand in columns of their own, ``t0`` to ``t28``, or in a row of a NumPy array."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import polars as pl

from kilnworks.components.quality.screening.columns.table import Spec
from kilnworks.components.starting.open_data import Opened
from kilnworks.components.starting.recipe import Decision
from kilnworks.schemas.errors import ConfigError, DataInvalid, UnknownName
from kilnworks.schemas.words import listed, named

FEWEST = 8
"""Numbered columns from which on a first look asks whether they are steps; fewer can be asked for."""
ALONE = 4
"""Steps of a course, at least."""
_NUMBERED = re.compile(r"(.*?[^0-9])0*([0-9]+)")


def numbered_columns(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Columns that differ in a number alone, one after the other from 0 or 1 on, by the word before it, in order.

    ``t0`` to ``t28`` and ``v_00`` to ``v_63`` are ``t`` and ``v``.
    """
    found: dict[str, dict[int, str]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match:
            found.setdefault(match[1], {}).setdefault(int(match[2]), name)
    return {
        word.rstrip(" _.-[") or word: tuple(columns[number] for number in sorted(columns))
        for word, columns in found.items()
        if len(columns) >= ALONE and min(columns) in (0, 1) and max(columns) - min(columns) + 1 == len(columns)
    }


def chosen_columns(asked: tuple[str, ...], opened: Opened) -> dict[str, tuple[str, ...]]:
    """The columns of each sequence that was asked for by the word before their numbers.

    Raises:
        UnknownName: no columns are numbered so.
        ConfigError: one of the columns has the name of the sequence.
        DataInvalid: a column of them holds no numbers.
    """
    known = numbered_columns(opened.frame.columns)
    for word in asked:
        if word not in known:
            raise UnknownName("columns with a number behind", word, known)
        if word in opened.frame.columns:
            raise ConfigError(
                f"--sequence {word}, and there is a column {named(word)} beside {named(known[word][0])}",
                "a name that no column has",
                "rename the column, or write `sequences` of the source by hand",
            )
        odd = [name for name in known[word] if not _is_numeric(opened, name)]
        if odd:
            raise DataInvalid(
                f"--sequence {word}: {listed(map(named, odd))} {'holds' if len(odd) == 1 else 'hold'} no numbers",
                f"a number in each of {_between(known[word])}",
                "correct these columns, or leave --sequence out",
            )
    return {word: known[word] for word in asked}


def numbered_decisions(specs: Mapping[str, Spec], features: Iterable[str]) -> list[Decision]:
    """A question for each set of numbered columns of numbers that a table takes each by itself."""
    inside = set(features)
    return [
        Decision(
            "sequence?",
            _between(columns),
            f"{len(columns)} columns, each taken by itself; --sequence {word} reads them as steps of one course",
            flagged=True,
        )
        for word, columns in numbered_columns(specs).items()
        if len(columns) >= FEWEST
        and word not in specs
        and inside.issuperset(columns)
        and all(specs[name].kind == "number" for name in columns)
    ]


def typed_column(opened: Opened, name: str) -> pl.Series:
    """A column as numbers where these are written as text, null where none is written; otherwise as it is."""
    series, spec = opened.frame[name], opened.specs[name]
    if series.dtype != pl.String or not (spec.integer or spec.kind in ("number", "key")):
        return series
    plain = series.str.strip_chars() if spec.number is None else spec.number.plain(series)
    values = plain.cast(pl.Float64, strict=False)
    return series if spec.kind == "key" and values.null_count() > series.null_count() else values


def _is_numeric(opened: Opened, name: str) -> bool:
    """Whether a column holds numbers, whatever they look like: all different ones may be taken for a key."""
    if opened.specs[name].kind == "number":
        return True
    return typed_column(opened, name).drop_nulls().cast(pl.Float64, strict=False).null_count() == 0


def _between(columns: tuple[str, ...]) -> str:
    return f"{named(columns[0])} to {named(columns[-1])}"
