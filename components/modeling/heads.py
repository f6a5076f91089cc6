"""The last layer: what a task asks of any architecture."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.config import Config

TaskKind = Literal["binary", "multiclass", "regression"]

OUTPUT_NAME: dict[TaskKind, str] = {"binary": "probability", "multiclass": "probabilities", "regression": "value"}
"""Name of the output layer by task."""


class Head(Config):
    """The output of the trainable model, in float32 whatever the precision of the layers before it.

    ``binary``: ``probability`` [N, 1] of the second class; ``multiclass``: ``probabilities`` [N, K], rows sum to 1;
    ``regression``: ``value`` [N, 1] in the unit of the label.
    """

    task: TaskKind
    classes: int = Field(default=1, ge=1)
    """K, for ``multiclass``."""
    offset: float = 0.0
    """For ``regression``: mean of the training labels, in their unit. The layers learn standardised values."""
    scale: float = Field(default=1.0, gt=0)
    """For ``regression``: standard deviation of the training labels, in their unit."""

    @model_validator(mode="after")
    def _fits_the_task(self) -> Self:
        if (self.task == "multiclass") != (self.classes > 2):
            raise ValueError(
                f"a {self.task} head cannot have classes={self.classes}; multiclass has 3 or more, others 1"
            )
        if not (math.isfinite(self.offset) and math.isfinite(self.scale)):
            raise ValueError("offset and scale must be finite")
        return self

    @property
    def name(self) -> str:
        """Name of the output layer."""
        return OUTPUT_NAME[self.task]

    def attach(self, features: Any, names: LayerNames) -> Any:
        """The output tensor on top of ``features`` [N, F]."""
        import keras

        match self.task:
            case "binary":
                return keras.layers.Dense(1, "sigmoid", dtype="float32", name=names(self.name))(features)
            case "multiclass":
                return keras.layers.Dense(self.classes, "softmax", dtype="float32", name=names(self.name))(features)
            case "regression":
                standard = keras.layers.Dense(1, dtype="float32", name=names("standard_value"))(features)
                rescaled = keras.layers.Rescaling(self.scale, self.offset, dtype="float32", name=names(self.name))
                return rescaled(standard)


class LayerNames:
    """Hands out layer names that are the same in every process and collide with no input.

    Keras numbers unnamed layers by process-wide counters; and a data set may well have a column called ``dense_1``.
    """

    def __init__(self, taken: set[str]) -> None:
        self._taken = set(taken)

    def __call__(self, name: str) -> str:
        """``name``, or ``name`` with underscores where it is taken."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name
