"""A sequence of numbers in each row: recurrent, convolutional or attended, then dense layers over everything.

::

    [N, steps, channels] -> changes in training -> core -> [N, F] --+
    other features ------------------------------------------------+-> dense layers -> head of the task

A step all of whose channels are missing is none: a sequence that is shorter than the others ends, or begins, with NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kilnworks.components.features.encoded import CATEGORICAL, NUMERIC, SEQUENCE, SHARES, EncodedTensor
from kilnworks.components.modeling.base import DROPOUTS, Architecture, scope_name
from kilnworks.components.modeling.sequential.settings import SequenceAugmentation
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension

if TYPE_CHECKING:
    from kilnworks.components.modeling.sequential.layers import Steps

Core = Literal["gru", "lstm", "tcn", "transformer"]


class SequenceModel(Architecture):
    """A network over steps. Wants a feature with ``shape: [steps, channels]``.

    Steps [N, T, C] of each sequence, and other columns, in; features [N, units[-1]] out. Cores: GRU or LSTM (Cho et al.
    2014; Hochreiter & Schmidhuber 1997), dilated causal convolutions (Bai, Kolter & Koltun 2018), transformer encoder
    (Vaswani et al. 2017). Use it where what is to be told lies in the course of a few to a few hundred measurements.
    """

    takes: ClassVar[frozenset[str] | None] = frozenset({SEQUENCE, NUMERIC, SHARES, CATEGORICAL})

    kind: Literal["sequence"] = "sequence"
    core: Core = "gru"
    """What reads the steps."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of units dropped between recurrent and attention layers, behind the core, and after dense layers."""
    width: int = Field(default=64, ge=1, le=1024)
    """Units of each direction of a recurrent layer, filters of the convolutions, or dimensions of a step."""
    layers: int = Field(default=1, ge=1, le=24)
    """For ``gru``, ``lstm`` and ``transformer``: how many stand above one another."""
    bidirectional: bool = True
    """For ``gru`` and ``lstm``: whether the sequence is read from both ends."""
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    """For ``gru`` and ``lstm``: share of the state dropped between two steps; the same in every step of a sequence."""
    kernel: int = Field(default=3, ge=2, le=15)
    """For ``tcn``: steps that a convolution sees; each stands twice as far apart as in the one before, until they see
    the whole sequence."""
    heads: int = Field(default=4, ge=1)
    """For ``transformer``: heads of the attention; they share ``width``."""
    units: tuple[Annotated[int, Field(ge=1)], ...] = (64,)
    """Width of each dense layer, in order."""
    augmentation: SequenceAugmentation = SequenceAugmentation()
    """How sequences are changed while it trains."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "core": Choice(values=("gru", "tcn", "transformer")),
        "width": Choice(values=(32, 64, 128)),
        "dropout": DROPOUTS,
    }

    @model_validator(mode="after")
    def _heads_share_a_step(self) -> Self:
        if self.core == "transformer" and self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        return self

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The last dense layer [N, units[-1]].

        Raises:
            ConfigError: no input is a sequence.
        """
        import keras

        found = [t for t in encoded if t.kind == SEQUENCE]
        others = [t for t in encoded if t.kind != SEQUENCE]
        if not found:
            raise ConfigError(
                f"model sequence for {', '.join(t.name for t in encoded)}, none of which is a sequence",
                "a feature with shape: [steps, channels]",
                "give the feature its shape in the contract ([steps, 1] for one channel), or use model: tabular",
            )
        parts = [self._tower(t, inputs[t.name], names) for t in found]
        joined = self.beside(parts, others, inputs, names)
        if self.dropout:
            joined = keras.layers.Dropout(self.dropout, name=names("dropout_joined"))(joined)
        return self.dense_layers(joined, self.units, names)

    def _tower(self, tensor: EncodedTensor, x: Any, names: LayerNames) -> Any:
        """One sequence [N, T, ..., C] as a vector [N, F]."""
        import keras

        from kilnworks.components.modeling.sequential.layers import Steps

        tag = scope_name(tensor.name)
        if len(tensor.shape) > 2:
            flat = (tensor.shape[0], math.prod(tensor.shape[1:]))
            x = keras.layers.Reshape(flat, name=names(f"steps_{tag}"))(x)
        x = self.augmentation.changed(x, tag, names)
        steps = Steps.of(x, tag, names)
        match self.core:
            case "gru" | "lstm":
                return self._recurrent(steps, names)
            case "tcn":
                return self._convolved(steps, names)
            case "transformer":
                return self._attended(steps, names)

    def _recurrent(self, steps: Steps, names: LayerNames) -> Any:
        import keras

        kind = keras.layers.LSTM if self.core == "lstm" else keras.layers.GRU
        x, mask = steps.in_front()
        for i in range(1, self.layers + 1):
            layer = kind(
                self.width,
                return_sequences=i < self.layers,
                dropout=self.dropout if i > 1 else 0.0,
                recurrent_dropout=self.recurrent_dropout,
                kernel_regularizer=self.regularizer(),
                name=names(f"{self.core}_{steps.tag}_{i}"),
            )
            both = (
                keras.layers.Bidirectional(layer, name=names(f"both_{steps.tag}_{i}")) if self.bidirectional else layer
            )
            x = both(x, mask=mask)
        return x

    def _convolved(self, steps: Steps, names: LayerNames) -> Any:
        """Causal convolutions around which the steps go, too; then the mean and the largest of each filter."""
        import keras

        x, apart, seen = steps.values, 1, 1
        while True:
            tag = f"{steps.tag}_{apart}"
            options = {"filters": self.width, "kernel_size": self.kernel, "padding": "causal", "dilation_rate": apart}
            y = self.activated(steps.blank(x, f"blank_{tag}"), keras.layers.Conv1D, tag, names, **options)
            if x.shape[-1] != self.width:
                x = keras.layers.Dense(self.width, name=names(f"around_{tag}"))(x)
            x = keras.layers.Add(name=names(f"sum_{tag}"))([x, y])
            seen += (self.kernel - 1) * apart
            if seen >= x.shape[1]:
                break
            apart *= 2
        pooled = [steps.pooled(x, by) for by in ("mean", "max")]
        return keras.layers.Concatenate(name=names(f"pooled_{steps.tag}"))(pooled)

    def _attended(self, steps: Steps, names: LayerNames) -> Any:
        import keras

        from kilnworks.components.modeling.forecasts.attention import block

        tag = steps.tag
        x = keras.layers.Dense(self.width, name=names(f"step_{tag}"))(steps.values)
        x = keras.layers.EinsumDense(
            "ntd,td->ntd", tuple(x.shape[1:]), bias_axes="td", kernel_initializer="ones",
            bias_initializer="random_normal", name=names(f"{tag}_places"),
        )(x)  # fmt: skip
        seen = steps.seen
        for i in range(1, self.layers + 1):
            x = block(x, self.width, self.heads, self.dropout, f"{tag}_{i}", names, seen)
        x = keras.layers.LayerNormalization(name=names(f"{tag}_normed"))(x)
        return steps.pooled(x, "mean")
