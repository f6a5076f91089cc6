"""Steps of a sequence of which some are none, and layers that do not see those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from kilnworks.components.modeling.texts.sequences import BlankPadding, PoolWords, Words
from kilnworks.components.tasks.layer_names import LayerNames


@dataclass(frozen=True)
class Steps:
    """Keras tensors of one sequence.

    Attributes:
        values: [N, T, C], standardised; 0 in all channels where a step is none.
        there: 1 where a step is one, else 0, int32 [N, T]; where no step is one, the first counts as one.
        tag: end of the names of layers.
        names: hands them out.
    """

    values: Any
    there: Any
    tag: str
    names: LayerNames

    @classmethod
    def of(cls, values: Any, tag: str, names: LayerNames) -> Steps:
        """Look which steps are there."""
        there = ops.any(ops.not_equal(values, 0), axis=-1)
        none = ops.logical_not(ops.any(there, axis=-1, keepdims=True))
        first = np.eye(1, values.shape[1], dtype=bool)
        there = ops.logical_or(there, ops.logical_and(none, first))
        return cls(values, ops.cast(there, "int32"), tag, names)

    def in_front(self) -> tuple[Any, Any]:
        """The steps that are there moved together to the front, [N, T, C], and a mask of them, bool [N, T].

        A recurrent layer skips the others wherever they stand, but on a GPU it takes a mask of those at the end alone.
        """
        steps = self.values.shape[1]
        number = np.arange(steps, dtype=np.int32)
        order = ops.argsort(ops.add(steps * (1 - self.there), number), axis=1)
        values = ops.take_along_axis(self.values, ops.expand_dims(order, -1), axis=1)
        return values, ops.greater(ops.sum(self.there, axis=1, keepdims=True), number)

    @property
    def seen(self) -> Any:
        """As attention takes it, bool [N, 1, T]."""
        return Words(name=self.names(f"is_step_{self.tag}"))(self.there)

    def blank(self, x: Any, name: str) -> Any:
        """Features [N, T, F], 0 where no step is."""
        return BlankPadding(name=self.names(name))([x, self.there])

    def pooled(self, x: Any, by: str) -> Any:
        """Mean or largest (``mean``, ``max``) of features [N, T, F] over the steps, [N, F]."""
        return PoolWords(by, name=self.names(f"{by}_{self.tag}"))([x, self.there])
