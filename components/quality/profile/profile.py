"""Statistics of every feature and the label, by split, in one pass over the rows: JSON values without NaN.

A column of a batch is read by itself and becomes partial results, which merge; memory is bounded by a
column of a batch whatever the number of rows. Sensitive features keep counts and shapes, and give no single values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.quality.profile import association
from kilnworks.components.quality.profile.association import Association, Target
from kilnworks.components.quality.profile.images import Prints, duplicates
from kilnworks.components.quality.profile.numbers import Numbers
from kilnworks.components.quality.profile.texts import Texts, coded
from kilnworks.components.quality.rows.batches import RowBatch, Rows
from kilnworks.components.quality.rows.tensor_columns import file_columns
from kilnworks.components.sketches.moments import Moments
from kilnworks.components.sketches.weighted import Weighted
from kilnworks.schemas import boxes
from kilnworks.schemas.contract import Contract, Feature, Label

ELEMENTS = 4_000_000
"""Elements of a batch of float tensors that are sorted; evenly spread over all."""


@dataclass
class Part:
    """Partial statistics of one column."""

    kind: str
    count: int
    missing: int
    values: Numbers | Texts
    association: Association | None = None
    prints: Prints | None = None
    brightness: Numbers | None = None
    files: dict[str, Part] = field(default_factory=dict)
    """Of what the files of images hold, by ``FILE_PARTS``."""

    def merge(self, other: Part) -> Part:
        """Of both batches."""
        if isinstance(self.values, Numbers) and isinstance(other.values, Numbers):
            values: Numbers | Texts = self.values.merge(other.values)
        elif isinstance(self.values, Texts) and isinstance(other.values, Texts):
            values = self.values.merge(other.values)
        else:
            raise ValueError("numbers and texts do not add up")
        return Part(
            self.kind,
            self.count + other.count,
            self.missing + other.missing,
            values,
            association.merge(self.association, other.association) if self.association and other.association else None,
            Prints.together([self.prints, other.prints]) if self.prints and other.prints else None,
            self.brightness.merge(other.brightness) if self.brightness and other.brightness else None,
            {name: part.merge(other.files[name]) for name, part in self.files.items()},
        )


def profile_rows(splits: Mapping[str, Rows], contract: Contract) -> dict[str, Any]:
    """``{split: {"rows": n, "features": {name: statistics}}}``; the label is among the features, with ``classes``."""
    parts = {split: _parts_of(rows, contract) for split, rows in splits.items()}
    return describe(parts, {split: rows.height for split, rows in splits.items()}, contract)


def describe(parts: Mapping[str, Mapping[str, Part]], heights: Mapping[str, int], contract: Contract) -> dict[str, Any]:
    """The profile from partial statistics by split and column."""
    found: dict[str, dict[str, Any]] = {
        split: {"rows": heights[split], "features": {n: _statistics(n, p, contract) for n, p in columns.items()}}
        for split, columns in parts.items()
    }
    for name in (n for n, f in contract.features.items() if f.dtype == "image"):
        prints = {split: columns[name].prints for split, columns in parts.items() if name in columns}
        there = {split: p for split, p in prints.items() if p is not None}
        for split, twice in duplicates(there).items() if there else ():
            found[split]["features"][name]["duplicates"] = twice
    return found


def parts_of_frame(frame: pl.DataFrame, contract: Contract) -> dict[str, Part]:
    """Partial statistics of some rows by column, to be merged with those of others."""
    return _parts_of_batch(RowBatch((frame.lazy(),), frame.height), frame.columns, contract, alone=False)


def _parts_of(rows: Rows, contract: Contract) -> dict[str, Part]:
    alone = len(rows.batches) <= 1
    found: dict[str, Part] = {}
    for batch in rows.batches or (RowBatch((pl.LazyFrame(schema=dict(rows.schema)),), 0),):
        for name, part in _parts_of_batch(batch, rows.columns, contract, alone).items():
            found[name] = found[name].merge(part) if name in found else part
    return found


def _parts_of_batch(batch: RowBatch, columns: Sequence[str], contract: Contract, alone: bool) -> dict[str, Part]:
    label = contract.label if contract.label and contract.label.name in columns else None
    target = Target.of(batch.column(label.name), label.classes) if label and not label.several else None
    names = [n for n in [*contract.features, *([label.name] if label else [])] if n in columns]
    found = {}
    for name, frame in zip(names, batch.frames([[name] for name in names]), strict=True):
        feature = contract.features.get(name)
        found[name] = _part(frame.to_series(), feature, target if feature is not None else None, alone)
    for column in file_columns(contract, columns):
        name, _, part = column.rpartition("__")
        values = batch.column(column)
        found[name].files[part] = _part(values.cast(pl.String) if part == "channels" else values, None, None, alone)
    return found


def _part(series: pl.Series, feature: Feature | None, target: Target | None, alone: bool) -> Part:
    count, missing = len(series), series.null_count()
    if feature is not None and feature.shape:
        return _tensor_part(series, feature, count, missing, alone)
    if series.dtype.is_numeric():
        linked = association.of_numbers(series, target) if target else None
        return Part("number", count, missing, Numbers.of(series, alone=alone), linked)
    if series.dtype.is_temporal():
        moments = series.cast(pl.Datetime("us")).to_physical()
        return Part("datetime", count, missing, Numbers.of(moments, alone=alone))
    kind = "boolean" if series.dtype == pl.Boolean else "text"
    counts, codes = coded(series)
    classed = target is not None and target.classes > 0
    linked = association.of_texts(counts.get_column("value"), codes, target) if target and classed else None
    return Part(kind, count, missing, Texts.from_counts(counts, kind == "text", alone=alone), linked)


def _tensor_part(series: pl.Series, feature: Feature, count: int, missing: int, alone: bool) -> Part:
    kind = "image" if feature.dtype == "image" else "tensor"
    there = series.drop_nulls()
    fits = isinstance(series.dtype, pl.Array) and series.dtype.shape[0] == int(np.prod(feature.shape))
    elements = _element_numbers(there, alone) if len(there) else Numbers.of(pl.Series([], dtype=pl.Float64))
    part = Part(kind, count, missing, elements)
    if kind == "image" and fits and series.dtype.inner == pl.UInt8:  # type: ignore[attr-defined]
        pixels = there.to_numpy().reshape(-1, *feature.shape) if len(there) else np.empty((0, *feature.shape), np.uint8)
        part.prints = Prints.of(pixels)
        part.brightness = Numbers.of(pl.Series(part.prints.brightness.astype(np.float64)), alone=alone)
    return part


def _element_numbers(there: pl.Series, alone: bool) -> Numbers:
    """All elements of a column of fixed-size lists; of many floats an even share is sorted, moments are of all."""
    values = there.explode().to_numpy()
    step = -(-len(values) // ELEMENTS) if values.dtype.kind == "f" else 1
    if values.dtype.kind in "iu":
        values = values.astype(np.int64)
    found = Numbers.of(pl.Series(values[::step]), alone=alone)
    if step > 1:
        finite = values[np.isfinite(values)]
        weights = found.seen.weights * (len(finite) / max(1.0, found.seen.rows))
        found.seen, found.infinite = Weighted(found.seen.values, weights), len(values) - len(finite)
        mean, squares = float(finite.mean(dtype=np.float64)), float(finite.var(dtype=np.float64)) * len(finite)
        found.moments = Moments(len(finite), 0, mean, squares, float(finite.min()), float(finite.max()))
    return found


def _statistics(name: str, part: Part, contract: Contract) -> dict[str, Any]:
    feature, label = contract.features.get(name), contract.label
    sensitive = feature.sensitive if feature else False
    read = feature.text if feature else False
    found = (
        _tensor_found(part, feature) if feature is not None and feature.shape else _scalar_found(part, sensitive, read)
    )
    if label is not None and name == label.name and label.classes is not None:
        if label.boxes is not None:
            found.pop("top_values", None)  # each is the boxes of one image
        found["classes"] = _classes(part, label.classes, _classes_in(label))
    measured = part.association.measure() if part.association is not None else None
    if measured is not None and label is not None:
        found["association"] = {"with": label.name, "measure": measured[0], "value": measured[1]}
    return found


def _scalar_found(part: Part, sensitive: bool, read: bool = False) -> dict[str, Any]:
    """``read``: a text of which no whole value is shown."""
    common = {
        "kind": part.kind,
        "count": part.count,
        "missing": part.missing,
        "missing_share": _share(part.missing, part.count),
    }
    if part.kind == "datetime" and isinstance(part.values, Numbers):
        return {**common, **_times(part.values, sensitive)}
    found = part.values.statistics(sensitive=sensitive)
    if read:
        found.pop("top_values", None)
    return {**common, **found}


def _tensor_found(part: Part, feature: Feature) -> dict[str, Any]:
    found = {
        "kind": part.kind,
        "shape": list(feature.shape),
        "count": part.count,
        "missing": part.missing,
        "missing_share": _share(part.missing, part.count),
    }
    values = part.values
    if isinstance(values, Numbers) and values.rows:
        told = values.statistics(sensitive=feature.sensitive)
        found |= {k: told[k] for k in ("min", "max", "mean", "std", "histogram") if k in told}
    if part.brightness is not None and part.brightness.rows:
        told = part.brightness.statistics(sensitive=feature.sensitive)
        found["brightness"] = {k: told[k] for k in ("min", "mean", "max", "std", "histogram") if k in told}
    if part.files:
        found["files"] = {n: p.values.statistics(sensitive=feature.sensitive) for n, p in part.files.items()}
    return found


def _times(values: Numbers, sensitive: bool) -> dict[str, Any]:
    """``min, max`` and the histogram's edges as ISO 8601."""
    found: dict[str, Any] = {"distinct": values.distinct}
    if values.rows and not sensitive:
        drawn = values.histogram()
        edges = pl.Series([*drawn["edges"]]).cast(pl.Int64).cast(pl.Datetime("us")).dt.to_string("iso").to_list()
        ends = (
            pl.Series([int(values.moments.low), int(values.moments.high)])
            .cast(pl.Datetime("us"))
            .dt.to_string("iso")
            .to_list()
        )
        found |= {"min": ends[0], "max": ends[1], "histogram": {"edges": edges, "counts": drawn["counts"]}}
    return found


