"""The train function: a block of steps in one call into TensorFlow, on one device or on several replicas alike.

``keras.Model.fit`` calls a train function once a batch; below a few milliseconds a step, Python and the iterator cost
more than the arithmetic. The function made here takes a block of batches and loops inside the graph. What a step does
is still the model's own ``train_step``, run by ``tf.distribute.Strategy.run``, so that models that define one train
unchanged. ::

    block  ->  one part for each replica  ->  step: rows of the batch, train_step  ->  means of the epoch so far

Nothing leaves the device between two steps: whether a loss is still finite is counted on the device, and looked at
after the block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from kilnworks.components.modeling.feeds.feed import Feed
from kilnworks.schemas.errors import ConfigError

TrainFunction = Callable[[Iterator[Any]], Mapping[str, Any]]
"""Takes its share from the iterator, trains on it, and answers with the running means of the epoch."""


class LossNotFinite(Exception):
    """A loss became NaN or infinite.

    Attributes:
        step: number of the step within the block, from 0.
        name: of the number in the logs.
        loss: what it became.
    """

    def __init__(self, step: int, name: str, loss: float) -> None:
        super().__init__(f"{name} {loss} at step {step}")
        self.step, self.name, self.loss = step, name, loss


def parts(blocks: Iterator[Any], strategy: Any | None) -> Iterator[tuple[Any, ...]]:
    """Each block cut into equal parts of its batches, one on the device of each replica of this process."""
    if strategy is None:
        yield from ((block,) for block in blocks)
        return
    count, devices = strategy.num_replicas_in_sync, strategy.extended.worker_devices
    for block in blocks:

        def own(context: Any, block: Any = block) -> Any:
            number = context.replica_id_in_sync_group
            with tf.device(devices[number % len(devices)]):
                return tf.nest.map_structure(lambda a: tf.constant(_part(a, number, count)), block)

        yield strategy.experimental_local_results(strategy.experimental_distribute_values_from_function(own))


def _part(array: Any, number: int, count: int) -> Any:
    rows = array.shape[1] // count
    return array[:, number * rows : (number + 1) * rows]


class BlockFunction:
    """Trains a compiled model on the next of ``parts(feed.blocks(...), strategy)``; see above."""

    def __init__(self, model: Any, feed: Feed, strategy: Any | None = None, *, jit: bool) -> None:
        self._devices = strategy.extended.worker_devices if strategy else ("",)
        strategy = strategy or tf.distribute.get_strategy()
        self._model, self._feed, self._strategy = model, feed, strategy
        self._names: list[str] = []
        self._several = strategy.num_replicas_in_sync > 1
        self._train = tf.function(model.train_step, jit_compile=True) if jit and not self._several else model.train_step
        self._jit = jit and self._several
        feed.hold(self._devices)
        part = feed.block_signature(feed.batch // strategy.num_replicas_in_sync)
        self._run = tf.function(self._steps, input_signature=[(part,) * len(self._devices)], autograph=False)

    def __call__(self, items: Iterator[Any]) -> dict[str, Any]:
        """All steps of the next block; the means so far.

        Raises:
            LossNotFinite: see there.
            ConfigError: ``train_step`` answers with something else than numbers by name.
        """
        done, finite, logs = self._run(next(items))
        broken = [name for name in losses(logs) if not bool(tf.math.is_finite(tf.cast(logs[name], tf.float32)))]
        if int(finite) < int(done) or broken:
            name = (broken or losses(logs))[0]
            raise LossNotFinite(min(int(finite), int(done) - 1), name, float(logs[name]))
        return dict(logs)

    def traced(self) -> Any:
        """The ``tf.types.experimental.ConcreteFunction`` behind it; makes the variables that a first step makes."""
        return self._run.get_concrete_function()

    def _steps(self, blocks: tuple[Any, ...]) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Parts of a block -> its steps, how many of them before a loss was not finite, and the logs."""
        total = tf.shape(tf.nest.flatten(blocks)[0])[0]

        def step(index: tf.Tensor, states: Any) -> tuple[tf.Tensor, Any]:
            """One step on every replica, behind those before it."""

            def on_all(number: tf.Tensor) -> Any:
                return self._local(lambda: self._one(blocks, states, number))

            return index + 1, (tf.function(on_all, jit_compile=True) if self._jit else on_all)(index)

        start = tuple((tf.constant([1.0, 0.0]), tf.zeros([0])) for _ in blocks)
        varying = tuple((tf.TensorShape([2]), tf.TensorShape([None])) for _ in blocks)
        _, states = tf.while_loop(
            lambda index, _: index < total, step, (tf.constant(0), start), (tf.TensorShape([]), varying)
        )
        finite = tf.reduce_min([counted[1] for counted, _ in states])
        return total, finite, self._logs([values for _, values in states])

    def _local(self, work: Callable[[], Any]) -> Any:
        """What ``work`` answers with on each replica of this process."""
        return self._strategy.experimental_local_results(self._strategy.run(work))

    def _here(self) -> int:
        """Number of the running replica among those of this process."""
        number = tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group)
        return int(number) % len(self._devices)

    def _one(self, blocks: tuple[Any, ...], states: Any, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One step on the running replica: [whether losses were finite so far, steps until then], logs [K]."""
        here = self._here()
        logs = scalars(self._model, self._train(self._feed.read(blocks[here], index, here)))
        self._names = list(logs)
        finite = states[here][0][0] * tf.cast(tf.reduce_all(tf.math.is_finite([logs[n] for n in losses(logs)])), float)
        return tf.stack([finite, states[here][0][1] + finite]), tf.stack(list(logs.values()))

    def _logs(self, values: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        """The model's metrics where the step answers with those; else what the last step said, mean of replicas."""
        for metric in self._model.metrics:
            if not getattr(metric, "built", True):  # compiled, but not used by a train_step of the class's own
                with tf.init_scope():
                    metric.build(tf.zeros([1, 1]), tf.zeros([1, 1]))
        means, last = dict(self._model.get_metrics_result()), self._last(values)
        if set(means) != set(self._names):
            return last
        used = {m.name: m.count > 0 for m in means_of(self._model)}
        return {n: tf.where(used[n], mean, last[n]) if n in used else mean for n, mean in means.items()}

    def _last(self, values: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        last = values[0]
        if self._several:
            mean = tf.distribute.ReduceOp.MEAN
            last = self._local(lambda: tf.distribute.get_replica_context().all_reduce(mean, values[self._here()]))[0]
        return {name: last[i] for i, name in enumerate(self._names)}


def means_of(model: Any) -> list[Any]:
    """The metrics of a model that are means, the compiled loss first.

    Where its ``count`` is 0 the step does not use it, and what the step says by that name is another number, of which
    Keras would show 0.
    """
    return [m for m in model.metrics if isinstance(m, keras.metrics.Mean)]


def losses(logs: Mapping[str, Any]) -> list[str]:
    """The names among the logs that must stay finite: those with ``loss`` in them, or all where there is none."""
    return [name for name in logs if "loss" in name] or list(logs)


def _flat(logs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values; those of metrics in a dict of their own, as Keras nests compiled ones, beside the others."""
    for name, value in logs.items():
        yield from _flat(value) if isinstance(value, Mapping) else [(str(name), value)]


def scalars(model: Any, logs: Any, step: str = "train_step") -> dict[str, tf.Tensor]:
    """What a ``train_step`` or another ``step`` of a model answered with, float32 each."""
    kind = type(model).__name__
    if not isinstance(logs, Mapping) or not logs:
        raise ConfigError(
            f"{step} of {kind} returns {logs!r}",
            "a dict with a number by name, one at least",
            'return what is to be shown and watched, e.g. {"loss": loss}',
        )
    found = {name: tf.cast(tf.convert_to_tensor(value), tf.float32) for name, value in _flat(logs)}
    for name, value in found.items():
        if value.shape.rank != 0:
            raise ConfigError(
                f"{step} of {kind} returns {name!r} of shape {value.shape}",
                "one number by name",
                "return its mean, or leave it out",
            )
    return found
