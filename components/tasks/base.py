"""The one page of interface of everything that is predicted.

A task is chosen by the contract's label (``choose``), learns a few numbers from the training labels (``fitted``), is
kept beside the model as ``task.json``, and answers every question that depends on the kind of prediction::

    labels    learned, judged_by; encode, truth      what the label column holds, for training and for judging
    training  head, loss, target, metrics, totals    the last layer, and the numbers of an epoch
    serving   served, answers, answered, methods     what is sent, what comes back
    judging   scores, described                      metrics with intervals; curves, baseline
    people    pictures, table, title, headline       the report, ``predict``, the first definition

What its numbers are called, and which of them are wanted small, is in ``numbers.py``.

No other room asks which task it has. A new task is one file: a subclass with a ``kind``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.labels import LabelStatistics, labelled
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.numbers import Numbers
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.schemas.contract import Contract, Label
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval
    from kilnworks.components.tasks.totals import Totals
    from kilnworks.schemas.tiles import Tile

Answers = Mapping[str, Any]
"""Served outputs by name, ``[n, *shape]`` each."""


class Answer(NamedTuple):
    """One served output.

    Attributes:
        name: in the signature.
        dtype: as TensorFlow names it: ``float32``, ``string``.
        shape: of one row; None is any size.
        meaning: one clause for a reader.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    meaning: str


class Beside(NamedTuple):
    """What lies beside a model that is judged by trials.

    Attributes:
        model: the folder of the model.
        split: the rows that it is judged on.
        rows: of a split, and how many at most, the encoded tensors [n, *shape] by name, unpacked, and ``Task.learned``
            of the same rows, [n, ...]; evenly spread.
    """

    model: Path
    split: str
    rows: Callable[[str, int], tuple[Mapping[str, np.ndarray], np.ndarray]]


