"""The loop over epochs, and the two train functions that it calls: for one device and for several.

``keras.Model.fit`` calls a train function once a batch; below a few milliseconds a step, Python and the iterator cost
more than the arithmetic. On one device the function made here takes a block of batches and loops inside the graph,
about twice as fast as ``steps_per_execution``, and stops at the very step whose loss is not finite. What a step does is
still the model's own ``train_step``, so models that define one train unchanged.

The loop is our own because ``fit`` reads everything through ``tf.data`` (see ``ahead.Ahead``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from components.learning.input_pipeline import Feed

TrainFunction = Callable[[Iterator[Any]], Mapping[str, Any]]
"""Takes its share from the iterator, trains on it, and answers with the running means of the epoch."""


class LossNotFinite(Exception):
    """The loss became NaN or infinite.

    Attributes:
        step: number of the step within the block, from 0.
        loss: what it became.
    """

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"loss {loss} at step {step}")
        self.step, self.loss = step, loss


def run_epochs(
    model: Any, train: TrainFunction, items: Iterator[Any], callbacks: Sequence[Any], epochs: range, calls: int
) -> None:
    """Train as ``keras.Model.fit`` does: ``calls`` calls of ``train`` an epoch, the callbacks around them.

    ``epochs`` may be empty; then only the start and the end of training are told.
    """
    told = keras.callbacks.CallbackList(callbacks, model=model, epochs=epochs.stop, steps=calls)
    model.stop_training = False
    told.on_train_begin()
    logs: Mapping[str, Any] = {}
    for epoch in epochs:
        model.reset_metrics()
        told.on_epoch_begin(epoch)
        for call in range(calls):
            told.on_train_batch_begin(call)
            logs = train(items)
            told.on_train_batch_end(call, logs)
            if model.stop_training:
                break
        logs = _over_replicas(model, logs)
        told.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    told.on_train_end(logs)


def _over_replicas(model: Any, logs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metrics of the epoch: a step's logs hold those of the first replica."""
    metrics = dict(model.get_metrics_result())
    return metrics if metrics.keys() == logs.keys() else logs


def block_function(model: Any, feed: Feed, *, jit: bool) -> TrainFunction:
    """A train function for one device: the next of ``feed.blocks``, step by step.

    Raises (when called):
        LossNotFinite: see there.
    """
    one_step = tf.function(model.train_step, jit_compile=True) if jit else model.train_step

    def steps(block: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The steps of a block up to the first loss that is not finite; how many, and the metrics."""
        total = tf.shape(tf.nest.flatten(block)[0])[0]

        def unfinished(step: tf.Tensor, finite: tf.Tensor) -> tf.Tensor:
            return tf.logical_and(step < total, finite)

        def run(step: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logs = one_step(feed.read(block, step))
            return step + 1, _losses_finite(logs)

        done, _ = tf.while_loop(unfinished, run, (tf.constant(0), tf.constant(True)))
        return done, model.get_metrics_result()

    run_block = tf.function(steps, input_signature=[feed.block_signature()], autograph=False)

    def train(blocks: Iterator[Any]) -> dict[str, Any]:
        """All steps of the next block; the metrics so far."""
        done, logs = run_block(next(blocks))
        if not bool(_losses_finite(logs)):
            raise LossNotFinite(int(done) - 1, float(logs["loss"]))
        return dict(logs)

    return train


def replica_function(model: Any) -> TrainFunction:
    """A train function for a model on several devices: the next of ``on_replicas``, one step.

    Raises (when called):
        LossNotFinite: see there.
    """
    model.make_train_function()

    def train(batches: Iterator[Any]) -> dict[str, Any]:
        """One step on all replicas; the metrics so far."""
        logs = dict(model.train_function(batches))
        if not bool(_losses_finite(logs)):
            raise LossNotFinite(0, float(logs["loss"]))
        return logs

    return train


def on_replicas(feed: Feed, epochs: range, strategy: Any) -> Iterator[Any]:
    """Each batch of these epochs cut into equal parts, in order, one on the device of each replica."""
    devices = strategy.extended.worker_devices
    for batch in feed.batches(epochs):
        rows = len(tf.nest.flatten(batch)[0]) // len(devices)

        def part(context: Any, batch: Any = batch, rows: int = rows) -> Any:
            number = context.replica_id_in_sync_group
            with tf.device(devices[number]):
                own = tf.nest.map_structure(lambda a: tf.constant(a[number * rows : (number + 1) * rows]), batch)
                return feed.unpacked(own)

        yield strategy.experimental_distribute_values_from_function(part)


def _losses_finite(logs: Mapping[str, Any]) -> tf.Tensor:
    """Whether every loss among the running means of an epoch is finite."""
    return tf.reduce_all(tf.math.is_finite([tf.cast(v, tf.float32) for k, v in logs.items() if "loss" in k]))
