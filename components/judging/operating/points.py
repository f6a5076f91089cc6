"""Which threshold a decision is made by, as a setting, and how it is chosen from validation rows.

Every threshold that tells rows apart is tried: the middles between neighbouring scores, and one outside of each end.
Costs after Elkan 2001, F-beta after van Rijsbergen 1979. Imports nothing heavy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, SerializeAsAny

from kilnworks.schemas.config import Config, accept_any
from kilnworks.schemas.errors import DataInvalid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """What each threshold gives, [T] each: rows above it count as positive.

    Attributes:
        threshold: rising, 0 to 1; such that float32 tells the same rows apart.
        tp, fp, fn, tn: rows that are rightly positive, wrongly positive, wrongly negative and rightly negative.
    """

    threshold: Floats
    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats

    @classmethod
    def of(cls, truth: NDArray[np.integer], score: NDArray[np.floating]) -> Counts:
        """From ``truth`` (0 or 1, [N]) and ``score`` (probability of class 1, [N])."""
        import numpy as np

        from kilnworks.components.judging.metrics import cells

        found = cells(truth, score)
        edges = np.concatenate([[0.0], found.score, [1.0]])
        middle = ((edges[:-1] + edges[1:]) / 2).astype(np.float32).astype(np.float64)
        fn, tn = (np.concatenate([[0.0], np.cumsum(side)]) for side in (found.positive, found.negative))
        return cls(np.where(middle >= edges[1:], edges[:-1], middle), fn[-1] - fn, tn[-1] - tn, fn, tn)

    @property
    def precision(self) -> Floats:
        """Of the rows that count as positive the share that is, [T]; NaN where none does."""
        from kilnworks.components.judging.metrics import ratio

        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Floats:
        """Of the positive rows the share that is found, [T]."""
        from kilnworks.components.judging.metrics import ratio

        return ratio(self.tp, self.tp + self.fn)

    def f(self, beta: float) -> Floats:
        """F-beta, [T]; 0 where no positive row is found."""
        square = beta * beta
        return (1 + square) * self.tp / ((1 + square) * self.tp + square * self.fn + self.fp)

    def at(self, place: int) -> dict[str, float | None]:
        """The rates at one of the thresholds, 0 to 1 each; None where there is none."""
        tp, fp, fn, tn = (float(side[place]) for side in (self.tp, self.fp, self.fn, self.tn))
        precision = tp / (tp + fp) if tp + fp else None
        rates = {"precision": precision, "recall": tp / (tp + fn), "specificity": tn / (tn + fp)}
        return {**rates, "f1": 2 * tp / (2 * tp + fp + fn), "flagged": (tp + fp) / (tp + fp + fn + tn)}


class OperatingPoint(Config, ABC):
    """How the threshold is found."""

    @property
    @abstractmethod
    def words(self) -> str:
        """The rule, for a reader."""

    @property
    @abstractmethod
    def measure(self) -> str:
        """What ``worth`` counts, for the axis of a picture."""

    @abstractmethod
    def worth(self, counts: Counts) -> Floats:
        """What is wanted as large as can be, [T]; NaN for thresholds that are not allowed."""

    def drawn(self, counts: Counts) -> Floats:
        """The same as it is shown, [T]."""
        return self.worth(counts)

    def best(self, counts: Counts) -> int:
        """The place of the threshold; of equal ones that which is nearest to 0.5.

        Raises:
            DataInvalid: no threshold is allowed.
        """
        import numpy as np

        inside = (counts.threshold > 0) & (counts.threshold < 1)
        worth = np.where(inside, self.worth(counts), np.nan)
        if np.isnan(worth).all():
            raise self.unreached(counts)
        equal = np.flatnonzero(worth >= np.nanmax(worth) - 1e-12)
        return int(equal[np.argmin(np.abs(counts.threshold[equal] - 0.5))])

    def unreached(self, counts: Counts) -> DataInvalid:
        """What to say where no threshold is allowed."""
        return DataInvalid("no threshold is allowed", self.words, "ask for another operating point")


class Fixed(OperatingPoint):
    """A threshold that is given."""

    kind: Literal["fixed"] = "fixed"
    value: float = Field(default=0.5, gt=0, lt=1)
    """The probability above which a row counts as the second class."""

    @property
    def words(self) -> str:
        """The threshold itself."""
        return f"fixed at {self.value:g}"

    @property
    def measure(self) -> str:
        """F1."""
        return "F1"

    def worth(self, counts: Counts) -> Floats:
        """Nearness to the value."""
        import numpy as np

        return -np.abs(counts.threshold - self.value)


class Cost(OperatingPoint):
    """Least cost of mistakes (Elkan 2001)."""

    kind: Literal["cost"] = "cost"
    false_positive: float = Field(default=1.0, gt=0)
    """Cost of a row that wrongly counts as the second class, in any unit."""
    false_negative: float = Field(default=1.0, gt=0)
    """Cost of a row of the second class that is missed, in the same unit."""

    @property
    def words(self) -> str:
        """Both costs."""
        return f"least cost: {self.false_positive:g} a false positive, {self.false_negative:g} a false negative"

    @property
    def measure(self) -> str:
        """Cost a row."""
        return "cost a row"

    def worth(self, counts: Counts) -> Floats:
        """Minus the mean cost."""
        return -self.drawn(counts)

    def drawn(self, counts: Counts) -> Floats:
        """The mean cost of a row."""
        rows = counts.tp[0] + counts.fp[0] + counts.fn[0] + counts.tn[0]
        return (self.false_positive * counts.fp + self.false_negative * counts.fn) / rows


class FBeta(OperatingPoint):
    """Largest F-beta: recall counts ``beta`` times as much as precision (van Rijsbergen 1979)."""

    kind: Literal["f_beta"] = "f_beta"
    beta: float = Field(default=1.0, gt=0)
    """Above 1 for recall, below 1 for precision."""

    @property
    def words(self) -> str:
        """With its beta."""
        return f"largest {self.measure}"

    @property
    def measure(self) -> str:
        """With its beta."""
        return f"F{self.beta:g}"

    def worth(self, counts: Counts) -> Floats:
        """F-beta."""
        return counts.f(self.beta)


class PrecisionAtRecall(OperatingPoint):
    """Highest precision where recall is at least ``recall``."""

    kind: Literal["precision_at_recall"] = "precision_at_recall"
    recall: float = Field(default=0.9, gt=0, le=1)
    """Share of the positive rows that must be found."""

    @property
    def words(self) -> str:
        """With its bound."""
        return f"highest precision with a recall of at least {self.recall:g}"

    @property
    def measure(self) -> str:
        """Precision."""
        return "precision"

    def worth(self, counts: Counts) -> Floats:
        """Precision where recall is enough."""
        import numpy as np

        return np.where(counts.recall >= self.recall - 1e-12, counts.precision, np.nan)

    def drawn(self, counts: Counts) -> Floats:
        """Precision everywhere."""
        return counts.precision


class RecallAtPrecision(OperatingPoint):
    """Highest recall where precision is at least ``precision``."""

    kind: Literal["recall_at_precision"] = "recall_at_precision"
    precision: float = Field(default=0.9, gt=0, le=1)
    """Share of the rows counted as positive that must be."""

    @property
    def words(self) -> str:
        """With its bound."""
        return f"highest recall with a precision of at least {self.precision:g}"

    @property
    def measure(self) -> str:
        """Recall."""
        return "recall"

    def worth(self, counts: Counts) -> Floats:
        """Recall where precision is enough and some row is found."""
        import numpy as np

        enough = (counts.precision >= self.precision - 1e-12) & (counts.tp > 0)
        return np.where(enough, counts.recall, np.nan)

    def drawn(self, counts: Counts) -> Floats:
        """Recall everywhere."""
        return counts.recall

    def unreached(self, counts: Counts) -> DataInvalid:
        """What the validation rows allow."""
        import numpy as np

        highest = float(np.nanmax(counts.precision))
        return DataInvalid(
            f"no threshold reaches a precision of {self.precision:g} on the validation rows; "
            f"the highest is {highest:.3g}",
            f"operating_point.precision of at most {highest:.3g}",
            "ask for less, or for another operating point such as f_beta",
        )


AnyPoint = Annotated[
    Fixed | Cost | FBeta | PrecisionAtRecall | RecallAtPrecision,
    Field(discriminator="kind"),
    SerializeAsAny(),
    accept_any(OperatingPoint),
]
"""Settings of any operating point: ``{"kind": "cost", "false_negative": 5}``, or an object of any subclass."""


def chosen(
    point: OperatingPoint, truth: NDArray[np.integer], score: NDArray[np.floating]
) -> tuple[float, dict[str, Any]]:
    """The threshold, 0 to 1, and how it was found, for ``training.json``.

    Args:
        point: the rule.
        truth: 0 or 1, [N], of validation rows.
        score: probability of class 1, [N].

    Raises:
        DataInvalid: the rows are all of one class, or the rule allows no threshold.
    """
    import numpy as np

    from kilnworks.components.judging.curves import rounded, thin

    if truth.min(initial=1) == truth.max(initial=0):
        raise DataInvalid(
            f"all {len(truth)} validation rows are of one class, which tells no threshold",
            "validation rows of both classes",
            "make the validation split larger, or take operating_point fixed",
        )
    counts = Counts.of(truth, score)
    place = point.best(counts)
    threshold = float(counts.threshold[place])
    drawn = point.drawn(counts)
    known = np.flatnonzero(np.isfinite(drawn))
    keep = known[thin(counts.threshold[known], drawn[known] / max(1e-12, float(np.abs(drawn[known]).max())))]
    return threshold, {
        "rule": point.words,
        "threshold": threshold,
        "rows": len(truth),
        "reached": counts.at(place),
        "at_half": counts.at(_above(score, 0.5)),
        "measure": point.measure,
        "curve": {"threshold": rounded(counts.threshold[keep]), "value": rounded(drawn[keep])},
    }


def _above(score: NDArray[np.floating], threshold: float) -> int:
    """The place of that threshold of ``Counts`` that calls the same rows positive as this one."""
    import numpy as np

    return int(np.searchsorted(np.unique(score.astype(np.float64)), threshold, side="right"))
