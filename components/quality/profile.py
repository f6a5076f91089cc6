"""Statistics of every feature and the label, by split: JSON values without NaN.

A column is read by itself, so memory is bounded by the widest column; a number column is sorted once and everything
else read off the sorted values. Sensitive features keep counts and shapes, and give no single values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from schemas.contract import Contract, Feature

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
BINS = 20
TOP = 10


def profile_splits(files: Mapping[str, Sequence[Path]], contract: Contract) -> dict[str, Any]:
    """``{split: {"rows": n, "features": {name: statistics}}}``; the label is among the features, with ``classes``."""
    return {split: _profile_split(shards, contract) for split, shards in files.items()}


def _profile_split(shards: Sequence[Path], contract: Contract) -> dict[str, Any]:
    present = pl.read_parquet_schema(shards[0])
    rows = int(pl.scan_parquet(list(shards)).select(pl.len()).collect().item())
    label = contract.label.name if contract.label else None
    features: dict[str, Any] = {}
    for name in (n for n in [*contract.features, *([label] if label else [])] if n in present):
        feature = contract.features.get(name)
        if feature is not None and feature.shape:
            features[name] = tensor_statistics([_column(shard, name) for shard in shards], feature)
            continue
        series = pl.concat([_column(shard, name) for shard in shards])
        features[name] = column_statistics(series, sensitive=feature.sensitive if feature else False)
        if contract.label is not None and name == label and contract.label.classes is not None:
            features[name]["classes"] = class_counts(series, contract.label.classes)
    return {"rows": rows, "features": features}


def _column(shard: Path, name: str) -> pl.Series:
    return pl.read_parquet(shard, columns=[name]).get_column(name)


def column_statistics(series: pl.Series, *, sensitive: bool = False) -> dict[str, Any]:
    """Statistics of a scalar column.

    Always ``kind, count, missing, missing_share, distinct``. Numbers: ``min, max, mean, std, zeros, infinite,
    quantiles, histogram`` over the finite ones; mean and std are None where they overflow. Texts and booleans:
    ``top_values``; texts also ``length``. Datetimes: ``min, max`` (ISO 8601) and ``histogram``.
    """
    there = series.drop_nulls()
    common = {
        "count": len(series),
        "missing": series.null_count(),
        "missing_share": _share(series.null_count(), len(series)),
    }
    if series.dtype.is_numeric():
        return {"kind": "number", **common, **_numbers(there, sensitive)}
    if series.dtype.is_temporal():
        return {"kind": "datetime", **common, **_times(there.cast(pl.Datetime("us")), sensitive)}
    kind = "boolean" if series.dtype == pl.Boolean else "text"
    return {"kind": kind, **common, **_texts(there, kind == "text", sensitive)}


def class_counts(series: pl.Series, classes: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of each class of the contract, in its order; values that are no class are left out."""
    counted = series.value_counts()
    counts = dict(zip(counted.get_column(series.name or ""), counted.get_column("count"), strict=True))
    rows = len(series)
    return [{"value": c, "count": int(counts.get(c, 0)), "share": _share(int(counts.get(c, 0)), rows)} for c in classes]


def _numbers(there: pl.Series, sensitive: bool) -> dict[str, Any]:
    values = there.sort().to_numpy()
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    distinct = int(np.count_nonzero(values[1:] != values[:-1])) + 1 if len(values) else 0
    found: dict[str, Any] = {"distinct": distinct, "infinite": len(values) - len(finite)}
    if not len(finite):
        return found
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(finite.mean(dtype=np.float64)), float(finite.std(dtype=np.float64))
    found |= {"mean": _finite(mean), "std": _finite(std), "zeros": int(np.count_nonzero(finite == 0))}
    found["quantiles"] = {f"{q:g}": float(finite[round(q * (len(finite) - 1))]) for q in QUANTILES}
    if not sensitive:
        found |= {"min": float(finite[0]), "max": float(finite[-1]), "histogram": _histogram(finite)}
    return found


def _histogram(ordered: np.ndarray) -> dict[str, Any]:
    """Counts of ``BINS`` equally wide bins over sorted finite values; the last bin holds its right edge."""
    low, high = float(ordered[0]), float(ordered[-1])
    if low == high:
        return {"edges": [low, high], "counts": [len(ordered)]}
    steps = np.linspace(0, 1, BINS + 1)
    edges = low * (1 - steps) + high * steps
    places = np.searchsorted(ordered, edges[1:-1], side="left")
    counts = np.diff(np.concatenate([[0], places, [len(ordered)]]))
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _times(there: pl.Series, sensitive: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"distinct": there.n_unique()}
    if len(there) and not sensitive:
        ordered = there.sort()
        counts = _histogram(ordered.to_physical().to_numpy())
        edges = pl.Series(counts["edges"]).cast(pl.Int64).cast(pl.Datetime("us")).dt.to_string("iso").to_list()
        first, last = ordered.dt.to_string("iso").gather([0, len(ordered) - 1])
        found |= {"min": first, "max": last, "histogram": {"edges": edges, "counts": counts["counts"]}}
    return found


def _texts(there: pl.Series, is_text: bool, sensitive: bool) -> dict[str, Any]:
    counted = there.rename("value").value_counts()
    found: dict[str, Any] = {"distinct": counted.height}
    if not sensitive:
        top = counted.sort("count", "value", descending=[True, False]).head(TOP)
        found["top_values"] = [{"value": value, "count": count} for value, count in top.iter_rows()]
    if is_text and counted.height:
        lengths = counted.get_column("value").str.len_chars().cast(pl.Int64)
        mean = float((lengths * counted.get_column("count").cast(pl.Int64)).sum()) / len(there)
        found["length"] = {"min": lengths.min(), "mean": mean, "max": lengths.max()}
    return found


def tensor_statistics(shards: Sequence[pl.Series], feature: Feature) -> dict[str, Any]:
    """Statistics over all elements of an image or tensor column, merged shard by shard.

    ``count`` and ``missing`` are rows; ``min, max, mean, std, histogram`` are of elements.
    """
    kind = "image" if feature.dtype == "image" else "tensor"
    rows, missing = sum(map(len, shards)), sum(s.null_count() for s in shards)
    found = {
        "kind": kind,
        "shape": list(feature.shape),
        "count": rows,
        "missing": missing,
        "missing_share": _share(missing, rows),
    }
    parts = [_elements(s) for s in shards if len(s) > s.null_count()]
    if not sum(len(part) for part in parts):
        return found
    low, high = float(min(p.min() for p in parts)), float(max(p.max() for p in parts))
    size = sum(part.size for part in parts)
    mean = sum(float(part.sum(dtype=np.float64)) for part in parts) / size
    spread = sum(float(np.square(part - mean, dtype=np.float64).sum()) for part in parts) / size
    edges = np.linspace(low, high, BINS + 1) if high > low else np.array([low, high])
    bins = edges if high > low else np.array([low - 0.5, high + 0.5])
    counts = sum((np.histogram(part, bins=bins)[0] for part in parts), np.zeros(len(bins) - 1, dtype=np.int64))
    histogram = {"edges": edges.tolist(), "counts": counts.tolist()}
    return {**found, "min": low, "max": high, "mean": mean, "std": float(np.sqrt(spread)), "histogram": histogram}


def _elements(series: pl.Series) -> np.ndarray:
    """All finite elements of a column of fixed-size lists, flat."""
    values = series.drop_nulls().explode().to_numpy()
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
