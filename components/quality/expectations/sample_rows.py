"""Whole rows that break a rule, a few of each, so that a reader sees what else is odd about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from kilnworks.components.quality.expectations.outcome import Outcome
from kilnworks.components.quality.expectations.rule import WHOLE
from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.components.quality.rows.batches import Rows
from kilnworks.components.quality.rows.mask import sensitive_columns
from kilnworks.components.quality.rows.row_rules import broken_rows
from kilnworks.components.quality.rows.tensor_columns import file_columns
from kilnworks.components.quality.rows.uniqueness import repeats
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.wire import MASK

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
    checked = {rule.name: rule.kwargs.get("column") for rule in rules_of(contract)}
    seen: dict[tuple[str, str], list[int]] = {}
    found = []
    for one in asked:
        rows, column, named = splits[one.split], str(one.column), checked[one.rule]
        if named in file_columns(contract, rows.schema):
            names, cells = _cells(rows, named, _holding(rows, named, one.samples), contract)
        else:
            if (column, one.split) not in seen:
                unique = any(o.rule.endswith(": unique") for o in asked)
                seen[column, one.split] = _places(rows, column, contract, unique)
            names, cells = _cells(rows, column, seen[column, one.split], contract)
        found.append({"split": one.split, "column": column, "rule": one.text, "names": names, "rows": cells})
    return [one for one in found if one["rows"]]


def _holding(rows: Rows, column: str, values: Sequence[Any]) -> list[int]:
    """Places of the first rows that hold one of these values."""
    wanted = pl.Series(values, dtype=rows.schema[column], strict=False)
    return rows.scan().select(pl.col(column).is_in(wanted.implode())).collect().to_series().arg_true().to_list()[:SHOWN]


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
    hidden = sensitive_columns(contract)
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
