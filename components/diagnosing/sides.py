"""The losses of a training on both of its splits, as shares of what a constant answer loses. Plain numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kilnworks.schemas.json_values import as_dict, as_list, as_number

FEWEST = 10
"""Groups below which a mean has no interval."""
WIDE = 2.0
"""Standard errors to each side of a mean: about 95 %."""


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval; both ends infinite where there are too few groups for one."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Of the values of groups of equal size."""
        value = statistics.fmean(values)
        if len(values) < FEWEST:
            return cls(value, -math.inf, math.inf)
        wide = WIDE * statistics.stdev(values) / math.sqrt(len(values))
        return cls(value, value - wide, value + wide)

    def less(self, other: Mean) -> Mean:
        """It less another of independent rows."""
        value = self.value - other.value
        wide = math.hypot(self.high - self.value, other.high - other.value)
        return Mean(value, value - wide, value + wide)

    def record(self) -> dict[str, float | None]:
        """As JSON-serializable values."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {name: end if math.isfinite(end) else None for name, end in ends.items()}


@dataclass(frozen=True)
class Side:
    """One split.

    Attributes:
        rows: that were measured.
        loss: of each group.
        constant: the same where every row gets the usual output.
        shuffled: the same where each gets the output of another row.
    """

    rows: int
    loss: Sequence[float]
    constant: Sequence[float]
    shuffled: Sequence[float]

    @classmethod
    def read(cls, told: Any) -> Side | None:
        """What ``diagnosis.json`` says of a split; None where it is not there or has a number that is none."""
        found = {n: [as_number(v) for v in as_list(as_dict(told).get(n))] for n in ("loss", "constant", "shuffled")}
        numbers = {n: [v for v in values if v is not None and math.isfinite(v)] for n, values in found.items()}
        counts = {len(values) for values in numbers.values()} | {len(values) for values in found.values()}
        if len(counts) != 1 or counts == {0}:
            return None
        return cls(int(as_number(as_dict(told).get("rows")) or 0), **numbers)

    @property
    def scale(self) -> float | None:
        """What a constant answer loses; None where shares of it mean nothing."""
        usual = statistics.fmean(self.constant)
        return usual if usual > 0 and min(self.loss) >= 0 else None

    def shares(self) -> list[float]:
        """The loss of each group as a share of what a constant answer loses."""
        return [loss / (self.scale or 1.0) for loss in self.loss]

    def skill(self) -> Mean:
        """The share of a constant answer's loss that the model takes away: 1 is perfect, 0 is worth nothing.

        The skill score of Murphy (1988): R squared for squared errors, McFadden's for cross-entropy.
        """
        return Mean.of([(c - x) / (self.scale or 1.0) for c, x in zip(self.constant, self.loss, strict=True)])

    def tells(self) -> Mean:
        """What outputs of another row would lose more, as a share; 0 where outputs say nothing of their row."""
        return Mean.of([(s - x) / (self.scale or 1.0) for s, x in zip(self.shuffled, self.loss, strict=True)])


@dataclass(frozen=True)
class Sides:
    """Both splits; None where one was not measured."""

    train: Side
    val: Side | None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Sides | None:
        """The content of ``diagnosis.json``; None where it says nothing that can be judged."""
        train = Side.read(told.get("train"))
        return cls(train, Side.read(told.get("val"))) if train is not None else None

    @property
    def comparable(self) -> bool:
        """Whether there is a validation split, and shares of the loss mean something."""
        return self.val is not None and self.train.scale is not None and self.val.scale is not None

    def gap(self) -> Mean:
        """By how much more is lost on validation rows, as a share of what a constant answer loses there."""
        assert self.val is not None
        scale = self.val.scale or 1.0
        return Mean.of([x / scale for x in self.val.loss]).less(Mean.of([x / scale for x in self.train.loss]))