def _classes_in(label: Label) -> Callable[[str], Collection[str]] | None:
    """From a cell to the classes in it, where there may be several."""
    if label.boxes is not None:
        return lambda text: {box.name for box in boxes.read(text)}
    return (lambda text: text.split(label.separator)) if label.many else None


def _classes(
    part: Part, classes: Sequence[Any], within: Callable[[str], Collection[str]] | None = None
) -> list[dict[str, Any]]:
    """Rows of each class of the contract, in its order; values that are no class are left out.

    ``within``: from the cell of a row that may have several to its classes.
    """
    if isinstance(part.values, Texts):
        pairs = dict(part.values.counts.iter_rows())
    else:
        pairs = {v.item(): int(w) for v, w in zip(part.values.seen.values, part.values.seen.weights, strict=True)}
    if within is not None:
        rows = [(within(text), count) for text, count in pairs.items() if isinstance(text, str)]
        pairs = {c: sum(count for parts, count in rows if str(c) in parts) for c in classes}
    counts = [int(pairs.get(c, 0)) for c in classes]
    return [{"value": c, "count": n, "share": _share(n, part.count)} for c, n in zip(classes, counts, strict=True)]


def column_statistics(series: pl.Series, *, sensitive: bool = False) -> dict[str, Any]:
    """Statistics of a scalar column by itself.

    Always ``kind, count, missing, missing_share, distinct``. Numbers: ``min, max, mean, std, zeros, infinite,
    quantiles, histogram`` over the finite ones; mean and std are None where they overflow. Texts and booleans:
    ``top_values``; texts also ``length``, and ``words`` where they are more than names. Datetimes: ``min, max``
    (ISO 8601) and ``histogram``. ``approximate`` names what is estimated, in very long columns.
    """
    return _scalar_found(_part(series, None, None, alone=True), sensitive)


def tensor_statistics(shards: Sequence[pl.Series], feature: Feature) -> dict[str, Any]:
    """Statistics over all elements of an image or tensor column, merged shard by shard.

    ``count`` and ``missing`` are rows; ``min, max, mean, std, histogram`` are of elements; ``brightness`` of images;
    ``files`` of what the files held that they were decoded from, by ``FILE_PARTS``.
    """
    first, *rest = [_part(shard, feature, None, alone=len(shards) == 1) for shard in shards]
    for part in rest:
        first = first.merge(part)
    return _tensor_found(first, feature)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
