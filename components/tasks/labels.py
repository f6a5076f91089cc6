"""The label of a contract, labels that cannot be learned, and what those of the training split tell, part by part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING

from kilnworks.schemas.contract import Contract, Label
from kilnworks.schemas.errors import ConfigError, DataInvalid
from kilnworks.schemas.words import shown

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.sketches.moments import Moments

SIZES = 20_000
"""Boxes whose sizes are kept."""


@dataclass
class LabelStatistics:
    """Of classes the counts, of values mean, spread and range.

    Attributes:
        rows: labels seen.
        counts: int64 [K], rows that have each class; empty for values.
        values: moments of values.
        logs: moments of the logarithms of values, while all are above 0.
        sizes: height and width of boxes, [n, 2] each, of the first ``SIZES``.
    """

    rows: int
    counts: np.ndarray
    values: Moments
    logs: Moments
    sizes: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, contract: Contract, parts: Iterable[np.ndarray]) -> LabelStatistics:
        """The statistics of encoded labels: class indices or values [rows], or 0 and 1 for each class [rows, K]."""
        import numpy as np

        from kilnworks.components.sketches.moments import Moments

        label = contract.label
        found = cls(0, np.zeros(len(label.classes or ()) if label else 0, np.int64), Moments(), Moments())
        for part in parts:
            found.add(part)
        return found

    def add(self, label: np.ndarray) -> None:
        """Take in some more labels, [rows] or [rows, K], or boxes [rows, boxes, 5]."""
        import numpy as np

        self.rows += len(label)
        if label.ndim == 3:
            boxes = label[label[..., 4] >= 0]
            self.counts += np.bincount(boxes[:, 4].astype(np.int64), minlength=len(self.counts))
            self.sizes.append((boxes[:, 2:4] - boxes[:, :2])[: max(0, SIZES - sum(map(len, self.sizes)))])
            return
        if len(self.counts):
            several = label.ndim > 1
            each = label.sum(axis=0, dtype=np.int64) if several else np.bincount(label, minlength=len(self.counts))
            self.counts += each
            return
        self.values.merge(type(self.values).of(label))
        if self.low > 0:
            self.logs.merge(type(self.logs).of(np.log(label.astype(np.float64))))

    @property
    def mean(self) -> float:
        """Of values."""
        return float(self.values.mean)

    @property
    def variance(self) -> float:
        """Of values, divided by ``rows``."""
        return float(self.values.variance)

    @property
    def low(self) -> float:
        """Smallest value."""
        return self.values.low

    @property
    def high(self) -> float:
        """Largest value."""
        return self.values.high

    @property
    def log_mean(self) -> float:
        """Of the logarithms of values; NaN where one is 0 or less."""
        return float(self.logs.mean) if self.low > 0 else nan

    @property
    def log_variance(self) -> float:
        """Of the logarithms of values, divided by ``rows``; NaN where one is 0 or less."""
        return float(self.logs.variance) if self.low > 0 else nan


def refuse_labels(label: Label, series: pl.Series, bad: np.ndarray, wanted: str) -> None:
    """Raise ``DataInvalid`` where a label is ``bad`` [rows]."""
    if not bad.any():
        return
    import polars as pl

    samples = [shown(v) for v in series.filter(pl.Series(bad)).unique(maintain_order=True).head(5)]
    count = int(bad.sum())
    raise DataInvalid(
        f"label {label.name!r}: {count} of {len(series)} values cannot be learned, such as {', '.join(samples)}",
        wanted,
        "correct the rows or the classes of the contract",
        [{"split": None, "column": label.name, "rule": "label", "severity": "critical", "unexpected": count,
          "checked": len(series), "samples": samples}],
    )  # fmt: skip


def labelled(contract: Contract) -> Label:
    """The label of a contract. Raises ``ConfigError`` where there is none."""
    if contract.label is None:
        raise ConfigError(
            f"contract {contract.name!r} has no label", "label: {name: ..., dtype: ...}", "add one to train"
        )
    return contract.label
