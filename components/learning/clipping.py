"""Gradient clipping that means the same on one replica and on many.

Keras clips what each replica computed, before the sum over replicas, so that a limit of 1 lets a step of norm 2
through on two replicas. And it takes the norm of an embedding's gradient over its entries one by one, although rows
that occur twice add up. Here the gradients are made dense and summed first, then clipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

_CLIP: dict[str, Callable[[list[Any], float], list[Any]]] = {
    "norm": lambda grads, limit: [tf.clip_by_norm(g, limit) for g in grads],
    "global_norm": lambda grads, limit: tf.clip_by_global_norm(grads, limit)[0],
    "value": lambda grads, limit: [tf.clip_by_value(g, -limit, limit) for g in grads],
}


def clipped(base: type, by: Literal["norm", "global_norm", "value"], limit: float) -> type:
    """A subclass of the Keras optimizer ``base`` that clips the gradient of the global batch.

    Args:
        base: a class of Keras optimizers.
        by: ``norm`` limits the L2 norm of each variable's gradient, ``global_norm`` that of all together (Pascanu,
            Mikolov and Bengio 2013), ``value`` each entry.
        limit: above 0, in the unit of the gradients.
    """

    class Clipped(base):
        """``base`` with the gradient of the global batch clipped."""

        def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
            """One update. ``super().apply`` sums over the replicas once more, hence the division."""
            present = [tf.convert_to_tensor(g) for g in grads if g is not None]
            replicas = 1
            if not tf.distribute.in_cross_replica_context():
                context = tf.distribute.get_replica_context()
                replicas = context.num_replicas_in_sync
                if replicas > 1:
                    present = context.all_reduce(tf.distribute.ReduceOp.SUM, present)
            limited = iter(_CLIP[by](list(present), limit))
            super().apply([None if g is None else next(limited) / replicas for g in grads], trainable_variables)

    if not issubclass(base, keras.optimizers.Optimizer):
        raise TypeError(f"{base} is no Keras optimizer")
    Clipped.__name__ = Clipped.__qualname__ = f"Clipped{base.__name__}"
    return Clipped
