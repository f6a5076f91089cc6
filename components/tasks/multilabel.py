"""Any number of classes a row; the model gives a probability for each, one apart from the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from kilnworks.components.judging.metric import Direction, Metric
from kilnworks.components.judging.operating.points import Fixed
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers, Task
from kilnworks.components.tasks.classes import one_of, pair_weights, probability_columns, refuse_absent, texts
from kilnworks.components.tasks.labels import LabelStatistics, labelled, refuse_labels
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.components.tasks.totals import Totals
from kilnworks.schemas.columns import NO_CLASS
from kilnworks.schemas.contract import Contract, Label

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval

METRICS = (
    Metric("micro_f1", "max", "Micro F1", "F1 over all pairs of a row and a class", share=True),
    Metric("macro_f1", "max", "Macro F1", "mean F1 over the classes", share=True),
    Metric("micro_precision", "max", "Micro precision", "of the classes said, the share that is there", share=True),
    Metric("micro_recall", "max", "Micro recall", "of the classes that are there, the share that is said", share=True),
    Metric("macro_average_precision", "max", "Mean average precision", "mean over the classes", share=True),
    Metric("macro_auc", "max", "Mean AUC", "mean over the classes", share=True),
    Metric("subset_accuracy", "max", "Subset accuracy", "share of rows with exactly the right classes", share=True),
    Metric(
        "hamming_loss", "min", "Hamming loss", "share of wrong pairs of a row and a class; less is better", share=True
    ),
    Metric("log_loss", "min", "Log loss", "mean surprise at each class, in nats; less is better"),
)


class Multilabel(Task):
    """``probabilities`` [N, K], each between 0 and 1."""

    kind: ClassVar[str] = "multilabel"
    title: ClassVar[str] = "The classes"
    trained: ClassVar[Mapping[str, Direction]] = {"f1": "max"}
    validated: ClassVar[Mapping[str, Direction]] = {"f1": "max", "subset_accuracy": "max"}
    headline: ClassVar[tuple[str, ...]] = ("micro_f1", "subset_accuracy")
    explains: ClassVar[bool] = True
    judged: ClassVar[tuple[str, ...]] = ("probabilities",)
    settles: ClassVar[tuple[str, ...]] = ("operating_point",)
    output: ClassVar[str] = "probabilities"
    methods: ClassVar[Mapping[Literal["classify", "regress"], str]] = {"classify": "probabilities"}

    label: Label
    smoothing: float = 0.0
    """How far the targets are from 0 and 1: half of it."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """The probability above which a class is answered, where classes have no thresholds of their own."""
    thresholds: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    """By class [K], where an operating point has chosen them by validation rows; else empty."""
    absent: tuple[float, ...] = ()
    """Weights in the training loss of rows that do not have a class, by class [K]; empty where all count the same."""
    present: tuple[float, ...] = ()
    """The same of those that have it."""

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """A label with ``many: true``."""
        return contract.label is not None and contract.label.many

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``."""
        return cls(label=labelled(contract))

    @classmethod
    def fitted(cls, contract: Contract, seen: LabelStatistics, settings: TaskSettings) -> Self:
        """See ``Task.fitted``; every class needs a training row."""
        label = labelled(contract)
        refuse_absent(label, seen)
        absent, present = pair_weights(label, seen, settings)
        smoothing, threshold = settings.label_smoothing, settings.class_threshold
        return cls(label=label, smoothing=smoothing, threshold=threshold, absent=absent, present=present)

    @classmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """1 for each class that a row has, uint8 [rows, K]."""
        found, bad = has_classes(label, series)
        refuse_labels(label, series, bad, f"any number of the classes, each {one_of(label)}")
        return found

    def truth(self, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """The same."""
        return has_classes(self.label, series)

    @property
    def wanted(self) -> str:
        """Any number of the classes."""
        return f"any number of {list(self.label.classes or ())}"

    # ---- training

    @property
    def outputs(self) -> int:
        """K."""
        return len(self.class_texts)

    def head(self, features: Any, names: LayerNames) -> Any:
        """``probabilities`` [N, K]."""
        import keras

        return keras.layers.Dense(self.outputs, "sigmoid", dtype="float32", name=names(self.output))(features)

    def finished(self, outputs: Any) -> Any:
        """Sigmoid."""
        import keras

        return keras.activations.sigmoid(outputs)

    def finishing(self, name: str) -> Any:
        """Sigmoid as a layer."""
        import keras

        return keras.layers.Activation("sigmoid", dtype="float32", name=name)

    def loss(self) -> Any:
        """Cross-entropy, mean over rows and classes, with the weights of the classes."""
        from kilnworks.components.tasks.losses import WeightedCrossentropy

        return WeightedCrossentropy(self.absent, self.present, self.smoothing) if self.present else self._unweighted()

    def _unweighted(self) -> Any:
        import keras

        return keras.losses.BinaryCrossentropy(label_smoothing=self.smoothing)

    def row_weights(self, settings: TaskSettings, seen: LabelStatistics) -> np.ndarray | None:
        """None: a row may have classes of several weights, so ``loss`` holds them."""
        return None

    @property
    def loss_weighs(self) -> bool:
        """Where the classes have weights."""
        return bool(self.present)

    def target(self, label: np.ndarray) -> np.ndarray:
        """float32 [rows, K]."""
        import numpy as np

        return label.astype(np.float32)

    def metrics(self) -> list[Any]:
        """Micro F1."""
        import keras

        return [keras.metrics.F1Score(average="micro", threshold=self.threshold, name="f1")]

    def totals(self) -> Totals:
        """Micro F1 and subset accuracy; the loss without weights."""
        return _Totals(self._unweighted(), self.threshold)

    def settled(
        self, settings: TaskSettings, output: np.ndarray | None, learned: np.ndarray | None
    ) -> tuple[Self, dict[str, Any]]:
        """See ``Task.settled``: one threshold for each class, or the one that is given for all."""
        point = settings.operating_point
        if isinstance(point, Fixed):
            return (self if point == Fixed() else self.model_copy(update={"threshold": point.value})), {}
        assert output is not None and learned is not None
        from kilnworks.components.judging.operating.by_class import chosen_by_class

        found, told = chosen_by_class(point, learned, output, self.class_texts, self.threshold)
        return self.model_copy(update={"thresholds": found}), {"operating_point": told}

    @property
    def above(self) -> Any:
        """What a probability has to be above: one number, or float64 [K]."""
        import numpy as np

        return np.array(self.thresholds) if self.thresholds else self.threshold

    # ---- serving

    @property
    def answered(self) -> tuple[Answer, ...]:
        """Probabilities of all classes, and those that are answered in one text."""
        above = "their thresholds" if self.thresholds else f"{self.threshold:g}"
        meaning = f"the classes above {above}, between {self.label.separator!r}; empty for none"
        return (
            Answer("probabilities", "float32", (self.outputs,), "of each class, in the order of the contract"),
            Answer("class", "string", (), meaning),
        )

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        import tensorflow as tf

        probabilities = tf.cast(output, tf.float32)
        parts = tf.constant([text + self.label.separator for text in self.class_texts])
        chosen = tf.where(probabilities > tf.constant(self.above, tf.float32), parts[tf.newaxis], "")
        joined, last = tf.strings.reduce_join(chosen, axis=1), f"{re.escape(self.label.separator)}$"
        text = tf.strings.regex_replace(joined, last, "")
        return {"probabilities": probabilities, "class": text}

    def answer_layers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answer_layers``; texts by a lookup, joined by sums, which Keras has of texts as well."""
        from keras import layers, ops

        above = ops.convert_to_tensor(self.above, "float32") if self.thresholds else self.threshold
        said = ops.cast(output > above, "int32")
        behind = ops.cast(ops.cumsum(said, axis=1) > said, "int32")  # another one stands before it
        count = self.outputs
        place = said * (1 + ops.arange(count, dtype="int32") + count * behind)
        size = 1 << (count - 1).bit_length()
        place = ops.pad(place, ((0, 0), (0, size - count))) if size > count else place
        pieces = ["", *self.class_texts, *(self.label.separator + text for text in self.class_texts)]
        lookup = layers.StringLookup(vocabulary=pieces, num_oov_indices=0, mask_token=None, invert=True)
        text = lookup(place)
        while size > 1:  # neighbours are joined, as vectors: Keras takes the sum with a matrix of one row for a bias
            size //= 2
            joined = ops.add(ops.reshape(text[:, 0::2], (-1,)), ops.reshape(text[:, 1::2], (-1,)))
            text = ops.reshape(joined, (-1, size))
        return {"probabilities": output, "class": text[:, 0]}

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """See ``Task.difference``. A class may be said or not where its probability is at the threshold."""
        import numpy as np

        if name != "class":
            return super().difference(name, got, wanted)
        right, found = wanted[name], np.zeros(len(wanted[name]))
        if got.shape != right.shape:
            return np.full(max(len(right), 1), np.inf)
        away = np.abs(wanted["probabilities"] - self.above)
        for row in np.flatnonzero(got != right):
            differ = self._said(got[row]) ^ self._said(right[row])
            found[row] = max((away[row, i] if i >= 0 else np.inf for i in differ), default=np.inf)
        return found

    def _said(self, text: bytes) -> set[int]:
        """Places of the classes in an answer; -1 for one that is none."""
        places = {name: i for i, name in enumerate(self.class_texts)}
        return {places.get(part, -1) for part in text.decode().split(self.label.separator) if part}

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``class``, with the classes between separators, and ``probability_<class>``."""
        import polars as pl

        return pl.DataFrame({"class": texts(answers["class"]), **probability_columns(self.class_texts, answers)})

    # ---- judging

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """See ``Task.scores``."""
        import numpy as np

        from kilnworks.components.judging.multilabel import multilabel_intervals

        rng = np.random.default_rng(settings.seed)
        return multilabel_intervals(truth, answers["probabilities"], self.above, settings.resamples, rng)

    def measured(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> float:
        """See ``Task.measured``."""
        from kilnworks.components.judging.values import multilabel_value

        return multilabel_value(name, truth, answers["probabilities"], self.above)

    def right(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> np.ndarray | None:
        """See ``Task.right``."""
        said = answers["probabilities"] > self.above
        return (said == (truth == 1)).all(axis=1) if name == "subset_accuracy" else None

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """Curves by class, thresholds, calibration; without a model: the share of each class."""
        from kilnworks.components.judging.multilabel import multilabel_pictures, usual_classes

        return {
            **multilabel_pictures(truth, answers["probabilities"], self.class_texts, self.above),
            "baseline": usual_classes(truth, self.above),
        }


def has_classes(label: Label, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Which classes each row has, uint8 [rows, K], and rows that are missing or have a class that is none, [rows]."""
    import numpy as np

    places = {str(c): i for i, c in enumerate(label.classes or ())}
    rows = series.to_list()
    known: dict[str | None, tuple[np.ndarray, bool]] = {}
    for text in set(rows):
        names = [] if text in (None, NO_CLASS) else text.split(label.separator)
        has = np.zeros(len(places), np.uint8)
        has[[places[name] for name in names if name in places]] = 1
        known[text] = has, text is None or any(name not in places for name in names)
    found = np.array([known[text][0] for text in rows], np.uint8).reshape(len(rows), len(places))
    return found, np.array([known[text][1] for text in rows], bool)


class _Totals(Totals):
    def __init__(self, loss: Any, threshold: float) -> None:
        super().__init__(loss)
        self._threshold = threshold
        self._hits = self._either = self._right = 0

    def means(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Count what is said and what is there."""
        has, said = target == 1, output > self._threshold
        self._hits += int((has & said).sum())
        self._either += int(has.sum()) + int(said.sum())
        self._right += int((has == said).all(axis=1).sum())
        return {}

    def others(self) -> dict[str, float]:
        """Micro F1 (0 where no class is there and none is said) and subset accuracy."""
        f1 = 2 * self._hits / self._either if self._either else 0.0
        return {"f1": f1, "subset_accuracy": self._right / self.rows}
