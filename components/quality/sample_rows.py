"""Whole rows that break a rule, a few of each, so that a reader sees what else is odd about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from components.quality.batches import Rows
from components.quality.outcome import MASK, Outcome
from components.quality.row_rules import broken_rows
from components.quality.rules import WHOLE
from components.quality.uniqueness import repeats
from schemas.contract import Contract

FILE = "sample_rows.json"
SHOWN = 5
"""Rows of each rule."""
RULES = 40
"""Most rules of which rows are shown."""


def sample_rows(outcomes: Iterable[Outcome], splits: Mapping[str, Rows], contract: Contract) -> list[dict[str, Any]]:
    """Rows of broken rules: ``{"split", "column", "rule", "names", "rows": [{"row", "cells"}]}``.

    ``row`` is the place in the split, from 0. Tensors are left out, values of sensitive features masked.
    """
    broken = [o for o in outcomes if not o.success and not o.could_not_check and o.column and o.unexpected]
    asked = [o for o in broken if o.split in splits and o.split != WHOLE][:RULES]
    found = []
    for column, split in dict.fromkeys((o.column or "", o.split) for o in asked):
        places = _places(splits[split], column, contract, any(o.rule.endswith(": unique") for o in asked))
        names, rows = _cells(splits[split], column, places, contract)
        for one in (o for o in asked if (o.column, o.split) == (column, split)):
            found.append({"split": split, "column": column, "rule": one.text, "names": names, "rows": rows})
    return [one for one in found if one["rows"]]


def _places(rows: Rows, column: str, contract: Contract, unique: bool) -> list[int]:
    """Places of the first rows whose value of the column breaks a rule on single rows, else of repeated values."""
    places: list[int] = []
    start = 0
    for batch in rows.batches:
        frame = batch.frame([name for name in contract.columns if name in rows.schema])
        bad = [row for broken in broken_rows(contract, frame) if broken.column == column for row in broken.rows]
        places += [start + row for row in sorted(set(bad))[:SHOWN]]
        start += batch.height
        if len(places) >= SHOWN:
            break
    if not places and unique:
        twice = pl.Series(list(repeats(rows, column, 1).values), dtype=rows.schema[column])
        marked = rows.scan().select(pl.col(column).is_in(twice.implode())).collect().to_series()
        places = marked.arg_true().to_list()
    return places[:SHOWN]


def _cells(rows: Rows, first: str, places: list[int], contract: Contract) -> tuple[list[str], list[dict[str, Any]]]:
    """Names of the scalar columns, ``first`` first, and the cells of these rows as text; None where missing."""
    hidden = {name for name, feature in contract.features.items() if feature.sensitive}
    shaped = {name for name, feature in contract.features.items() if feature.shape}
    ordered = dict.fromkeys([first, *contract.columns])
    names = [name for name in ordered if name in rows.schema and name not in shaped]
    if not places:
        return names, []
    frame = rows.scan().select(names).with_row_index("__place").filter(pl.col("__place").is_in(places)).collect()
    told = []
    for row in frame.iter_rows(named=True):
        cells = [MASK if n in hidden else None if row[n] is None else str(row[n]) for n in names]
        told.append({"row": row["__place"], "cells": cells})
    return names, told
