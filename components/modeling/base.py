"""What every architecture is: settings that build a Keras model from encoded tensors and a task.

::

    EncodedTensor, EncodedTensor, ...  ->  trunk (the architecture)  ->  [N, F]  ->  head (the task)  ->  output

A new architecture is one file: a subclass of ``Architecture`` with a ``kind`` and a ``trunk``, named in
``architectures.AnyModel``.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from inspect import isabstract
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from kilnworks.components.features.encoded import CATEGORICAL, IMAGE, NUMERIC, SEQUENCE, SHARES, EncodedTensor
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.series.served import windowed
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension, Float

if TYPE_CHECKING:
    import numpy as np

Activation = Literal["relu", "gelu", "elu", "selu", "silu", "leaky_relu", "tanh"]
Initializer = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "lecun_uniform", "orthogonal"
]
Normalization = Literal["none", "batch", "layer"]

LARGEST_EMBEDDING = 32
"""Most dimensions that the size rule gives to a categorical feature."""
FLATTENED = frozenset({NUMERIC, SHARES, IMAGE, SEQUENCE})
"""Kinds of encoded tensors that are numbers, whatever their axes mean; in a row, the order of axes is not seen."""


PENALTIES = Choice(values=(0.0, 1e-5, 1e-4, 1e-3))
"""Of ``l2``, in the spaces of architectures."""
DROPOUTS = Float(low=0.0, high=0.5)
"""Of ``dropout``, in the spaces of architectures."""


class Architecture(Config, ABC):
    """Settings that all architectures share."""

    task: ClassVar[type[Task] | None] = None
    """What it predicts, where the label of the contract does not say it."""

    kind: str = ""
    """Which architecture this is; also the name of the Keras model. A class of a user's own needs none: in plain values
    its place stands here, ``my_project.models:MyNet``."""
    activation: Activation = "relu"
    """What stands between a layer and the next one."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of units dropped after each hidden dense layer while training, 0 to 1."""
    l1: float = Field(default=0.0, ge=0)
    """Weight of the sum of absolute kernel weights in the loss."""
    l2: float = Field(default=0.0, ge=0)
    """Weight of the sum of squared kernel weights in the loss."""
    normalization: Normalization = "none"
    """Normalization between a layer and its activation: none, over the batch (that of all replicas together), or over
    the units of a row."""
    initializer: Initializer = "glorot_uniform"
    """How kernels start."""
    embedding_size: int | None = Field(default=None, ge=1, le=1024)
    """Dimensions of every embedded category; by default ``embedding_size`` of its vocabulary."""

    takes: ClassVar[frozenset[str] | None] = frozenset({NUMERIC, SHARES, CATEGORICAL, IMAGE, SEQUENCE})
    """Kinds of encoded tensors that it reads (``EncodedTensor.kind``); what ``flat`` can put side by side, where an
    architecture says nothing; None for one that tries whatever there is."""

    space: ClassVar[Mapping[str, Dimension]] = {}
    """What a search tries where the definition says nothing: setting of the architecture -> values."""
    by_optimizer: ClassVar[bool] = True
    """Whether the optimizer of the training moves any weight; else its learning rate is nothing to search over."""

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """A Keras model with one named input for each encoded tensor (a dict) and the output of ``task``.

        The same process-wide seed (``keras.utils.set_random_seed``) before the call gives the same weights bit by
        bit, and layer names never depend on what was built before.

        Raises:
            ConfigError: the architecture cannot take these tensors.
        """
        import keras

        self.refuse_unread(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        trunk = self.trunk(encoded, inputs, names)
        return keras.Model(inputs, task.head(trunk, names), name=scope_name(self.kind or type(self).__name__))

    def refuse_unread(self, encoded: Sequence[EncodedTensor]) -> None:
        """Raise ``ConfigError`` where there is no tensor, or one of a kind that this architecture does not take."""
        if not encoded:
            raise ConfigError("no encoded tensor", "at least one input", "let the preprocessing keep a feature")
        for tensor in encoded:
            if self.takes is not None and tensor.kind not in self.takes:
                others, me = sorted(able(tensor.kind, self.task)), self.kind or type(self).__name__
                raise ConfigError(
                    f"model {me} cannot take {tensor.name!r}, which is encoded as {tensor.kind}",
                    f"one of {', '.join(sorted(self.takes))}",
                    f"use model: {' or '.join(others)}"
                    if others
                    else f"use model: custom, or write an architecture that takes {tensor.kind}",
                )

    def training(self, model: Any, task: Task) -> Any:
        """What is compiled and trained around the layers of ``model``; by default a twin with the same output.

        An architecture may train other outputs than it answers with, as an ensemble does. Only ``model`` is saved.
        """
        import keras

        return keras.Model(model.input, model.output, name=model.name)

    def fed(self, model: Any) -> Callable[[dict[str, Any]], Any]:
        """What the model of ``training`` is given instead of the dict of encoded tensors; by default that dict."""
        return dict

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """The preprocessing in front of the model; by default the one that was fitted."""
        return fitted

    def sent(self, contract: Contract) -> Contract:
        """What a client sends to a model of it, as a contract, before one is trained: by default a row, or a window."""
        return windowed(contract)

    def learner(self, encoded: Sequence[EncodedTensor], task: Task) -> Learner:
        """The model and how it is trained: by default in one phase, ``training`` of what ``network`` makes."""
        model = self.network(encoded, task)
        return Learner(model, (Phase("fit", self.training(model, task)),))

    def remarks(self, model: Any, fitted: FeatureTransform, task: Task) -> dict[str, Any]:
        """What the trained model says of itself, as plain values; stands in ``training.json``. By default nothing."""
        return {}

    def adapted(self, task: Task) -> Task:
        """The task as this architecture learns it, once the labels were seen; by default itself."""
        return task

    def shown(self, columns: Mapping[str, Any]) -> Self:
        """The architecture once it was shown the training rows, [rows, ...] by encoded tensor; by default itself."""
        return self

    def calibrated(self, task: Task, transform: FeatureTransform, outputs: Callable[[str], np.ndarray | None]) -> Task:
        """The task once the model is trained, where it depends on the model's outputs; by default the one it was.

        ``outputs`` gives those of the model for the rows of a split, [rows, K]; None where the split has no row.
        """
        return task

    def weighed_parts(self, model: Any, task: Task) -> tuple[Any, Any] | None:
        """The parts of a model that answers with the mean of two others, of which validation rows decide the shares.

        A model that gives the answers of both, [N, 2, O], and the layer that sums them up, kernel [2]; by default None.
        """
        return None

    @abstractmethod
    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The features [N, F] that the head sees."""

    def regularizer(self) -> Any:
        """The Keras regularizer of every kernel; None without a penalty."""
        import keras

        return keras.regularizers.L1L2(self.l1, self.l2) if self.l1 or self.l2 else None

    def activated(self, x: Any, layer: type, index: str, names: LayerNames, **options: Any) -> Any:
        """``layer`` (Dense, Conv2D, ...), then normalization, then the activation."""
        import keras
        import tensorflow as tf

        kind = layer.__name__.lower()
        options |= {"kernel_initializer": self.initializer, "kernel_regularizer": self.regularizer()}
        if self.normalization == "none":
            return layer(activation=self.activation, name=names(f"{kind}_{index}"), **options)(x)
        x = layer(use_bias=self.normalization == "layer", name=names(f"{kind}_{index}"), **options)(x)
        tag = names(f"{kind}_{index}_normalization")
        if self.normalization == "batch":
            several = tf.distribute.get_strategy().num_replicas_in_sync > 1
            x = keras.layers.BatchNormalization(synchronized=several, name=tag)(x)
        else:
            x = keras.layers.LayerNormalization(name=tag)(x)
        return keras.layers.Activation(self.activation, name=names(f"{kind}_{index}_activation"))(x)

    def dense_layers(self, x: Any, units: Sequence[int], names: LayerNames) -> Any:
        """Dense layers, each with normalization, activation and dropout as set."""
        import keras

        for i, width in enumerate(units, 1):
            x = self.activated(x, keras.layers.Dense, str(i), names, units=width)
            if self.dropout:
                x = keras.layers.Dropout(self.dropout, name=names(f"dropout_{i}"))(x)
        return x

    def flat(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """All given tensors side by side, [N, F]: categories embedded, tensors and images flattened.

        Raises:
            ConfigError: a tensor of another kind.
        """
        import keras

        parts = [self._flat_part(tensor, inputs[tensor.name], names) for tensor in encoded]
        return keras.layers.Concatenate(name=names("features"))(parts) if len(parts) > 1 else parts[0]

    def beside(
        self,
        parts: Sequence[Any],
        others: Sequence[EncodedTensor],
        inputs: Mapping[str, Any],
        names: LayerNames,
        name: str = "joined",
    ) -> Any:
        """Vectors [N, F] of towers and the other features, side by side in one layer of that name."""
        import keras

        found = [*parts, self.flat(others, inputs, names)] if others else list(parts)
        return keras.layers.Concatenate(name=names(name))(found) if len(found) > 1 else found[0]

    def _flat_part(self, tensor: EncodedTensor, x: Any, names: LayerNames) -> Any:
        import keras

        tag = scope_name(tensor.name)
        if tensor.kind == CATEGORICAL:
            if tensor.vocabulary_size is None:
                raise ConfigError(
                    f"encoded tensor {tensor.name!r} has no vocabulary_size",
                    "the number of its indices, for a categorical tensor",
                    "set vocabulary_size where the tensor is encoded",
                )
            size = self.embedding_size or embedding_size(tensor.vocabulary_size)
            return keras.layers.Embedding(tensor.vocabulary_size, size, name=names(f"embedding_{tag}"))(x)
        if tensor.kind not in FLATTENED:
            raise ConfigError(
                f"{tensor.name!r} is encoded as {tensor.kind}",
                f"one of {', '.join(sorted(FLATTENED))} or {CATEGORICAL} to put side by side",
                f"read {tensor.kind} in the trunk of the architecture",
            )
        return keras.layers.Flatten(name=names(f"flat_{tag}"))(x) if len(tensor.shape) > 1 else x


def able(kind: str, task: type[Task] | None = None) -> set[str]:
    """Names of the architectures that say that they take a kind, of those that are imported: ours by every training.

    ``task``: only those that are made for the same one; None, for whichever the label asks for.
    """
    found: set[str] = set()
    waiting = Architecture.__subclasses__()
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        if one.takes is not None and kind in one.takes and one.task is task and not isabstract(one):
            found.add(str(one.model_fields["kind"].default or one.__name__))
    return found


def embedding_size(vocabulary: int) -> int:
    """Dimensions for a category with that many indices: ``1.6 * n ** 0.56``, 2 to ``LARGEST_EMBEDDING``.

    The rule of fastai's tabular learner (Howard & Gugger 2020), with a lower cap.
    """
    return min(LARGEST_EMBEDDING, max(2, math.ceil(1.6 * vocabulary**0.56)))


def scope_name(name: str) -> str:
    """A feature name as TensorFlow accepts it inside a layer name."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)
