"""How strange a row is: by how far it lies from what a model of the usual rows makes of it.

A label, where the contract has one with two classes, is what the answers are judged by, its second class being the
anomalies; nothing is learned from it. The model gives the squared error of each of its columns; what a usual error is,
and from which score on a row is an anomaly, is told once it is trained (``calibrated``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers
from kilnworks.components.tasks.reference import Compared
from kilnworks.components.tasks.totals import Totals
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval

UNLABELLED = "the contract has no label to judge by"
STEADY = 0.8
"""Share of the rows, those with the smallest errors, whose mean is the loss of the validation split: anomalies among
them must not say which epoch was the best."""


def flagged(truth: Any, answers: Mapping[str, Any]) -> float:
    """Share of the rows that are called anomalies."""
    return float((answers["anomaly"] > 0).mean())


METRICS = (
    Metric("average_precision", "max", "Average precision", "area under the precision-recall curve", share=True),
    Metric("auc", "max", "AUC", "chance that an anomaly scores above another row", share=True),
    Metric("precision", "max", "Precision", "of the rows called anomalies, the share that is", share=True),
    Metric("recall", "max", "Recall", "of the anomalies, the share that is found", share=True),
    Metric("f1", "max", "F1", "harmonic mean of precision and recall", share=True),
    Metric("flagged", "min", "Called anomalies", "share of the rows above the threshold", share=True, of=flagged),
)


class Anomaly(Compared):
    """Squared errors of the columns, [N, D], of which a score is made."""

    kind: ClassVar[str] = "anomaly"
    title: ClassVar[str] = "Anomalies"
    headline: ClassVar[tuple[str, ...]] = ("average_precision", "flagged")
    judged: ClassVar[tuple[str, ...]] = ("score", "anomaly", "errors")
    output: ClassVar[str] = "column_errors"

    features: tuple[str, ...] = ()
    """Names of the features, in the order of ``errors``."""
    groups: tuple[int, ...] = ()
    """Which of ``features`` each column of the model belongs to, [D]."""
    usual: tuple[float, ...] = ()
    """Mean squared error of each column over the usual rows, [D]; empty before the model is trained."""
    threshold: float = Field(default=1.0, gt=0)
    """Root mean squared error of a row, in usual errors, whose score is 1."""

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``. Raises ``ConfigError`` for a label that does not tell anomalies from other rows."""
        label = contract.label
        if label is not None and (label.several or len(label.classes or ()) != 2):
            raise ConfigError(
                f"label {label.name!r} for anomalies",
                "two classes, of which the second one is that of the anomalies; or no label",
                "correct `classes` of the label, or take the label out of the contract",
            )
        return cls(label=label)

    # ---- training

    @property
    def outputs(self) -> int:
        """Columns, as far as they are known."""
        return max(1, len(self.usual))

    def loss(self) -> Any:
        """What the model says of itself."""
        from kilnworks.components.tasks.losses import log_error

        return log_error

    def totals(self) -> Totals:
        """The loss of the ``STEADY`` rows."""
        return _Steady(self.loss())

    def calibrated(
        self,
        features: Sequence[str],
        groups: Sequence[int],
        usual: np.ndarray,
        errors: np.ndarray,
        quantile: float,
    ) -> Self:
        """The task of a trained model.

        Args:
            features: names.
            groups: position in ``features`` for each column, [D].
            usual: mean squared error of each column over usual rows, [D], above 0.
            errors: squared errors of rows that were not learned from, [N, D].
            quantile: of their scores, the threshold.
        """
        import numpy as np

        told = self.model_copy(
            update={"features": tuple(features), "groups": tuple(groups), "usual": tuple(map(float, usual))}
        )
        scores = np.sqrt((errors.astype(np.float64) / usual).mean(axis=1))
        return told.model_copy(update={"threshold": float(np.float32(max(np.quantile(scores, quantile), 1e-6)))})

    # ---- serving

    @property
    def answered(self) -> tuple[Answer, ...]:
        """Score, anomaly and errors."""
        width = len(self.features) or None
        return (
            Answer("score", "float32", (), "how strange the row is; above 1 it is an anomaly"),
            Answer("anomaly", "int32", (), "1 where the score is above 1, else 0"),
            Answer("errors", "float32", (width,), f"how strange each feature of it is: {', '.join(self.features)}"),
        )

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        import numpy as np
        from keras import ops

        wide = ops.cast(output, "float32")
        groups = self.groups or tuple(range(wide.shape[-1]))
        usual = np.array(self.usual or [1.0] * len(groups), np.float32)
        share = np.zeros((len(groups), max(groups) + 1), np.float32)
        share[np.arange(len(groups)), groups] = 1.0 / np.bincount(groups)[list(groups)]
        relative = wide / (usual * np.float32(self.threshold**2))
        score = ops.sqrt(ops.mean(relative, axis=-1))
        return {
            "score": score,
            "anomaly": ops.cast(score > 1.0, "int32"),
            "errors": ops.sqrt(ops.matmul(relative, share)),
        }

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """See ``Task.difference``; a score within rounding of the threshold may fall on either side.

        All errors of a row come of sums over all of its columns: their rounding is relative to the largest of them.
        """
        import numpy as np

        if name == "errors" and got.shape == wanted[name].shape and len(got):
            size = np.maximum(1.0, np.abs(wanted[name]).max(axis=1, keepdims=True))
            return super().difference(name, got / size, {name: wanted[name] / size})
        apart = super().difference(name, got, wanted)
        if name != "anomaly":
            return apart
        near = np.abs(wanted["score"] - 1.0) <= 1e-5
        return np.where(near, 0.0, apart)

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``score``, ``anomaly`` and ``strangest``, the feature with the largest error."""
        import numpy as np
        import polars as pl

        worst = np.asarray(answers["errors"]).argmax(axis=1)
        return pl.DataFrame(
            {
                "score": np.asarray(answers["score"]).astype(np.float64),
                "anomaly": np.asarray(answers["anomaly"]).astype(np.int64),
                "strangest": pl.Series([self.features[i] for i in worst], dtype=pl.String),
            }
        )

    # ---- judging

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """See ``Task.scores``; without a label, what needs one is undefined."""
        import numpy as np

        from kilnworks.components.judging.anomalies import between
        from kilnworks.components.judging.intervals import binary_intervals, undefined

        ranked = [metric.name for metric in METRICS if metric.of is None]
        if self.label is None:
            return dict.fromkeys(ranked, undefined(UNLABELLED))
        rng = np.random.default_rng(settings.seed)
        found = binary_intervals(truth, between(answers["score"]), settings.resamples, rng)
        return {name: found[name] for name in ranked}

    def measured(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> float:
        """See ``Task.measured``."""
        from kilnworks.components.judging.anomalies import between
        from kilnworks.components.judging.values import binary_value

        if self.label is None:
            return float("nan")
        return binary_value(name, truth, between(answers["score"]))

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """Scores, the precision-recall curve where there is a label, and errors by feature."""
        from kilnworks.components.judging.anomalies import described

        return described(truth if self.label is not None else None, answers, self.features)

    def beside(
        self, rows: Callable[[str], Iterator[Mapping[str, np.ndarray]]], truth: np.ndarray, split: str
    ) -> dict[str, Any]:
        """What an isolation forest and the Mahalanobis distance reach on the same rows; nothing without a label."""
        from kilnworks.components.judging.anomaly_baselines import baselines

        return baselines(rows("train"), rows(split), truth) if self.label is not None else {}

    @classmethod
    def pictures(cls, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """See ``Task.pictures``."""
        from kilnworks.components.judging.anomaly_pictures import pictures

        return pictures(results)


class _Steady(Totals):
    """Four bytes a row are kept: which rows are left out, only all of them together tell."""

    def __init__(self, loss: Any) -> None:
        super().__init__(loss)
        self._errors: list[np.ndarray] = []

    def add(self, target: np.ndarray, output: np.ndarray) -> None:
        """See ``Totals.add``; what is kept is not a mean."""
        self.rows += len(target)
        self.means(target, output)

    def means(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Keep the loss of each row."""
        import numpy as np

        self._errors.append(np.asarray(self._loss(target, output), np.float32))
        return {}

    def numbers(self) -> dict[str, float]:
        """The loss of the rows with the smallest errors."""
        import numpy as np

        errors = np.sort(np.concatenate(self._errors))
        return {"loss": float(errors[: max(1, round(STEADY * len(errors)))].mean(dtype=np.float64))}
