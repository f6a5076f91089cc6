"""One of two classes a row; the model gives the probability of the second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from kilnworks.components.judging.metric import Direction, Metric
from kilnworks.components.judging.operating.points import Fixed, chosen
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers
from kilnworks.components.tasks.classes import OfClasses
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.components.tasks.totals import Totals
from kilnworks.schemas.contract import Contract

if TYPE_CHECKING:
    import numpy as np

    from kilnworks.components.judging.intervals import Interval

METRICS = (
    Metric("auc", "max", "AUC", "chance that a positive row scores above a negative one", share=True),
    Metric("average_precision", "max", "Average precision", "area under the precision-recall curve", share=True),
    Metric("accuracy", "max", "Accuracy", "share of rows that are right", share=True),
    Metric("balanced_accuracy", "max", "Balanced accuracy", "mean of the recalls of both classes", share=True),
    Metric("precision", "max", "Precision", "of the rows predicted positive, the share that is", share=True),
    Metric("recall", "max", "Recall", "of the positive rows, the share that is found", share=True),
    Metric("f1", "max", "F1", "harmonic mean of precision and recall", share=True),
    Metric("log_loss", "min", "Log loss", "mean surprise at the true class, in nats; less is better"),
    Metric("brier", "min", "Brier score", "mean squared error of the probability; less is better"),
)


RARE = 0.2
"""Share of the positive class below which its average precision comes first: AUC says little of few rows."""


class Binary(OfClasses):
    """Probability [N, 1] of the second class of the contract."""

    kind: ClassVar[str] = "binary"
    trained: ClassVar[Mapping[str, Direction]] = {"accuracy": "max"}
    validated: ClassVar[Mapping[str, Direction]] = {"accuracy": "max", "auc": "max"}
    headline: ClassVar[tuple[str, ...]] = ("auc", "f1")
    compared: ClassVar[tuple[str, ...]] = ("auc", "log_loss")
    methods: ClassVar[Mapping[Literal["classify", "regress"], str]] = {
        "classify": "probabilities",
        "regress": "score",
    }
    score_words: ClassVar[str] = "the probability of the second class"
    settles: ClassVar[tuple[str, ...]] = ("operating_point", "calibration")
    positive: ClassVar[bool] = True

    threshold: float = Field(default=0.5, gt=0, lt=1)
    """The probability above which the second class is answered."""

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """A label with two classes, one of them a row."""
        label = contract.label
        return label is not None and len(label.classes or ()) == 2

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def headlines(cls, results: Mapping[str, Any]) -> tuple[str, ...]:
        """Of a rare class those that are about it: average precision, beside AUC and F1."""
        share = results.get("prevalence")
        return ("average_precision", *cls.headline) if share is not None and share < RARE else cls.headline

    # ---- training

    output: ClassVar[str] = "probability"

    @property
    def outputs(self) -> int:
        """1."""
        return 1

    def head(self, features: Any, names: LayerNames) -> Any:
        """``probability`` [N, 1]."""
        import keras

        return keras.layers.Dense(1, "sigmoid", dtype="float32", name=names(self.output))(features)

    def finished(self, outputs: Any) -> Any:
        """Sigmoid."""
        import keras

        return keras.activations.sigmoid(outputs)

    def finishing(self, name: str) -> Any:
        """Sigmoid as a layer."""
        import keras

        return keras.layers.Activation("sigmoid", dtype="float32", name=name)

    def loss(self) -> Any:
        """Cross-entropy."""
        import keras

        return keras.losses.BinaryCrossentropy(label_smoothing=self.smoothing)

    def target(self, label: np.ndarray) -> np.ndarray:
        """float32 [rows, 1]."""
        import numpy as np

        return label.astype(np.float32)[:, None]

    def metrics(self) -> list[Any]:
        """Accuracy."""
        import keras

        return [keras.metrics.BinaryAccuracy(name="accuracy")]

    def totals(self) -> Totals:
        """Accuracy and AUC."""
        return _Totals(self.loss())

    def settled(
        self, settings: TaskSettings, output: np.ndarray | None, learned: np.ndarray | None
    ) -> tuple[Self, dict[str, Any]]:
        """See ``Task.settled``: calibrated first, then with the threshold of the operating point."""
        calibrated, made = super().settled(settings, output, learned)
        point = settings.operating_point
        if isinstance(point, Fixed):
            return calibrated.model_copy(update={"threshold": point.value}), made
        assert output is not None and learned is not None
        import numpy as np

        score = np.asarray(calibrated.through_calibration(output.astype(np.float32)))[:, 0]
        threshold, told = chosen(point, learned, score)
        return calibrated.model_copy(update={"threshold": threshold}), {**made, "operating_point": told}

    # ---- serving

    @property
    def answered(self) -> tuple[Answer, ...]:
        """See ``OfClasses.answered``; the class by the threshold."""
        second = self.class_texts[1]
        meaning = f"{second!r} where its probability is above {self.threshold:.4g}, else {self.class_texts[0]!r}"
        return tuple(a._replace(meaning=meaning) if a.name == "class" else a for a in super().answered)

    def places(self, probabilities: Any) -> Any:
        """See ``Task.places``: 1 where the second class is above the threshold."""
        from keras import ops

        return ops.cast(probabilities[:, 1] > self.threshold, "int32")

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """See ``Task.difference``. Either class may be answered at the threshold, up to the distance from it."""
        import numpy as np

        if name != "class":
            return super().difference(name, got, wanted)
        right = wanted[name]
        if got.shape != right.shape:
            return np.full(max(len(right), 1), np.inf)
        probabilities = wanted["probabilities"]
        away = np.abs(probabilities[:, 1].astype(np.float64) - self.threshold)
        away = np.where(np.isnan(away), 0.0, away) / self._steepness(probabilities, away.shape)
        known = np.isin(got, [text.encode() for text in self.class_texts])
        return np.where(got == right, 0.0, np.where(known, away, np.inf))

    def shares(self, values: Any) -> tuple[Any, Any]:
        """Both probabilities; the score is that of the second class."""
        from keras import ops

        return ops.concatenate([1.0 - values, values], axis=1), values[:, 0]

    # ---- judging

    def told(self, answers: Answers) -> Any:
        """The probability of the second class."""
        return answers["probabilities"][:, 1]

    def flagged(self, answers: Answers) -> np.ndarray | None:
        """See ``Task.flagged``: the second class is above the threshold."""
        import numpy as np

        return np.asarray(answers["probabilities"][:, 1] > self.threshold)

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """See ``Task.scores``."""
        import numpy as np

        from kilnworks.components.judging.intervals import binary_intervals

        rng = np.random.default_rng(settings.seed)
        return binary_intervals(truth, answers["probabilities"][:, 1], settings.resamples, rng, self.threshold)

    def measured(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> float:
        """See ``Task.measured``."""
        from kilnworks.components.judging.values import binary_value

        return binary_value(name, truth, answers["probabilities"][:, 1], self.threshold)

    def right(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> np.ndarray | None:
        """See ``Task.right``."""
        from kilnworks.components.judging.values import binary_right

        said = answers["probabilities"][:, 1]
        return binary_right(truth, said, self.threshold) if name == "accuracy" else None

    def influence(self, name: str, truth: np.ndarray, answers: Answers) -> tuple[float, np.ndarray] | None:
        """See ``Task.influence``."""
        from kilnworks.components.judging.values import binary_influence

        return binary_influence(name, truth, answers["probabilities"][:, 1])

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """Curves, thresholds, calibration, confusion; without a model: the more frequent class."""
        from kilnworks.components.judging.described import binary_pictures, confusion, majority

        predicted, classes = answers["probabilities"], self.class_texts
        return {
            **binary_pictures(truth, predicted[:, 1], classes),
            "threshold": self.threshold,
            "confusion": confusion(truth, (predicted[:, 1] > self.threshold).astype(int), classes),
            "baseline": majority(truth, classes),
        }


class _Totals(Totals):
    """Five bytes a row are kept: the AUC needs the order of all scores."""

    def __init__(self, loss: Any) -> None:
        super().__init__(loss)
        self._right = 0
        self._truth: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []

    def means(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Count what is right; keep truth and scores."""
        truth, score = target[:, 0] == 1, output[:, 0]
        self._right += int(((score > 0.5) == truth).sum())
        self._truth.append(truth)
        self._scores.append(score.copy())
        return {}

    def others(self) -> dict[str, float]:
        """Accuracy and AUC."""
        import numpy as np

        from kilnworks.components.judging.metrics import auc

        area = auc(np.concatenate(self._truth), np.concatenate(self._scores))
        return {"accuracy": self._right / self.rows, "auc": area}
