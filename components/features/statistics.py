"""Mergeable statistics of columns: seen batch by batch, each batch once, in memory that does not grow with the rows."""

import numpy as np
import polars as pl

from kilnworks.components.sketches.moments import Moments

Array = np.ndarray


def scalar_moments(frame: pl.DataFrame) -> dict[str, Moments]:
    """Moments of every column of a frame of Float64 columns, in one parallel pass; NaN counts as missing."""
    names = frame.columns
    columns = [pl.col(c).fill_nan(None) for c in names]
    row = frame.select(
        *(c.count().alias(f"n{i}") for i, c in enumerate(columns)),
        *(c.mean().alias(f"mean{i}") for i, c in enumerate(columns)),
        *(c.var(ddof=0).alias(f"var{i}") for i, c in enumerate(columns)),
        *(c.min().alias(f"low{i}") for i, c in enumerate(columns)),
        *(c.max().alias(f"high{i}") for i, c in enumerate(columns)),
    ).row(0, named=True)
    out = {}
    for i, name in enumerate(names):
        count = row[f"n{i}"]
        missing = frame.height - count
        out[name] = (
            Moments(count, missing, row[f"mean{i}"], row[f"var{i}"] * count, row[f"low{i}"], row[f"high{i}"])
            if count
            else Moments(missing=missing)
        )
    return out


def tensor_moments(values: Array) -> Moments:
    """Moments along the last axis of ``[rows, ..., C]``; rows that are NaN throughout count as missing.

    A single NaN inside a row that has values is left out of the sums of its place.
    """
    rows = values.reshape(len(values), -1)
    missing = int(np.isnan(rows).all(axis=1).sum())
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    present = ~np.isnan(flat)
    counts = present.sum(axis=0)
    if not counts.all():
        return Moments(missing=missing)
    mean = np.where(present, flat, 0).sum(axis=0) / counts
    squares = np.where(present, (flat - mean) ** 2, 0).sum(axis=0)
    count = int(counts.mean())
    scaled = squares * (count / counts)
    return Moments(count, missing, mean, scaled, float(np.nanmin(flat)), float(np.nanmax(flat)))
