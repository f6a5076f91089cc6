"""Layers and training of an ensemble inside one network: every row passes through all members at once.

The members share their large kernels and differ by small factors (BatchEnsemble, Wen, Tran & Ba 2020; TabM, Gorishniy,
Kotelnikov & Babenko 2025). Each is trained by a loss of its own; the model answers with the mean of their answers.
Importing this module registers its layers, which ``keras.saving.load_model`` needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from kilnworks.components.tasks.base import Task


@keras.saving.register_keras_serializable(package="kilnworks")
class MemberScale(keras.layers.Layer):
    """Features times a factor of each member, plus a bias of each member: [N, F] or [N, K, F] to [N, K, F].

    Args:
        members: K.
        signs: whether factors start as 1 or -1 at random, so that members see different inputs; else all as 1.
        use_bias: whether to add a bias, which starts as 0.
    """

    def __init__(self, members: int, signs: bool = False, use_bias: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.members, self.signs, self.use_bias = members, signs, use_bias

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the factors and the biases, [K, F] each."""
        shape = (self.members, input_shape[-1])
        self.factor = self.add_weight(shape=shape, initializer=_signs if self.signs else "ones", name="factor")
        self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias") if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        """Scale and shift."""
        spread = ops.expand_dims(inputs, 1) if len(inputs.shape) == 2 else inputs
        scaled = spread * self.factor
        return scaled if self.bias is None else scaled + self.bias

    def in_stock_layers(self, inputs: Any) -> Any:
        """The same as a layer of Keras that multiplies without a sum, with the values of the weights."""
        equation = "nf,kf->nkf" if len(inputs.shape) == 2 else "nkf,kf->nkf"
        axes = "kf" if self.bias is not None else None
        size, policy = tuple(self.factor.shape), self.dtype_policy
        layer = keras.layers.EinsumDense(equation, size, bias_axes=axes, dtype=policy, name=self.name)
        outputs = layer(inputs)
        layer.set_weights([w for w in (self.factor, self.bias) if w is not None])
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """[N, K, F]."""
        return (input_shape[0], self.members, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "members": self.members, "signs": self.signs, "use_bias": self.use_bias}


@keras.saving.register_keras_serializable(package="kilnworks")
class PiecewiseLinear(keras.layers.Layer):
    """Shares in [0, 1] as ``bins`` numbers each: full below the share, empty above, linear inside its own bin.

    Bin b of B holds ``clip(B * share - b, 0, 1)``: the piecewise linear encoding of Gorishniy, Rubachev & Babenko
    (2022) with quantiles as edges, since a share is the quantile's rank. [N, D] to [N, D, B].
    """

    def __init__(self, bins: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bins = bins

    def call(self, inputs: Any) -> Any:
        """Encode."""
        start = ops.arange(self.bins, dtype=inputs.dtype)
        return ops.clip(ops.expand_dims(inputs, -1) * self.bins - start, 0.0, 1.0)

    def in_stock_layers(self, inputs: Any) -> Any:
        """The operations themselves, for a model that needs no layer of this project."""
        return self.call(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """[N, D, B]."""
        return (*input_shape, self.bins)

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "bins": self.bins}


@keras.saving.register_keras_serializable(package="kilnworks")
class SoftClip(keras.layers.Layer):
    """``x / sqrt(1 + (x / limit) ** 2)``: as it is near 0, never beyond ``limit`` (Holzmüller et al. 2024)."""

    def __init__(self, limit: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit

    def call(self, inputs: Any) -> Any:
        """Clip."""
        return inputs / ops.sqrt(1.0 + ops.square(inputs / self.limit))

    def in_stock_layers(self, inputs: Any) -> Any:
        """The operations themselves, for a model that needs no layer of this project."""
        return self.call(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "limit": self.limit}


class MemberTraining(keras.Model):
    """Trains members' outputs [N, K, O] or [N, K, O, P], before the activation of the head, each against the label.

    The loss is the mean over rows and members, plus the prior on embedding tables; metrics look at the mean answer.
    It wraps the layers of a model while that is trained, and is not saved itself.
    """

    def __init__(self, *args: Any, task: Task, tables: Sequence[Any] = (), prior: float = 0.0, **kwargs: Any) -> None:
        """``tables``: layers whose squared embeddings, summed and times ``prior``, add to the loss."""
        super().__init__(*args, **kwargs)
        self.task, self.tables, self.prior = task, list(tables), prior

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Every member as a row of its own."""
        members = y_pred.shape[1]
        answers = self.task.finished(ops.reshape(y_pred, (-1, *y_pred.shape[2:])))
        weight = None if sample_weight is None else ops.repeat(sample_weight, members, axis=0)
        loss = super().compute_loss(x, ops.repeat(y, members, axis=0), answers, weight, training)
        share = self.prior / tf.distribute.get_strategy().num_replicas_in_sync  # the losses of replicas are summed
        for table in self.tables if self.prior else ():
            loss = loss + share * ops.sum(ops.square(table.embeddings))
        return loss

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Metrics of the mean answer."""
        answers = self.task.finished(y_pred)
        return super().compute_metrics(x, y, ops.mean(answers, axis=1), sample_weight)


def _signs(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """1 or -1 with equal chance."""
    return ops.sign(keras.initializers.RandomUniform(-1.0, 1.0)(shape, dtype))
