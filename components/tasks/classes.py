"""What tasks of classes share: one class a row, of which the most probable one is answered."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from kilnworks.components.judging.operating.calibrators import AnyCalibration
from kilnworks.components.tasks.base import Answer, Answers, Task
from kilnworks.components.tasks.labels import LabelStatistics, labelled, refuse_labels
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.schemas.contract import Contract, Label
from kilnworks.schemas.errors import ConfigError, DataInvalid
from kilnworks.schemas.words import listed, named

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class OfClasses(Task):
    """One of the classes of the label for each row."""

    title: ClassVar[str] = "The class"
    simple: ClassVar[Mapping[str, str]] = {
        "constant": "the shares of the classes in the training rows",
        "linear": "logistic regression",
    }
    settles: ClassVar[tuple[str, ...]] = ("calibration",)
    explains: ClassVar[bool] = True
    judged: ClassVar[tuple[str, ...]] = ("probabilities",)

    label: Label
    smoothing: float = 0.0
    """Share of the target spread evenly over all classes."""
    calibration: AnyCalibration | None = None
    """How the model's probabilities are corrected."""

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``."""
        return cls(label=labelled(contract))

    @classmethod
    def fitted(cls, contract: Contract, seen: LabelStatistics, settings: TaskSettings) -> Self:
        """See ``Task.fitted``; every class needs a training row."""
        label = labelled(contract)
        refuse_absent(label, seen)
        return cls(label=label, smoothing=settings.label_smoothing)

    @classmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """Positions among the classes, int32 [rows]."""
        import numpy as np

        found = class_index(label, series)
        refuse_labels(label, series, found < 0, one_of(label))
        return found.astype(np.int32, copy=False)

    def truth(self, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """Positions among the classes, int64 [rows]."""
        import numpy as np

        found = class_index(self.label, series)
        return found.astype(np.int64), found < 0

    @property
    def wanted(self) -> str:
        """One of the classes."""
        return f"one of {list(self.label.classes or ())}"

    def row_weights(self, settings: TaskSettings, seen: LabelStatistics) -> np.ndarray | None:
        """See ``Task.row_weights``. ``balanced``: rows / (K * rows of the class), as scikit-learn defines it."""
        import numpy as np

        wanted, names = settings.class_weight, list(self.class_texts)
        if wanted == "none":
            return None
        if wanted == "balanced":
            return (seen.rows / (len(names) * seen.counts)).astype(np.float32)
        return np.array(by_class(wanted, names), np.float32)

    # ---- serving

    methods: ClassVar[Mapping[Literal["classify", "regress"], str]] = {"classify": "probabilities"}

    @property
    def answered(self) -> tuple[Answer, ...]:
        """Probabilities of all classes, the most probable one, and a score."""
        count = len(self.class_texts)
        return (
            Answer("probabilities", "float32", (count,), "of each class, in the order of the contract"),
            Answer("class", "string", (), "the most probable class"),
            Answer("score", "float32", (), self.score_words),
        )

    score_words: ClassVar[str]
    """What the score is."""

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        import tensorflow as tf

        probabilities, score = self.shares(self.through_calibration(tf.cast(output, tf.float32)))
        label = tf.gather(tf.constant(self.class_texts), self.places(probabilities))
        return {"probabilities": probabilities, "class": label, "score": score}

    def answer_layers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answer_layers``; the class by a lookup, since Keras has no operation on texts."""
        from keras import layers

        probabilities, score = self.shares(self.through_calibration(output))
        texts = layers.StringLookup(vocabulary=list(self.class_texts), num_oov_indices=0, mask_token=None, invert=True)
        return {"probabilities": probabilities, "class": texts(self.places(probabilities)), "score": score}

    def through_calibration(self, values: Any) -> Any:
        """Outputs of the model as the calibration leaves them, where there is one."""
        return values if self.calibration is None else self.calibration.applied(values)

    @property
    def plain(self) -> Self:
        """Without calibration."""
        return self if self.calibration is None else self.model_copy(update={"calibration": None})

    def settled(
        self, settings: TaskSettings, output: np.ndarray | None, learned: np.ndarray | None
    ) -> tuple[Self, dict[str, Any]]:
        """See ``Task.settled``: calibrated."""
        if settings.calibration == "none" or output is None or learned is None:
            return self, {}
        from kilnworks.components.judging.operating.calibrators import fitted

        calibration = fitted(settings.calibration, learned, output, self.class_texts)
        made: dict[str, Any] = {"method": calibration.kind, "rows": len(learned)}
        if calibration.kind == "temperature":
            made["temperature"] = calibration.temperature
        return self.model_copy(update={"calibration": calibration}), {"calibration": made}

    @abstractmethod
    def shares(self, values: Any) -> tuple[Any, Any]:
        """Probabilities [n, K] and score [n] from the model's output in float32, of TensorFlow or of Keras."""

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """See ``Task.difference``. A class may be any whose probability is the highest, up to half the distance.

        Of calibrated answers: how far the model's own output would be, where the calibration is steep.
        """
        import numpy as np

        if name != "class":
            away = super().difference(name, got, wanted)
            return away if self.calibration is None else away / self._steepness(wanted[name], away.shape)
        place = {text.encode(): i for i, text in enumerate(self.class_texts)}
        answered = np.array([place.get(text, -1) for text in got.tolist()])
        probabilities = wanted["probabilities"]
        if len(answered) != len(probabilities):
            return np.full(max(len(probabilities), 1), np.inf)
        gap = probabilities.max(axis=1) - probabilities[np.arange(len(answered)), answered]
        gap = np.where(np.isnan(gap), 0.0, gap / 2) / self._steepness(probabilities, gap.shape)
        return np.where(answered < 0, np.inf, gap)

    def _steepness(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """By how much the calibration makes a difference larger, at these answers [n, ...]; of each row, ``shape``."""
        import numpy as np

        if self.calibration is None or values.dtype.kind != "f" or shape != values.shape[:1]:
            return np.ones(shape)
        return self.calibration.steepness(values).reshape(len(values), -1).max(axis=1)

    def simple_models(
        self, rows: Any, truth: np.ndarray, names: Collection[str] = ("constant", "linear")
    ) -> Mapping[str, Callable[[Any], Answers]]:
        """The class shares of the training rows, logistic regression, and boosted trees."""
        from kilnworks.components.judging.simple_models import of_classes

        def answering(model: Callable[[Any], np.ndarray]) -> Callable[[Any], Answers]:
            return lambda some: {"probabilities": model(some)}

        models = of_classes(rows, truth, len(self.class_texts), names)
        return {name: answering(model) for name, model in models.items()}

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``class`` and ``probability_<class>``."""
        import polars as pl

        return pl.DataFrame({"class": texts(answers["class"]), **probability_columns(self.class_texts, answers)})


def by_class(weights: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """Weights in the order of the classes. Raises ``ConfigError`` where a class has none, or a name is no class."""
    if set(weights) != set(names):
        raise ConfigError(
            f"class_weight for {listed(sorted(weights))}",
            f"one weight for each class: {listed(names)}",
            "name every class of the contract once",
        )
    return [weights[c] for c in names]


def pair_weights(
    label: Label, seen: LabelStatistics, settings: TaskSettings
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Weights of rows without and with each class, [K] each; both empty where all count the same.

    ``balanced``: each class is a question of its own, whose two answers weigh as scikit-learn balances two classes,
    rows / (2 * rows with that answer); one that no row gives weighs 1. By class: the weight of the rows that have it.
    """
    wanted, names = settings.class_weight, [str(c) for c in label.classes or ()]
    if wanted == "none":
        return (), ()
    if wanted == "balanced":
        with_it = [int(count) for count in seen.counts]
        without = [seen.rows - count for count in with_it]
        absent, present = ([seen.rows / (2 * n) if n else 1.0 for n in rows] for rows in (without, with_it))
        return tuple(absent), tuple(present)
    return (1.0,) * len(names), tuple(by_class(wanted, names))


def probability_columns(classes: tuple[str, ...], answers: Answers) -> dict[str, Any]:
    """``probability_<class>`` for each class."""
    import numpy as np

    probabilities = np.asarray(answers["probabilities"])
    return {f"probability_{name}": probabilities[:, i].astype(np.float64) for i, name in enumerate(classes)}


def texts(values: Any) -> list[str]:
    """Answered texts as texts, whether they came as bytes or not."""
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]


