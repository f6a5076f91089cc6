"""Images out of noise: a seed in, and perhaps the class that is wanted; an image out.

Nothing is judged row by row: as many images as there are held-out rows are made (``tried``), and the two sets are held
against each other by the features of a network that learned the training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from kilnworks.components.judging.metric import Direction, Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers, Beside
from kilnworks.components.tasks.classes import class_index, one_of
from kilnworks.components.tasks.labels import refuse_labels
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.totals import Totals
from kilnworks.components.tasks.unlabelled import Unlabelled
from kilnworks.schemas.contract import Contract, Feature, Label
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval

SEED, CLASS = "seed", "class"
MOST, MOST_TRAINING = 5_000, 20_000
"""Images that are made and compared, and training images among which the nearest is looked for, at most."""
FARTHEST = 10.0
"""Largest number of a seed, either way: no draw of a normal distribution comes so far."""

METRICS = (
    Metric("frechet_distance", "min", "Fréchet distance", "of features of generated and held-out images; less is "
           "better, 0 is the same distribution"),
    Metric("relative_distance", "min", "Against noise", "Fréchet distance over that of noise; 1 is noise"),
    Metric("classes_seen", "max", "Classes seen", "share of the classes that are found among generated images",
           share=True),
    Metric("class_agreement", "max", "Class as asked", "share of generated images that a classifier takes for the "
           "class they were asked for", share=True),
    Metric("near_copies", "min", "Near copies", "share of generated images nearer to a training image than 95 % of "
           "held-out ones; about 0.05 where nothing is learned by heart", share=True),
)  # fmt: skip


class Generation(Unlabelled):
    """``pixels`` [N, H * W * C]: an image of each seed, in the unit of the contract."""

    kind: ClassVar[str] = "generation"
    title: ClassVar[str] = "Images"
    validated: ClassVar[Mapping[str, Direction]] = {"distance": "min", "classes_seen": "max"}
    monitor: ClassVar[str] = "val_distance"
    headline: ClassVar[tuple[str, ...]] = ("frechet_distance", "relative_distance")
    judged: ClassVar[tuple[str, ...]] = ("image",)
    unit: ClassVar[str] = "images"
    output: ClassVar[str] = "pixels"

    noise: int = Field(default=1, ge=1)
    """Numbers of a seed; 1 before the model is trained."""
    shape: tuple[int, ...] = (1, 1, 1)
    """Of an image, [H, W, C]."""
    brightest: float = 255.0
    """The largest pixel."""
    conditional: bool = False
    """Whether a class is asked for."""

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """Never by itself: an architecture says that it makes images."""
        return False

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def headlines(cls, results: Mapping[str, Any]) -> tuple[str, ...]:
        """With a label, how many classes there are."""
        return (*cls.headline, "classes_seen") if results.get("label") else cls.headline

    @classmethod
    def reported(cls, validation: bool) -> dict[str, Direction]:
        """What is said of images held against validation rows; the losses of two networks that change say nothing."""
        return {f"val_{name}": way for name, way in cls.validated.items()} if validation else {}

    @classmethod
    def direction(cls, monitor: str, validation: bool) -> Direction:
        """See ``Task.direction``; without a validation split nothing says which epoch is the best one."""
        if not validation:
            raise ConfigError(
                f"monitor {monitor!r}, and the examples have no rows in split 'val'",
                "a validation split, which images are held against",
                "make one in the ingest step",
            )
        return super().direction(monitor, validation)

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``. Raises ``ConfigError`` for a label that is not one class a row."""
        label = contract.label
        if label is not None and (label.several or not label.classes):
            raise ConfigError(
                f"label {label.name!r} to make images of", "one of some classes a row; or no label",
                "give `classes` of the label, or take the label out of the contract",
            )  # fmt: skip
        return cls(label=label)

    def made_for(self, noise: int, shape: tuple[int, ...], brightest: float, conditional: bool) -> Self:
        """The task of a trained model: numbers of a seed, [H, W, C] of an image, its largest pixel, class or not."""
        told = {"noise": noise, "shape": shape, "brightest": brightest, "conditional": conditional}
        return self.model_copy(update=told)

    # ---- labels

    @classmethod
    def needed(cls, contract: Contract) -> list[str]:
        """The label, where there is one."""
        return [contract.label.name] if contract.label is not None else []

    @classmethod
    def learned(cls, contract: Contract, frame: pl.DataFrame) -> np.ndarray:
        """Number of the class of each row, int32 [rows]; zeros without a label. Raises ``DataInvalid`` for others."""
        import numpy as np

        if contract.label is None:
            return np.zeros(frame.height, np.int32)
        return cls.encode(contract.label, frame[contract.label.name])

    @classmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """Number of the class of each row, int32 [rows]. Raises ``DataInvalid`` for a row of none."""
        import numpy as np

        found = class_index(label, series)
        refuse_labels(label, series, found < 0, one_of(label))
        return np.asarray(found, np.int32)

    def target(self, label: np.ndarray) -> np.ndarray:
        """As it is, int32 [rows, 1]."""
        return label[:, None]

    # ---- training

    @property
    def outputs(self) -> int:
        """Pixels of an image."""
        import math

        return math.prod(self.shape)

    def head(self, features: Any, names: LayerNames) -> Any:
        """What the layers say, in float32."""
        return self.finishing(names(self.output))(features)

    def loss(self) -> Any:
        """Of the network whose features are compared; what makes images has losses of its own."""
        import keras

        return keras.losses.SparseCategoricalCrossentropy()

    def totals(self) -> Totals:
        """Nothing is measured row by row."""
        return Totals(lambda target, output: 0.0)

    # ---- serving

    def served(self, contract: Contract) -> Contract:
        """A seed, and the class where it is asked for."""
        features = {
            SEED: Feature(
                dtype="float", shape=(self.noise,), min=-FARTHEST, max=FARTHEST,
                description="Numbers drawn from a normal distribution with mean 0 and deviation 1; each its own image.",
            )
        }  # fmt: skip
        if self.conditional and self.label is not None:
            whole = self.label.dtype == "int"
            features[CLASS] = Feature(
                dtype="int" if whole else "string", allowed=self.label.classes if whole else self.class_texts,
                description=f"The {self.label.name} to make an image of.",
            )  # fmt: skip
        kept = {"name": contract.name, "description": contract.description, "features": features, "label": None}
        return Contract.model_validate(kept)

    def requests(self, rows: pl.DataFrame) -> pl.DataFrame:
        """As many seeds as rows, the same ones at each call; classes in turn."""
        import polars as pl

        columns = {SEED: pl.Series(self.seeds(rows.height, 0), dtype=pl.Array(pl.Float32, self.noise))}
        if self.conditional and self.label is not None:
            known = (self.label.classes or ()) if self.label.dtype == "int" else self.class_texts
            columns[CLASS] = pl.Series([known[place % len(known)] for place in range(rows.height)])
        return pl.DataFrame(columns)

    def seeds(self, count: int, seed: int) -> np.ndarray:
        """So many seeds, float32 [count, noise], that another number decides."""
        import numpy as np

        return np.random.default_rng(seed).standard_normal((count, self.noise), np.float32)

    def classes_of(self, places: np.ndarray) -> np.ndarray:
        """Classes [N] by their numbers, int [N], as they are sent."""
        import numpy as np

        assert self.label is not None
        whole = self.label.dtype == "int"
        known = np.array(self.label.classes, np.int64) if whole else np.array(self.class_texts, object)
        return np.asarray(known[places])

    def encoded_rows(self, requests: pl.DataFrame, transform: Any) -> dict[str, np.ndarray]:
        """As they are sent: the model looks classes up itself."""
        import numpy as np

        found = {SEED: np.asarray(requests[SEED].to_numpy(), np.float32)}
        if self.conditional:
            classes = requests[CLASS].to_numpy()
            found[CLASS] = classes.astype(object) if classes.dtype.kind not in "iu" else classes.astype(np.int64)
        return found

    def encoded_request(self, raw: Mapping[str, Any], layers: Any) -> Any:
        """As they are sent."""
        return {name: raw[given] for name in (SEED, CLASS) for given in raw if given.rstrip("|") == name}

    @property
    def answered(self) -> tuple[Answer, ...]:
        """The image."""
        return (
            Answer("image", "float32", self.shape, f"pixels from 0 to {self.brightest:g}, as the contract has them"),
        )

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        from keras import ops

        return {"image": ops.reshape(ops.cast(output, "float32"), (-1, *self.shape))}

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``mean``, the mean pixel, and ``image``, all of them from top to bottom as a text of numbers."""
        import numpy as np
        import polars as pl

        rows = np.asarray(answers["image"]).astype(np.float64).reshape(-1, self.outputs)
        return pl.DataFrame(
            {"mean": rows.mean(axis=1), "image": [" ".join(f"{pixel:.4g}" for pixel in row) for row in rows]}
        )

    # ---- judging

    def tried(
        self, run: Callable[[Mapping[str, np.ndarray]], np.ndarray], settings: JudgeSettings, beside: Beside
    ) -> tuple[Answers, dict[str, Any]] | None:
        """As many images as held-out rows, of their classes, held against those."""
        from kilnworks.components.judging.generation.judged import Images, judge_of, judged

        held_out, training = (
            Images(_only(arrays), labels)
            for arrays, labels in (beside.rows(beside.split, MOST), beside.rows("train", MOST_TRAINING))
        )
        rows = len(held_out.classes)
        given = {SEED: self.seeds(rows, settings.seed + 1)}
        if self.conditional:
            given[CLASS] = self.classes_of(held_out.classes)
        made = self.scaled(run(given))
        asked = held_out.classes if self.conditional else None
        return judged(made, asked, held_out, training, judge_of(beside.model), self.class_texts, settings.seed)

    def scaled(self, pixels: np.ndarray) -> np.ndarray:
        """What the model gives [N, H * W * C] as images [N, H, W, C] from -1 to 1."""
        return pixels.reshape(-1, *self.shape) * (2 / self.brightest) - 1

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """Each metric with its interval; what needs classes is undefined without them."""
        from kilnworks.components.judging.generation.scores import scores

        return scores(answers, len(self.class_texts), self.conditional, settings.resamples, settings.seed)

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """Nothing besides what ``tried`` tells."""
        return {}

    @classmethod
    def pictures(cls, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """See ``Task.pictures``."""
        from kilnworks.components.judging.generation.pictures import pictures

        return pictures(results)


def _only(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    (images,) = arrays.values()
    return images
