"""One of three or more classes a row; the model gives a probability for each."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kilnworks.components.judging.metric import Direction, Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answers, Task
from kilnworks.components.tasks.classes import OfClasses
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.totals import Totals
from kilnworks.schemas.contract import Contract

if TYPE_CHECKING:
    import numpy as np

    from kilnworks.components.judging.intervals import Interval

METRICS = (
    Metric("accuracy", "max", "Accuracy", "share of rows that are right", share=True),
    Metric("macro_f1", "max", "Macro F1", "mean F1 over the classes", share=True),
    Metric("auc_ovr", "max", "AUC, one vs rest", "mean over the classes of one class against the others", share=True),
    Metric("log_loss", "min", "Log loss", "mean surprise at the true class, in nats; less is better"),
)
_TOP = re.compile(r"top_([1-9][0-9]*)_accuracy")


def top(k: int) -> Metric:
    """The share of rows whose class is among the ``k`` most probable ones."""
    meaning = "share of rows whose class is among the most probable ones"
    return Metric(f"top_{k}_accuracy", "max", f"Top-{k} accuracy", meaning, share=True)


class Multiclass(OfClasses):
    """Probabilities [N, K] of the classes of the contract; rows sum to 1."""

    kind: ClassVar[str] = "multiclass"
    trained: ClassVar[Mapping[str, Direction]] = {"accuracy": "max"}
    validated: ClassVar[Mapping[str, Direction]] = {"accuracy": "max"}
    headline: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1")
    compared: ClassVar[tuple[str, ...]] = ("macro_f1", "log_loss")
    score_words: ClassVar[str] = "the probability of the most probable class"

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """A label with three or more classes, one of them a row."""
        label = contract.label
        return label is not None and len(label.classes or ()) > 2

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return (*METRICS, top(top_k))

    @classmethod
    def metric(cls, name: str) -> Metric | None:
        """See ``Task.metric``; for any k."""
        hit = _TOP.fullmatch(name)
        return top(int(hit[1])) if hit else super().metric(name)

    # ---- training

    output: ClassVar[str] = "probabilities"

    @property
    def outputs(self) -> int:
        """K."""
        return len(self.class_texts)

    def head(self, features: Any, names: LayerNames) -> Any:
        """``probabilities`` [N, K]."""
        import keras

        return keras.layers.Dense(self.outputs, "softmax", dtype="float32", name=names(self.output))(features)

    def finished(self, outputs: Any) -> Any:
        """Softmax."""
        import keras

        return keras.activations.softmax(outputs)

    def finishing(self, name: str) -> Any:
        """Softmax as a layer."""
        import keras

        return keras.layers.Activation("softmax", dtype="float32", name=name)

    def loss(self) -> Any:
        """Cross-entropy."""
        import keras

        from kilnworks.components.tasks.losses import SmoothedCrossentropy

        if self.smoothing:
            return SmoothedCrossentropy(self.outputs, self.smoothing)
        return keras.losses.SparseCategoricalCrossentropy()

    def target(self, label: np.ndarray) -> np.ndarray:
        """int32 [rows]."""
        return label

    def metrics(self) -> list[Any]:
        """Accuracy."""
        import keras

        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def totals(self) -> Totals:
        """Accuracy."""
        return _Totals(self.loss())

    # ---- serving

    def shares(self, values: Any) -> tuple[Any, Any]:
        """The score is the highest probability."""
        from keras import ops

        return values, ops.max(values, axis=1)

    # ---- judging

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """See ``Task.scores``."""
        import numpy as np

        from kilnworks.components.judging.intervals import multiclass_intervals

        rng = np.random.default_rng(settings.seed)
        return multiclass_intervals(truth, answers["probabilities"], settings.top_k, settings.resamples, rng)

    def measured(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> float:
        """See ``Task.measured``."""
        from kilnworks.components.judging.values import multiclass_value

        return multiclass_value(name, truth, answers["probabilities"])

    def right(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> np.ndarray | None:
        """See ``Task.right``."""
        from kilnworks.components.judging.values import multiclass_right

        return multiclass_right(name, truth, answers["probabilities"], settings.top_k)

    def tells_classes_of(self, other: Task) -> bool:
        """See ``Task.tells_classes_of``; also of a task with two classes. Two of them at least are the same."""
        if not isinstance(other, OfClasses) or other.label.name != self.label.name:
            return False
        return self.class_texts != other.class_texts and len({*self.class_texts} & {*other.class_texts}) > 1

    def realigned(self, other: Task, answers: Answers, classes: Collection[str]) -> Answers:
        """Probabilities [N, K] in the order of these classes, 0 but for those named; each row is scaled to 1."""
        import numpy as np

        theirs, names = answers["probabilities"], list(other.class_texts)
        found = np.zeros((len(theirs), self.outputs), theirs.dtype)
        for place, name in enumerate(self.class_texts):
            if name in classes:
                found[:, place] = theirs[:, names.index(name)]
        total = found.sum(axis=1, keepdims=True)
        return {"probabilities": np.divide(found, total, out=found, where=total > 0)}

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """Curves by class, calibration, confusion; without a model: the most frequent class."""
        from kilnworks.components.judging.described import confusion, majority, multiclass_pictures

        predicted, classes = answers["probabilities"], self.class_texts
        return {
            **multiclass_pictures(truth, predicted, classes),
            "confusion": confusion(truth, predicted.argmax(axis=1), classes),
            "baseline": majority(truth, classes),
        }


class _Totals(Totals):
    def __init__(self, loss: Any) -> None:
        super().__init__(loss)
        self._right = 0

    def means(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Count what is right."""
        self._right += int((output.argmax(axis=1) == target).sum())
        return {}

    def others(self) -> dict[str, float]:
        """Accuracy."""
        return {"accuracy": self._right / self.rows}
