"""Which columns of a file hold sequences: steps of channels, equally many in every row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.sources import JsonLinesSource, NpzSource, ParquetSource
from kilnworks.components.starting.open_data import Kind

Rows = NpzSource | ParquetSource | JsonLinesSource
FEWEST_STEPS = 4
"""An array with fewer steps is no course."""
LOOKED_AT = 200
"""Rows of lists whose lengths are looked at; the run looks at all."""


def sequence_columns(data: str, kind: Kind) -> dict[str, tuple[int, int]]:
    """Steps and channels of each column of sequences; empty where there is none.

    In ``.npz`` an array [N, T, C] of numbers that are no pixels; in Parquet and JSON lines T lists of C numbers each.
    """
    if kind == "npz":
        shapes = NpzSource(path=data).shapes()
        found = {n: s[1:] for n, (s, dtype) in shapes.items() if np.issubdtype(dtype, np.number) and dtype != np.uint8}
    elif kind in ("parquet", "jsonl"):
        head = _head(data, kind)
        found = {n: _shape(head[n]) for n, dtype in head.schema.items() if _is_nested_twice(dtype)}
    else:
        return {}
    return {n: (int(s[0]), int(s[1])) for n, s in found.items() if len(s) == 2 and s[0] >= FEWEST_STEPS}


def source_of(data: str, kind: Kind) -> Rows:
    """How a pipeline reads it."""
    if kind == "npz":
        return NpzSource(path=data)
    return ParquetSource(path=data) if kind == "parquet" else JsonLinesSource(path=data)


def scalar_columns(data: str, kind: Kind) -> list[str]:
    """The columns that hold one value a row."""
    if kind == "npz":
        return [n for n, (shape, _) in NpzSource(path=data).shapes().items() if math.prod(shape[1:]) == 1]
    return [n for n, dtype in _head(data, kind).schema.items() if not dtype.is_nested()]


def _head(data: str, kind: Kind) -> pl.DataFrame:
    """The first rows, in the types of the file."""
    files = source_of(data, kind).files()
    if kind == "parquet":
        return pl.read_parquet(files[0], n_rows=LOOKED_AT)
    from itertools import islice

    from kilnworks.components.sources.files.json_lines import rows

    return pl.DataFrame([row for _, row in islice(rows(files[0]), LOOKED_AT)], infer_schema_length=None, strict=False)


def _is_nested_twice(dtype: Any) -> bool:
    if isinstance(dtype, pl.Array):
        return len(dtype.shape) == 2 and _innermost(dtype).is_numeric()
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    return isinstance(inner, (pl.List, pl.Array)) and _innermost(dtype).is_numeric()


def _innermost(dtype: Any) -> Any:
    while isinstance(dtype, (pl.List, pl.Array)):
        dtype = dtype.inner
    return dtype


def _shape(series: pl.Series) -> tuple[int, ...]:
    """Lengths of the lists, empty where they differ."""
    values = series.drop_nulls()
    if isinstance(values.dtype, pl.Array):
        return tuple(values.dtype.shape)
    steps = set(values.list.len().to_list())
    inside = values.explode()
    channels = {inside.dtype.size} if isinstance(inside.dtype, pl.Array) else set(inside.list.len().to_list())
    return (*steps, *channels) if len(steps) == len(channels) == 1 else ()
