"""Many training steps in one call.

``keras.Model.fit`` calls a train function once a batch; below a few milliseconds a step, Python and the iterator cost
more than the arithmetic. On one device the function made here takes a block of batches and loops inside the graph,
about twice as fast as ``steps_per_execution``, and stops at the very step whose loss is not finite. What a step does is
still the model's own ``train_step``, so models that define one train unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from components.learning.input_pipeline import Feed


class LossNotFinite(Exception):
    """The loss became NaN or infinite.

    Attributes:
        step: number of the step within the block, from 0.
        loss: what it became.
    """

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"loss {loss} at step {step}")
        self.step, self.loss = step, loss


def block_function(
    model: Any, feed: Feed, dataset: tf.data.Dataset, *, jit: bool
) -> Callable[[Iterator[Any]], dict[str, Any]]:
    """A train function for ``model.train_function``: the next block of ``dataset``, step by step.

    Raises (when called):
        LossNotFinite: see there.
    """
    one_step = tf.function(model.train_step, jit_compile=True) if jit else model.train_step

    def steps(block: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        total = tf.shape(tf.nest.flatten(block)[0])[0]

        def unfinished(step: tf.Tensor, finite: tf.Tensor) -> tf.Tensor:
            return tf.logical_and(step < total, finite)

        def run(step: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logs = one_step(feed.read(block, step))
            return step + 1, _losses_finite(logs)

        done, _ = tf.while_loop(unfinished, run, (tf.constant(0), tf.constant(True)))
        return done, model.get_metrics_result()

    run_block = tf.function(steps, input_signature=[dataset.element_spec], autograph=False)

    def train(iterator: Iterator[Any]) -> dict[str, Any]:
        done, logs = run_block(next(iterator))
        if not bool(_losses_finite(logs)):
            raise LossNotFinite(int(done) - 1, float(logs["loss"]))
        return dict(logs)

    return train


def _losses_finite(logs: Mapping[str, Any]) -> tf.Tensor:
    """Whether every loss among the running means of an epoch is finite."""
    return tf.reduce_all(tf.math.is_finite([tf.cast(v, tf.float32) for k, v in logs.items() if "loss" in k]))