def class_index(label: Label, series: pl.Series) -> np.ndarray:
    """Position of every value among the classes, int32 [rows]; -1 where it is none of them."""
    import polars as pl

    classes = list(label.classes or ())
    kind: pl.DataType = {"string": pl.String(), "bool": pl.Boolean(), "int": pl.Int64(), "float": pl.Float64()}[
        label.dtype
    ]
    known = pl.Series(classes, dtype=kind, strict=False)
    positions = pl.Series(range(len(classes)), dtype=pl.Int32)
    found = series.cast(kind).replace_strict(known, positions, default=-1, return_dtype=pl.Int32)
    return found.fill_null(-1).to_numpy()


def one_of(label: Label) -> str:
    """The classes in words."""
    return f"one of {listed(map(str, label.classes or ()), 12)}"


def refuse_absent(label: Label, seen: LabelStatistics) -> None:
    """Raise ``DataInvalid`` where a class has no training row."""
    names = [str(c) for c in label.classes or ()]
    absent = [name for name, count in zip(names, seen.counts, strict=True) if not count]
    if absent:
        raise DataInvalid(
            f"no training row has label {named(label.name)} = {listed(absent, 12)}",
            f"rows of every class: {listed(names, 12)}",
            "use a larger training split, or take the class out of label.classes of the contract",
        )