class Task(Numbers, ABC):
    """What is predicted, with what the training labels taught. Frozen; ``kept`` beside the model as JSON."""

    title: ClassVar[str]
    """What a model of it tells, at the start of a sentence: ``The class``."""
    judged: ClassVar[tuple[str, ...]]
    """What ``scores`` and ``described`` look at, of ``looked_at``."""
    takes_windows: ClassVar[bool] = False
    """Whether a row is a window of a series, not a row of the data."""
    targeted: ClassVar[bool] = True
    """Whether the loss holds what a row is answered against a target; else it reads what the model says of itself."""
    unit: ClassVar[str] = "rows"
    """What is judged one by one."""
    output: ClassVar[str]
    """Name of the output layer."""
    first_limits: ClassVar[Mapping[str, float]] = {}
    """What ``new`` asks of a model that no simple one is trained beside: the largest value of a metric, judged by the
    worse end of its 95 % interval."""
    methods: ClassVar[Mapping[Literal["classify", "regress"], str]] = {}
    """Further methods of the server, and the answer that each gives."""

    explains: ClassVar[bool] = False
    """Whether one of the model's outputs [n, K] is what an answer rests on, so that features can be credited for it."""
    positive: ClassVar[bool] = False
    """Whether one of two classes is the positive one, so that rows have rates of decisions."""
    settles: ClassVar[tuple[str, ...]] = ()
    """Which of the settings ``operating_point`` and ``calibration`` it takes."""

    label: Label | None = None
    """What the contract said of the label."""

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """Whether a contract by itself asks for this task; by default never: an architecture names it."""
        return False

    # ---- labels

    @classmethod
    @abstractmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """The label column as it is learned, [rows] or [rows, K].

        Raises:
            DataInvalid: a value that cannot be learned.
        """

    @classmethod
    @abstractmethod
    def fitted(cls, contract: Contract, seen: LabelStatistics, settings: TaskSettings) -> Self:
        """The task of a contract, given what its encoded training labels tell.

        Raises:
            ConfigError: a setting that this task does not have.
            DataInvalid: labels from which nothing can be learned.
        """

    @classmethod
    @abstractmethod
    def of(cls, contract: Contract) -> Self:
        """The task of a contract before anything was learned: enough to judge, to serve and to show."""

    @classmethod
    def needed(cls, contract: Contract) -> list[str]:
        """Columns of the examples that are learned from and judged by, besides the features: the label."""
        return [labelled(contract).name]

    @classmethod
    def learned(cls, contract: Contract, frame: pl.DataFrame) -> np.ndarray:
        """What each row is learned from besides its features, [rows, ...]: the encoded label. Errors as ``encode``."""
        label = labelled(contract)
        return cls.encode(label, frame[label.name])

    def judged_by(self, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """What the answers to these rows are compared with, [rows, ...], and which rows cannot be, bool [rows]."""
        assert self.label is not None
        return self.truth(frame[self.label.name])

    @abstractmethod
    def truth(self, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """The label column as it is judged, and which rows cannot be, [rows]."""

    @property
    @abstractmethod
    def wanted(self) -> str:
        """What a label must be, for messages."""

    # ---- training

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Width of the last layer."""

    @abstractmethod
    def head(self, features: Any, names: LayerNames) -> Any:
        """The output tensor on top of ``features`` [N, F], in float32 whatever the precision before it."""

    def finished(self, outputs: Any) -> Any:
        """What the last layer [..., outputs] says, as the head ends it: probabilities, or values; by default itself."""
        return outputs

    def finishing(self, name: str) -> Any:
        """``finished`` as a Keras layer."""
        import keras

        return keras.layers.Identity(dtype="float32", name=name)

    @abstractmethod
    def loss(self) -> Any:
        """A new Keras loss; mean over the rows of a batch."""

    @abstractmethod
    def target(self, label: np.ndarray) -> np.ndarray:
        """Encoded labels as the loss wants them, [rows, ...]."""

    def metrics(self) -> list[Any]:
        """New Keras metrics of the training rows, cheap ones; their variables belong to the strategy in scope."""
        return []

    def row_weights(self, settings: TaskSettings, seen: LabelStatistics) -> np.ndarray | None:
        """The weight of the rows of each class, float32 [K]; None where all count the same.

        Raises:
            ConfigError: weights that this task does not have.
        """
        if settings.class_weight != "none":
            raise ConfigError(
                f"class_weight for a {self.kind}",
                "class_weight 'none' (weights are for classes)",
                "leave class_weight out",
            )
        return None

    @property
    def loss_weighs(self) -> bool:
        """Whether ``loss`` itself holds the weights of the classes, so that another loss would leave them out."""
        return False

    @abstractmethod
    def totals(self) -> Totals:
        """Empty sums of loss and metrics."""

    def settled(
        self, settings: TaskSettings, output: np.ndarray | None, learned: np.ndarray | None
    ) -> tuple[Self, dict[str, Any]]:
        """With what validation rows tell once the model is trained, and how, for ``training.json``.

        Args:
            settings: those of ``settles``.
            output: of the model, [rows, K]; None where there are no validation rows.
            learned: as ``learned`` gives it, [rows].

        Raises:
            DataInvalid: the rows tell too little.
        """
        return self, {}

    @property
    def plain(self) -> Self:
        """The same without what corrects the model's output; itself where there is nothing of it."""
        return self

    def measure(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Loss (without penalties) and metrics of outputs against targets, both [rows, ...]; NaN where not defined."""
        totals = self.totals()
        totals.add(target, output)
        return totals.numbers()

    # ---- serving

    def served(self, contract: Contract) -> Contract:
        """What a client sends, as a contract: the features as they are, unless a task says otherwise."""
        return contract

    def requests(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of the examples as requests: columns of ``served``, in the dtypes of the contract."""
        return rows

    def encoded_rows(self, requests: pl.DataFrame, transform: Any) -> dict[str, np.ndarray]:
        """What the model takes for these requests, [rows, *shape] by name, by a fitted ``FeatureTransform``."""
        return dict(transform.encode(requests))

    def encoded_request(self, raw: Mapping[str, Any], layers: Any) -> Any:
        """The same in the served graph: raw tensors by their names there, through the layers of the preprocessing."""
        return layers(raw)

    @property
    @abstractmethod
    def answered(self) -> tuple[Answer, ...]:
        """Every served output."""

    @abstractmethod
    def answers(self, output: Any) -> dict[str, Any]:
        """The served outputs from the model's own, with TensorFlow: in the served graph, and to check it."""

    def looked_at(self, output: Any) -> dict[str, Any]:
        """What is judged, by name: by default what is served. A task may look at more of the model's output."""
        return self.answers(output)

    def answer_layers(self, output: Any) -> dict[str, Any]:
        """The same as ``answers``, of a Keras tensor in float32, for the Keras file that opens anywhere.

        Enough where ``answers`` is written with operators and ``keras.ops``. A task that uses TensorFlow there says it
        here in layers of Keras, or the file gives the model's own output instead.
        """
        return self.answers(output)

    @property
    def class_texts(self) -> tuple[str, ...]:
        """The classes as texts, in the order of the contract; empty where there are none."""
        return tuple(str(c) for c in self.label.classes or ()) if self.label else ()

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """How far an answer is from the wanted one, by row [n].

        Numbers: absolute up to 1 and relative above, infinite where only one side is finite. Others: 0 or infinite.
        """
        from kilnworks.components.tasks.differences import of_numbers, of_texts

        right = wanted[name]
        return of_numbers(got, right) if right.dtype.kind == "f" else of_texts(got, right)

    @abstractmethod
    def table(self, answers: Answers) -> pl.DataFrame:
        """Answers as rows of a table, for ``predict``."""

    def of_whole(self, answers: Answers, parts: Sequence[Tile], size: tuple[int, int]) -> Answers:
        """Answers to the parts of an image, [parts, ...], as those to the whole, [1, ...]; by default there are none.

        Args:
            answers: the served ones.
            parts: of the image, in pixels.
            size: height and width of the image in pixels.
        """
        raise NotImplementedError(f"{self.kind}: answers to parts are none to a whole")

    def places(self, probabilities: Any) -> Any:
        """The class that stands for a row, int [n], from probabilities [n, K] of NumPy, TensorFlow or Keras."""
        from keras import ops

        return ops.argmax(probabilities, axis=1)

    # ---- judging and showing

    @abstractmethod
    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """Each of ``metrics_of`` with its interval; ``truth`` [rows, ...] as ``truth`` gives it, at least one row."""

    def all_metrics(self, settings: JudgeSettings) -> list[Metric]:
        """Those of the task, and those of a user's own, in this order."""
        own = [metric.named(name, self.class_texts) for name, metric in settings.metrics.items()]
        return [*self.metrics_of(settings.top_k), *own]

    def value(self, metric: Metric, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> float:
        """One of the metrics without its interval, also one of a user's own; NaN where these rows do not define it.

        ``truth`` and each of ``answers`` are [rows, ...].
        """
        from kilnworks.components.judging.resampled import value_of

        if metric.of is not None:
            return value_of(metric, truth, answers)
        right = self.right(metric.name, truth, answers, settings)
        return self.measured(metric.name, truth, answers, settings) if right is None else float(right.mean())

    def measured(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> float:
        """A metric of ``truth`` [rows, ...] that the task computes itself and that is no share of rows.

        Slow unless a task says it better.
        """
        few = settings.model_copy(update={"resamples": 100})
        found = self.scores(truth, answers, few)[name].value
        return float("nan") if found is None else found

    def right(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> np.ndarray | None:
        """Which rows are right, bool [N], where a metric is the share of them; None for other metrics."""
        return None

    def flagged(self, answers: Answers) -> np.ndarray | None:
        """Which rows are answered with the positive class, bool [N]; None where no class is the positive one."""
        return None

    def influence(self, name: str, truth: np.ndarray, answers: Answers) -> tuple[float, np.ndarray] | None:
        """A metric and the influence of each row on it, [N], mean 0; None where it is only known as a whole."""
        return None

    def tells_classes_of(self, other: Task) -> bool:
        """Whether ``other`` has classes of the same label, though not the same ones, so that it can be realigned."""
        return False

    def realigned(self, other: Task, answers: Answers, classes: Collection[str]) -> Answers:
        """What a task has answered, in the order of this one's classes, as if there were these classes alone."""
        raise NotImplementedError(f"{self.kind} has no classes to realign")

    def weighed(self, name: str, truth: np.ndarray, answers: Answers) -> Callable[[np.ndarray], float] | None:
        """A metric of these rows, [N, ...], by how often each counts, [N]; None where drawn rows are measured anew.

        For a task of which rows belong together, or that measures slowly.
        """
        return None

    @abstractmethod
    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """Curves, tables and the baseline of ``truth`` [rows, ...] and the answers, for ``evaluation.json``.

        JSON-serializable and without NaN.
        """

    def beside(
        self, rows: Callable[[str], Iterator[Mapping[str, np.ndarray]]], truth: np.ndarray, split: str
    ) -> dict[str, Any]:
        """What other methods reach on the same rows, for ``evaluation.json``; by default nothing.

        ``rows`` goes through the encoded rows of a split, part by part; ``split`` is the one that ``truth`` is of.
        """
        return {}

    def tried(
        self, run: Callable[[Mapping[str, np.ndarray]], np.ndarray], settings: JudgeSettings, beside: Beside
    ) -> tuple[Answers, dict[str, Any]] | None:
        """What is judged instead of answers to rows, where a model is judged by what comes of using it.

        ``run`` is the model, from its inputs [n, *shape] by name to its outputs [n, K].

        Returns:
            What ``metrics_of`` looks at, [trials, ...] by name, and more for ``evaluation.json``; None for rows.
        """
        return None

    def simple_models(
        self, rows: Any, truth: np.ndarray, names: Collection[str] = ("constant", "linear")
    ) -> Mapping[str, Callable[[Any], Answers]]:
        """Models without a network by name, from encoded rows to judged answers, each [n, ...]; by default none.

        Args:
            rows: encoded training rows as one matrix, float32 [N, D], dense or sparse in rows.
            truth: as ``judged_by`` gives it, [N, ...].
            names: those that are wanted, of ``judging.simple_models``; the constant is always there.
        """
        return {}

    def told(self, answers: Answers) -> Any:
        """The one number a row [n] of judged answers that a curve is drawn of; None where there is none."""
        return None

    def drawn(self, images: np.ndarray, truth: np.ndarray, answers: Answers) -> list[dict[str, Any]]:
        """Pictures of some judged images with what was answered, for the report; by default none.

        Args:
            images: [n, H, W, C] from 0 to 1.
            truth: as ``judged_by`` gives it, [n, ...].
            answers: the judged ones, [n, ...] each.

        Returns:
            ``{"group", "truth", "found", "words"}``: ``truth`` and ``found`` are URLs of the data of a picture.
        """
        return []

    @classmethod
    def pictures(cls, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The pictures that ``evaluation.json`` allows: (file name without ending, SVG)."""
        from kilnworks.components.judging.pictures import pictures

        return pictures(dict(results))
