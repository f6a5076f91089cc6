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
        there: 1 where a step is one, else 0, int32 [N, T]; the first step counts as one, so that there is always one.
        tag: end of the names of layers.
    """

    values: Any
    there: Any
    tag: str
    names: LayerNames

    @classmethod
    def of(cls, values: Any, tag: str, names: LayerNames) -> Steps:
        """Look which steps are there."""
        first = np.eye(1, values.shape[1], dtype=np.int32)
        there = ops.maximum(ops.cast(ops.any(ops.not_equal(values, 0), axis=-1), "int32"), first)
        return cls(values, there, tag, names)

    @property
    def mask(self) -> Any:
        """As recurrent layers take it, bool [N, T]."""
        return ops.not_equal(self.there, 0)

    @property
    def seen(self) -> Any:
        """As attention takes it, bool [N, 1, T]."""
        return Words(name=self.names(f"is_step_{self.tag}"))(self.there)

    def blank(self, x: Any, name: str, names: LayerNames) -> Any:
        """Features [N, T, F], 0 where no step is."""
        return BlankPadding(name=names(name))([x, self.there])

    def pooled(self, x: Any, by: str, names: LayerNames) -> Any:
        """Mean or largest (``mean``, ``max``) of features [N, T, F] over the steps, [N, F]."""
        return PoolWords(by, name=names(f"{by}_{self.tag}"))([x, self.there])
