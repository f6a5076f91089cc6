"""A task without a label and its network, as a user writes them: rows that the rest does not explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.tasks.base import Answer, Answers, Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.totals import Totals
from kilnworks.components.tasks.unlabelled import Unlabelled

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


def mean_error(truth: Any, answers: Mapping[str, Any]) -> float:
    """Mean squared error of reconstruction."""
    return float(answers["error"].mean())


def mean_output(target: Any, output: Any) -> Any:
    """The loss: what the network says of itself."""
    import keras

    return keras.ops.mean(output)


class Reconstruction(Unlabelled):
    """``error`` [N]: how far each row is from what the network makes of it."""

    kind: ClassVar[str] = "reconstruction"
    title: ClassVar[str] = "The error"
    headline: ClassVar[tuple[str, ...]] = ("error",)
    judged: ClassVar[tuple[str, ...]] = ("error",)
    output: ClassVar[str] = "error"
    outputs: ClassVar[int] = 1

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        return (Metric("error", "min", "Reconstruction error", "mean square; less is better", of=mean_error),)

    def head(self, features: Any, names: LayerNames) -> Any:
        return self.finishing(names(self.output))(features)

    def loss(self) -> Any:
        return mean_output

    def totals(self) -> Totals:
        return Totals(mean_output)

    @property
    def answered(self) -> tuple[Answer, ...]:
        return (Answer("error", "float32", (), "how unlike the others the row is"),)

    def answers(self, output: Any) -> dict[str, Any]:
        return {"error": output[:, 0]}

    def table(self, answers: Answers) -> pl.DataFrame:
        import polars as pl

        return pl.DataFrame({"error": answers["error"]})

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Any]:
        return {}

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        return {}


class Autoencoder(Architecture):
    """As many hidden layers as there are widths; the error of what comes out is the output."""

    task: ClassVar[type[Task] | None] = Reconstruction
    units: tuple[int, ...] = (1,)

    def trunk(self, encoded: Any, inputs: Mapping[str, Any], names: LayerNames) -> Any:
        import keras

        rows = self.flat(encoded, inputs, names)
        narrow = self.dense_layers(rows, self.units, names)
        made = keras.layers.Dense(rows.shape[-1], name=names("made"))(narrow)
        apart = keras.layers.Subtract(name=names("apart"))([rows, made])
        square = keras.layers.Multiply(name=names("square"))([apart, apart])
        mean = keras.layers.GlobalAveragePooling1D(name=names("mean"))
        return mean(keras.layers.Reshape((rows.shape[-1], 1), name=names("long"))(square))
