"""Which columns of a file hold sequences: steps of channels, equally many in every row."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.sources import CsvSource, GivenSplits, JsonLinesSource, NpzSource, ParquetSource
from kilnworks.components.sources.files.guard import reading
from kilnworks.components.sources.parquet import WHOLE, parquet_schema
from kilnworks.components.starting.open_data import Kind
from kilnworks.components.starting.pictures.archives import archive_of
from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.words import named

Rows = NpzSource | GivenSplits | CsvSource | ParquetSource | JsonLinesSource
FEWEST_STEPS = 4
"""An array with fewer steps is no course."""
LOOKED_AT = 200
"""Rows of lists whose lengths are looked at; the run looks at all."""


def sequence_columns(data: str, kind: Kind) -> dict[str, tuple[int, int]]:
    """Steps and channels of each column of sequences; empty where there is none.

    In ``.npz`` an array [N, T, C] of numbers that are no pixels; in Parquet and JSON lines T lists of C numbers each.
    """
    if kind == "npz":
        found = _numbers_in(data)
    elif kind == "parquet":
        found = _in_parquet(ParquetSource(path=data).files()[0])
    elif kind == "jsonl":
        found = _in_json_lines(JsonLinesSource(path=data).files()[0])
    else:
        return {}
    return {n: (int(s[0]), int(s[1])) for n, s in found.items() if len(s) == 2 and s[0] >= FEWEST_STEPS}


def array_columns(data: str, kind: Kind) -> dict[str, tuple[int]]:
    """How many numbers a row has in each array [N, D] of a NumPy archive, D at least 2; empty for other kinds."""
    return {n: (s[0],) for n, s in _numbers_in(data).items() if len(s) == 1 and s[0] > 1} if kind == "npz" else {}


def refuse_uneven(data: str, kind: Kind) -> None:
    """Raise ``DataInvalid`` where a column of lists of numbers would be a sequence, were all rows equally long.

    Only where nothing but a label stands beside it: a table of other columns leaves it out and says so.
    """
    found = _lengths(data, kind)
    uneven = {name: sorted(steps) for name, steps in found.items() if len(steps) > 1}
    if not uneven or len(scalar_columns(data, kind)) > 1:
        return
    name, steps = next(iter(uneven.items()))
    raise DataInvalid(
        f"column {named(name)}: {steps[0]} steps in one row, {steps[-1]} in another",
        "equally many steps in every row",
        "fill shorter sequences with NaN to the length of the longest; a step of nothing but NaN is none",
    )


def _lengths(data: str, kind: Kind) -> dict[str, set[int]]:
    """Steps of each column of lists in lists, of rows at the beginning of a file."""
    if kind == "parquet":
        file = ParquetSource(path=data).files()[0]
        nested = [n for n, dtype in parquet_schema(file).items() if _is_nested_twice(dtype)]
        with reading(file, WHOLE):
            head = pl.scan_parquet(file.absolute(), glob=False).select(nested).head(LOOKED_AT).collect()
        lists = [name for name in nested if isinstance(head[name].dtype, pl.List)]
        return {name: set(head[name].drop_nulls().list.len().to_list()) for name in lists}
    if kind != "jsonl":
        return {}
    from kilnworks.components.sources.files.json_lines import rows

    found: dict[str, set[int]] = {}
    for _, row in islice(rows(JsonLinesSource(path=data).files()[0]), LOOKED_AT):
        for name, value in row.items():
            if _form(value):
                found.setdefault(name, set()).add(len(value))
    return found


def plain_rows(data: str, kind: Kind) -> dict[str, tuple[int]]:
    """``array_columns`` where nothing but a label stands beside them, or the archive is in parts; otherwise empty."""
    found = array_columns(data, kind)
    alone = found and (len(scalar_columns(data, kind)) < 2 or isinstance(archive_of(data), GivenSplits))
    return found if alone else {}


def source_of(data: str, kind: Kind) -> Rows:
    """How a pipeline reads it."""
    if kind == "npz":
        return archive_of(data)
    return ParquetSource(path=data) if kind == "parquet" else JsonLinesSource(path=data)


def scalar_columns(data: str, kind: Kind) -> list[str]:
    """The columns that hold one value a row."""
    if kind == "npz":
        return [n for n, (shape, _) in _arrays(data).items() if math.prod(shape[1:]) == 1]
    if kind == "parquet":
        schema = parquet_schema(ParquetSource(path=data).files()[0])
        return [n for n, dtype in schema.items() if not dtype.is_nested()]
    from kilnworks.components.sources.files.json_lines import fields

    nested = ("nothing", "numbers", "objects")
    return [n for n, holds in fields(JsonLinesSource(path=data).files()).items() if holds not in nested]


def _arrays(data: str) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Shape and dtype of each array; of an archive in parts, those of its training part."""
    archive = archive_of(data)
    first = archive.train if isinstance(archive, GivenSplits) else archive
    assert isinstance(first, NpzSource)
    return first.shapes()


def _numbers_in(data: str) -> dict[str, tuple[int, ...]]:
    """Shape of a row of each array of numbers that are no pixels: those are uint8 with two axes a row or more."""
    found = {name: (shape[1:], dtype) for name, (shape, dtype) in _arrays(data).items()}
    return {
        n: s for n, (s, dtype) in found.items() if np.issubdtype(dtype, np.number) and (dtype != np.uint8 or len(s) < 2)
    }


def _in_parquet(file: Path) -> dict[str, tuple[int, ...]]:
    """Form of each column of numbers in lists in lists, empty where it differs from row to row."""
    nested = [n for n, dtype in parquet_schema(file).items() if _is_nested_twice(dtype)]
    if not nested:
        return {}
    with reading(file, WHOLE):
        head = pl.scan_parquet(file.absolute(), glob=False).select(nested).head(LOOKED_AT).collect()
    return {name: _shape(head[name]) for name in nested}


def _in_json_lines(file: Path) -> dict[str, tuple[int, ...]]:
    """The same of fields, of which one line may hold something else than another."""
    from kilnworks.components.sources.files.json_lines import rows

    head = [row for _, row in islice(rows(file), LOOKED_AT)]
    found = {}
    for name in dict.fromkeys(name for row in head for name in row):
        forms = {_form(row[name]) for row in head if row.get(name) is not None}
        found[name] = forms.pop() if len(forms) == 1 else ()
    return found


def _form(value: Any) -> tuple[int, ...]:
    """Steps and channels of a list of equally long lists of numbers; empty for anything else."""
    if not isinstance(value, list) or not value or not all(isinstance(step, list) for step in value):
        return ()
    channels = {len(step) for step in value}
    kinds = {type(number) for step in value for number in step}
    return (len(value), channels.pop()) if len(channels) == 1 and kinds <= {int, float, type(None)} else ()


def _is_nested_twice(dtype: Any) -> bool:
    """Whether it is lists of lists of numbers, and nothing deeper."""
    lists = (pl.List, pl.Array)
    return isinstance(dtype, lists) and isinstance(dtype.inner, lists) and bool(dtype.inner.inner.is_numeric())


def _shape(series: pl.Series) -> tuple[int, ...]:
    """Lengths of the lists, empty where they differ."""
    values = series.drop_nulls()
    if isinstance(values.dtype, pl.Array):
        return tuple(values.dtype.shape)
    steps = set(values.list.len().to_list())
    inside = values.explode()
    channels = {inside.dtype.size} if isinstance(inside.dtype, pl.Array) else set(inside.list.len().to_list())
    return (*steps, *channels) if len(steps) == len(channels) == 1 else ()
