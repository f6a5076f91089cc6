"""The distribution of each feature of a set of rows, in a form that adds up: histograms and counts."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.stats.histogram import Histogram
from kilnworks.components.sketches.counts import ValueCounts
from kilnworks.schemas.contract import Contract, Dtype

Distribution = Histogram | ValueCounts
Summary = dict[str, Distribution]

BINS = 64
LEVELS = 10_000
"""Most categories that are counted one by one; the rest is counted together."""
NO_COUNTS = ValueCounts(most=LEVELS, kept=LEVELS)


def summarise(frame: pl.DataFrame, contract: Contract, like: Mapping[str, Distribution] | None = None) -> Summary:
    """Distribution of each scalar feature, and of the label, that the frame has; long codes are categories.

    ``like`` gives the cut points of an earlier summary: only then can the two be merged or compared.
    """
    dtypes: dict[str, Dtype] = {
        n: "string" if f.wide and f.allowed is not None else f.dtype
        for n, f in contract.features.items()
        if not f.shape
    }
    if contract.label is not None:
        dtypes[contract.label.name] = contract.label.dtype if contract.label.classes is None else "string"
    return {
        name: _distribution(frame[name], dtype, (like or {}).get(name))
        for name, dtype in dtypes.items()
        if name in frame.columns
    }


def merge_into(total: Summary, part: Summary) -> Summary:
    """The summary of both; ``part`` made ``like`` the total, which may be empty at first."""
    return {name: merge_two(total[name], d) if name in total else d for name, d in part.items()}


def merge(parts: list[Summary]) -> Summary:
    """The summary of all parts together; all made ``like`` one another."""
    total: Summary = {}
    for part in parts:
        total = merge_into(total, part)
    return total


def merge_two(a: Distribution, b: Distribution) -> Distribution:
    """The distribution of both parts. Raises ``ValueError`` where one is a histogram and the other is not."""
    if isinstance(a, Histogram) and isinstance(b, Histogram):
        return a.merge(b)
    if isinstance(a, ValueCounts) and isinstance(b, ValueCounts):
        return a.merged(b)
    raise ValueError("a histogram and counts of categories do not add up")


def _distribution(series: pl.Series, dtype: Dtype, like: Distribution | None) -> Distribution:
    if dtype in ("string", "bool"):
        return NO_COUNTS.of(series.cast(pl.String))
    edges = like.edges if isinstance(like, Histogram) else None
    if series.dtype.is_temporal():
        series = series.cast(pl.Datetime("us")).cast(pl.Int64) / 1e6
    if series.dtype.is_integer() and edges is not None:
        return _whole_numbers(series, edges)
    values = series.cast(pl.Float64, strict=False).to_numpy().astype(float)
    values = np.where(np.isinf(values), np.nan, values)
    return Histogram.quantiles(values, BINS) if edges is None else Histogram.of(values, edges)


def _whole_numbers(series: pl.Series, edges: NDArray[np.float64]) -> Histogram:
    """A histogram by way of the different values, which are few compared with the rows."""
    counts = series.drop_nulls().alias("value").value_counts()
    values = counts[counts.columns[0]].cast(pl.Float64).to_numpy()
    found = Histogram.of(values, edges, counts["count"].to_numpy().astype(float))
    return Histogram(edges, found.counts, series.null_count())
