"""Which things are in an image, and where: any number of boxes, each with a class and a score."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from kilnworks.components.judging.metric import Direction, Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers, Task
from kilnworks.components.tasks.classes import refuse_absent
from kilnworks.components.tasks.detection.cells import boxes_of
from kilnworks.components.tasks.detection.heads import Head
from kilnworks.components.tasks.labels import LabelStatistics, labelled, refuse_labels
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.components.tasks.totals import Totals
from kilnworks.schemas.contract import Contract, Label
from kilnworks.schemas.errors import ConfigError, DataInvalid

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval
    from kilnworks.schemas.tiles import Tile

METRICS = (
    Metric("map50", "max", "mAP50", "mean average precision, where boxes overlap the true ones by half", share=True),
    Metric("map", "max", "mAP50:95", "mean over overlaps of 0.5, 0.55, ..., 0.95, as COCO does", share=True),
    Metric("recall50", "max", "Recall", "share of the true boxes that are found, at an overlap of half", share=True),
)


class Detection(Task):
    """``found`` [N, A, 8 + C]: for each anchor a box and the anchor, in shares of the sides, and logits."""

    kind: ClassVar[str] = "detection"
    title: ClassVar[str] = "The boxes"
    validated: ClassVar[Mapping[str, Direction]] = {"map50": "max"}
    monitor: ClassVar[str] = "val_map50"
    headline: ClassVar[tuple[str, ...]] = ("map50", "map")
    compared: ClassVar[tuple[str, ...]] = ("map50",)
    simple: ClassVar[Mapping[str, str]] = {"constant": "the mean box of each class, in the same places of every image"}
    judged: ClassVar[tuple[str, ...]] = ("boxes", "scores", "labels", "count")
    output: ClassVar[str] = "found"

    label: Label
    how: Head = "retina"
    """Which head it is, by which outputs are read."""
    shapes: tuple[tuple[float, float], ...] = ((0.25, 0.25),)
    """Usual heights and widths of boxes of the training split, in shares of the sides."""
    usual: float = Field(default=1.0, gt=0)
    """Boxes of an image of the training split, in the mean."""
    most: int = Field(default=100, ge=1)
    """Boxes that are answered at most."""
    overlap: float = Field(default=0.5, gt=0, lt=1)
    """Intersection over union above which the less sure of two boxes of one class is left out."""
    least_score: float = Field(default=0.05, ge=0, lt=1)
    """The score above which a box is answered."""
    key: str | None = None
    """Column of the key, which says of a tile where it lies; see ``schemas/tiles.py``."""

    def found_by(self, how: Head, most: int, overlap: float, least_score: float) -> Self:
        """The task with the head of a detector, and how its boxes are chosen."""
        return self.model_copy(update={"how": how, "most": most, "overlap": overlap, "least_score": least_score})

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """A label with boxes."""
        return contract.label is not None and contract.label.boxes is not None

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``."""
        return cls(label=_boxed(contract), key=contract.key)

    @classmethod
    def needed(cls, contract: Contract) -> list[str]:
        """The boxes, and the key."""
        return [_boxed(contract).name, *([contract.key] if contract.key else [])]

    @classmethod
    def fitted(cls, contract: Contract, seen: LabelStatistics, settings: TaskSettings) -> Self:
        """See ``Task.fitted``; every class needs a training box."""
        import numpy as np

        from kilnworks.components.tasks.detection.shapes import usual_shapes

        label = _boxed(contract)
        if settings.label_smoothing:
            raise ConfigError(
                "label_smoothing for a detection",
                "label_smoothing 0 (it is for one class a row)",
                "leave label_smoothing out",
            )
        if not seen.counts.sum():
            raise DataInvalid("no image of the training split has a box", "boxes to learn from", "check the label")
        refuse_absent(label, seen)
        shapes = usual_shapes(np.concatenate(seen.sizes))
        usual = round(float(seen.counts.sum()) / seen.rows, 6)
        chosen = tuple((float(h), float(w)) for h, w in shapes.round(6))
        return cls(label=label, key=contract.key, shapes=chosen, usual=usual)

    # ---- labels

    @classmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """Top, left, bottom, right and class number of each box, float32 [rows, boxes, 5]; -1 where there is none."""
        found, bad = boxes_of(label, series)
        refuse_labels(label, series, bad, cls.of_label(label))
        return found

    @staticmethod
    def of_label(label: Label) -> str:
        """What a cell must be, for messages."""
        return f"at most {label.boxes} boxes, inside of the image, each of {list(label.classes or ())}"

    def truth(self, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """The same."""
        return boxes_of(self.label, series)

    def judged_by(self, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Boxes [rows, boxes, 5] as ``encode`` gives them; of tiles [rows, boxes, 10], with where each tile lies."""
        from kilnworks.components.judging.detection.tiles import with_places

        truth, bad = self.truth(frame[self.label.name])
        return (with_places(truth, frame[self.key].to_list()) if self.key in frame.columns else truth), bad

    @property
    def wanted(self) -> str:
        """Boxes of the classes."""
        return self.of_label(self.label)

    def target(self, label: np.ndarray) -> np.ndarray:
        """As they are."""
        return label

    # ---- training

    @property
    def outputs(self) -> int:
        """Width of what is said of an anchor."""
        return 8 + self.logits

    @property
    def logits(self) -> int:
        """Numbers of which scores are made."""
        return len(self.class_texts) + (self.how in ("ssd", "yolo"))

    def head(self, features: Any, names: LayerNames) -> Any:
        """What the detector says, in float32. Raises ``ConfigError`` for a model that says nothing of anchors."""
        if len(features.shape) != 3 or features.shape[-1] != self.outputs:
            raise ConfigError(
                f"a model that gives {list(features.shape[1:])} for an image, and a label of boxes",
                f"boxes, their anchors and logits: [anchors, {self.outputs}]",
                "set model=Detector()",
            )
        return self.finishing(names(self.output))(features)

    def loss(self) -> Any:
        """That of the head."""
        from kilnworks.components.tasks.detection.losses import DetectionLoss
        from kilnworks.components.tasks.detection.points import PointsLoss

        classes = len(self.class_texts)
        return PointsLoss(classes, self.usual) if self.how == "points" else DetectionLoss(self.how, classes)

    def totals(self) -> Totals:
        """Loss and mAP50."""
        return _Totals(self)

    # ---- serving

    @property
    def answered(self) -> tuple[Answer, ...]:
        """Boxes with classes and scores, the surest first, and how many there are."""
        return (
            Answer("boxes", "float32", (self.most, 4), "top, left, bottom, right in shares of height and width"),
            Answer("classes", "string", (self.most,), "of each box; empty behind the last one"),
            Answer("scores", "float32", (self.most,), f"how sure, above {self.least_score:g}; 0 behind the last one"),
            Answer("count", "int32", (), "how many boxes were found; they come first, the surest in front"),
        )

    def looked_at(self, output: Any) -> dict[str, Any]:
        """The answers, with ``labels`` [N, most], class numbers, instead of names."""
        from kilnworks.components.tasks.detection.found import found_boxes

        return found_boxes(output, self.how, self.most, self.overlap, self.least_score)

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        import tensorflow as tf

        found = self.looked_at(output)
        names = tf.gather(tf.constant(self.class_texts), tf.cast(found["labels"], tf.int32))
        there = tf.range(self.most)[tf.newaxis] < found["count"][:, tf.newaxis]
        classes = tf.where(there, names, "")
        return {"boxes": found["boxes"], "classes": classes, "scores": found["scores"], "count": found["count"]}

    def answer_layers(self, output: Any) -> dict[str, Any]:
        """Suppression has no layer in Keras: the file gives the model's own output."""
        raise NotImplementedError("boxes are suppressed by TensorFlow")

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """See ``Task.difference`` and ``found.apart``."""
        from kilnworks.components.tasks.detection.found import apart

        return apart(name, got, wanted, self.least_score)

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``count`` and ``boxes``, of which each cell is a JSON list of class, score and sides in shares."""
        import numpy as np
        import polars as pl

        from kilnworks.components.judging.detection.drawn import listed_boxes

        return pl.DataFrame(
            {
                "count": np.asarray(answers["count"]).astype(np.int64),
                "boxes": listed_boxes(answers, self.class_texts),
            }
        )

    def of_whole(self, answers: Answers, parts: Sequence[Tile], size: tuple[int, int]) -> Answers:
        """See ``Task.of_whole``: what is found in several tiles counts once."""
        from kilnworks.components.judging.detection.tiles import photograph

        return photograph(answers, parts, size, self.overlap)

    # ---- judging

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """See ``Task.scores``; images are drawn again."""
        from kilnworks.components.judging.detection.average_precision import Matched
        from kilnworks.components.judging.detection.intervals import intervals

        matched = Matched.of(truth, answers, len(self.class_texts), overlap=self.overlap)
        return intervals(matched, settings.resamples, settings.seed)

    def measured(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> float:
        """See ``Task.measured``."""
        from kilnworks.components.judging.detection.average_precision import Matched

        return Matched.of(truth, answers, len(self.class_texts), overlap=self.overlap).metrics()[name]

    def weighed(self, name: str, truth: np.ndarray, answers: Answers) -> Callable[[np.ndarray], float] | None:
        """See ``Task.weighed``: boxes are matched once, and tiles of a photograph stay together."""
        from kilnworks.components.judging.detection.average_precision import THRESHOLDS, Matched

        thresholds = THRESHOLDS if name == "map" else THRESHOLDS[:1]
        if name not in {metric.name for metric in METRICS}:
            return None
        matched = Matched.of(truth, answers, len(self.class_texts), thresholds, overlap=self.overlap)
        return lambda times: matched.metrics(times.astype(float))[name]

    def simple_models(
        self, rows: Any, truth: np.ndarray, names: Collection[str] = ()
    ) -> Mapping[str, Callable[[Any], Answers]]:
        """The mean box of each class of the training rows, in the same places of every image."""
        from kilnworks.components.judging.detection.described import mean_boxes
        from kilnworks.components.judging.simple_models import CONSTANT

        return {CONSTANT: lambda some: mean_boxes(truth, len(self.class_texts), some.shape[0])}

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """Precision and recall by class, the score to cut at, and what the mean boxes of the truth reach."""
        from kilnworks.components.judging.detection.described import described

        return described(truth, answers, self.class_texts, self.overlap)

    def drawn(self, images: np.ndarray, truth: np.ndarray, answers: Answers) -> list[dict[str, Any]]:
        """The images with the best, the median and the worst F1, with true boxes and with found ones."""
        from kilnworks.components.judging.detection.drawn import pairs

        return pairs(images, truth, answers, self.class_texts, self.overlap)

    @classmethod
    def pictures(cls, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """See ``Task.pictures``."""
        from kilnworks.components.judging.detection.pictures import pictures

        return pictures(results)


class _Totals(Totals):
    def __init__(self, task: Detection) -> None:
        super().__init__(task.loss())
        self._task = task
        self._truth: list[np.ndarray] = []
        self._answers: list[dict[str, np.ndarray]] = []

    def means(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Keep what was found."""
        import numpy as np

        found = self._task.looked_at(output)
        self._answers.append({name: np.asarray(values) for name, values in found.items()})
        self._truth.append(np.asarray(target))
        return {}

    def others(self) -> dict[str, float]:
        """mAP50; NaN where no image has a box."""
        import numpy as np

        from kilnworks.components.judging.detection.average_precision import Matched

        answers = {name: np.concatenate([part[name] for part in self._answers]) for name in self._task.judged}
        matched = Matched.of(np.concatenate(self._truth), answers, len(self._task.class_texts), (0.5,))
        return {"map50": matched.metrics()["map50"]}


def _boxed(contract: Contract) -> Label:
    """The label of a contract. Raises ``ConfigError`` where it is none of boxes."""
    label = labelled(contract)
    if label.boxes is None:
        raise ConfigError(
            f"a detector for label {label.name!r}, which is no boxes",
            "a label of boxes",
            "give the label dtype: boxes in the contract, or take another model",
        )
    return label
