"""Tables: an ensemble inside one network, numbers encoded piecewise, and a linear path beside it.

::

    shares     -> piecewise linear -> embedding of each number --+
    numbers    -> soft clip ------------------------------------+-> K members: dense layers -> K outputs -+-> mean
    categories -> embedding ------------------------------------+                                        |
    all of these, linearly (starts at 0) ------------------------------------------------------------->--+

The members share their kernels and have factors of their own (TabM: Gorishniy, Kotelnikov & Babenko 2025), numbers are
embedded as in Gorishniy, Rubachev & Babenko (2022), and the linear path is that of Cheng et al. (2016, wide & deep).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kilnworks.components.features.encoded import CATEGORICAL, NUMERIC, SEQUENCE, SHARES, EncodedTensor
from kilnworks.components.modeling.base import DROPOUTS, Architecture, Initializer, embedding_size, scope_name
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension

OUTPUTS = "member_outputs"
LARGEST_NUMBER = 5.0
"""Standard deviations that a number cannot exceed after the soft clip."""


class Tabular(Architecture):
    """Members in parallel over embedded numbers and categories. Wants ``PreprocessConfig(shares=True)``.

    Encoded columns [N], [N, D] in, the mean of ``members`` outputs [N, K] out (Gorishniy, Kotelnikov & Babenko 2025).
    Use it for tables: it is what ``kilnworks new`` chooses.
    """

    takes: ClassVar[frozenset[str]] = frozenset({NUMERIC, SHARES, CATEGORICAL, SEQUENCE})

    kind: Literal["tabular"] = "tabular"
    initializer: Initializer = "he_normal"
    dropout: float = Field(default=0.1, ge=0, lt=1)
    members: int = Field(default=16, ge=1, le=256)
    """Networks in one; the cost grows with it."""
    units: tuple[Annotated[int, Field(ge=1)], ...] = (128, 128)
    """Width of each hidden layer, in order."""
    bins: int = Field(default=32, ge=1, le=256)
    """Pieces of the encoding of a number."""
    number_size: int = Field(default=12, ge=1, le=256)
    """Dimensions of the embedding of a number."""
    largest_embedding: int = Field(default=16, ge=1, le=1024)
    """Most dimensions of an embedded category where ``embedding_size`` is not set."""
    prior: float = Field(default=0.0, ge=0)
    """Weight of the sum of squared embeddings of categories in the training loss. About 1 / rows suits categories of
    which many values are rare."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "units": Choice(values=((64, 64), (128, 128), (256, 128))),
        "dropout": DROPOUTS,
        "members": Choice(values=(8, 16, 32)),
    }

    @model_validator(mode="after")
    def _no_normalization(self) -> Self:
        if self.normalization != "none":
            raise ValueError("tabular has no normalization: members would share its statistics; leave it out")
        return self

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``; the answer is the mean over the members.

        Raises:
            ConfigError: no tensor, or an image among them.
        """
        import keras

        self.refuse_unread(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        outputs = self._member_outputs(encoded, inputs, task.outputs, names)
        pooled = keras.layers.GlobalAveragePooling1D(dtype="float32", name=names(task.output))
        answers = task.finishing(names("member_answers"))(outputs)
        return keras.Model(inputs, pooled(answers), name=self.kind)

    def training(self, model: Any, task: Task) -> Any:
        """The members before the mean, each with a loss of its own."""
        from kilnworks.components.modeling.ensemble import MemberTraining

        outputs = model.get_layer(LayerNames({i.name for i in model.inputs})(OUTPUTS)).output
        tables = [layer for layer in model.layers if hasattr(layer, "embeddings")]
        return MemberTraining(model.input, outputs, name=model.name, task=task, tables=tables, prior=self.prior)

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The last hidden layer of every member, [N, K, units[-1]]."""
        import keras

        from kilnworks.components.modeling.ensemble import MemberScale

        x = self._features(encoded, inputs, names)
        for i, width in enumerate(self.units, 1):
            x = MemberScale(self.members, signs=i == 1, name=names(f"member_inputs_{i}"))(x)
            x = keras.layers.Dense(
                width,
                use_bias=False,
                kernel_initializer=self.initializer,
                kernel_regularizer=self.regularizer(),
                name=names(f"dense_{i}"),
            )(x)
            x = MemberScale(self.members, use_bias=True, name=names(f"member_units_{i}"))(x)
            x = keras.layers.Activation(self.activation, name=names(f"activation_{i}"))(x)
            if self.dropout:
                x = keras.layers.Dropout(self.dropout, name=names(f"dropout_{i}"))(x)
        return x if self.units else MemberScale(self.members, signs=True, name=names("member_inputs"))(x)

    def _member_outputs(
        self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], size: int, names: LayerNames
    ) -> Any:
        """Outputs of the members with the linear path added, [N, K, O]."""
        import keras

        hidden = self.trunk(encoded, inputs, names)
        deep = keras.layers.EinsumDense(
            "nkd,kdo->nko", (self.members, size), bias_axes="ko", dtype="float32", name=names("member_heads")
        )(hidden)
        linear = keras.layers.Reshape((1, size), name=names("linear"))(self._linear(encoded, inputs, size, names))
        return keras.layers.Add(dtype="float32", name=names(OUTPUTS))([deep, linear])

    def _features(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """Everything side by side for the members, [N, F]."""
        import keras

        parts = [self._embedded(tensor, inputs[tensor.name], names) for tensor in encoded]
        return keras.layers.Concatenate(name=names("features"))(parts) if len(parts) > 1 else parts[0]

    def _embedded(self, tensor: EncodedTensor, x: Any, names: LayerNames) -> Any:
        """One tensor as [N, F]."""
        import keras

        from kilnworks.components.modeling.ensemble import PiecewiseLinear

        tag = scope_name(tensor.name)
        if tensor.kind == SHARES:
            pieces = PiecewiseLinear(self.bins, name=names(f"pieces_{tag}"))(x)
            each = keras.layers.EinsumDense(
                "ndb,dbe->nde",
                (tensor.shape[0], self.number_size),
                bias_axes="de",
                activation=self.activation,
                kernel_initializer=keras.initializers.RandomUniform(-(self.bins**-0.5), self.bins**-0.5),
                bias_initializer=keras.initializers.RandomUniform(-0.1, 0.1),
                name=names(f"embedding_{tag}"),
            )(pieces)
            return keras.layers.Flatten(name=names(f"flat_{tag}"))(each)
        if tensor.kind == CATEGORICAL:
            size = self.embedding_size or min(self.largest_embedding, embedding_size(_vocabulary(tensor)))
            return keras.layers.Embedding(_vocabulary(tensor), size, name=names(f"embedding_{tag}"))(x)
        return self._clipped(tensor, x, names)

    def _linear(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], size: int, names: LayerNames) -> Any:
        """A linear model of all inputs, [N, size], that starts at 0."""
        import keras

        parts = []
        for tensor in encoded:
            x, tag = inputs[tensor.name], scope_name(tensor.name)
            if tensor.kind == CATEGORICAL:
                layer = keras.layers.Embedding(
                    _vocabulary(tensor), size, embeddings_initializer="zeros", name=names(f"effect_{tag}")
                )
                parts.append(layer(x))
                continue
            if tensor.kind != SHARES:
                flat = self._clipped(tensor, x, names)
                dense = keras.layers.Dense(
                    size, use_bias=False, kernel_initializer="zeros", name=names(f"effect_{tag}")
                )
                parts.append(dense(flat))
        return keras.layers.Add(name=names("effects"))(parts) if len(parts) > 1 else parts[0]

    def _clipped(self, tensor: EncodedTensor, x: Any, names: LayerNames) -> Any:
        """Numbers as [N, F], none far from 0."""
        import keras

        from kilnworks.components.modeling.ensemble import SoftClip

        tag = scope_name(tensor.name)
        flat = keras.layers.Flatten(name=names(f"flat_{tag}"))(x) if len(tensor.shape) > 1 else x
        return SoftClip(LARGEST_NUMBER, name=names(f"clipped_{tag}"))(flat)


def _vocabulary(tensor: EncodedTensor) -> int:
    if tensor.vocabulary_size is None:
        raise ConfigError(
            f"encoded tensor {tensor.name!r} has no vocabulary_size",
            "the number of its indices, for a categorical tensor",
            "set vocabulary_size where the tensor is encoded",
        )
    return tensor.vocabulary_size
