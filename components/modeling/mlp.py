"""Multilayer perceptron: everything side by side, then dense layers. The first choice for tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.base import DROPOUTS, PENALTIES, Architecture
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.search import Choice, Dimension


class Mlp(Architecture):
    """Numbers, embedded categories and flattened tensors concatenated, then dense layers.

    Encoded tensors [N], [N, D] or [N, ..., C] in, features [N, units[-1]] for the head out (Rumelhart, Hinton &
    Williams 1986). Use it for tables where a small, plain network is enough, and as the first thing to compare with.
    """

    kind: Literal["mlp"] = "mlp"
    units: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    """Width of each hidden layer, in order; empty for a linear model."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "units": Choice(values=((64,), (64, 32), (128, 64), (256, 128))),
        "dropout": DROPOUTS,
        "l2": PENALTIES,
    }

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The last hidden layer [N, units[-1]]."""
        return self.dense_layers(self.flat(encoded, inputs, names), self.units, names)
