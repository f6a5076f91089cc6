"""The epochs of a phase: ``keras.Model.fit``, with a train function that is already there.

``fit`` keeps a ``train_function`` that a model has and calls it for every ``steps_per_execution`` steps; so every
callback, ``initial_epoch`` and ``stop_training`` mean what Keras says. What ``fit`` would read is one batch of zeros
over and over, of which nothing is computed: it shows Keras what a batch looks like. There is no Python in it, so an
iterator that outlives an error cannot keep a process from ending.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from kilnworks.components.learning.loop import TrainFunction
from kilnworks.components.modeling.feeds.feed import Feed


def run_epochs(
    model: Any,
    train: TrainFunction,
    items: Iterator[Any],
    callbacks: Sequence[Any],
    *,
    feed: Feed,
    epochs: range,
    block: int,
    strategy: Any | None = None,
) -> None:
    """Train in these epochs; where there are none, only the start and the end of training are told.

    Args:
        model: a compiled model.
        train: trains on the next of ``items``, a block of ``block`` steps.
        items: ``loop.parts`` of the blocks of these epochs.
        callbacks: of Keras, in the order in which they act.
        feed: what the blocks come from.
        epochs: numbers of the epochs, from 0.
        block: steps of a call.
        strategy: over the replicas; None without one.
    """
    model.train_function = lambda _: train(items)
    model.steps_per_execution = block
    try:
        model.fit(
            _shown(feed, strategy),
            epochs=epochs.stop,
            initial_epoch=epochs.start,
            steps_per_epoch=feed.steps,
            callbacks=list(callbacks),
            shuffle=False,
            verbose=0,
        )
    finally:
        model.train_function = None


def _shown(feed: Feed, strategy: Any | None) -> Any:
    """A batch of zeros, without end."""
    replicas = strategy.num_replicas_in_sync if strategy else 1
    batch = _without_lists(zeros(feed, feed.batch // replicas))
    if strategy is None:
        return tf.data.Dataset.from_tensors(batch).repeat()
    batch = tf.nest.map_structure(_summable, batch)
    return strategy.distribute_datasets_from_function(lambda _: tf.data.Dataset.from_tensors(batch).repeat())


def _summable(x: Any) -> Any:
    """Texts as numbers: Keras takes the mean of this batch over the replicas, of which it reads the shapes at most."""
    return tf.zeros(x.shape, tf.int32) if x.dtype == tf.string else x


def _without_lists(batch: Any) -> Any:
    """Lists as tuples: ``tf.data`` would make one tensor of a list, whose tensors may differ in shape and dtype."""
    if isinstance(batch, list | tuple):
        return tuple(map(_without_lists, batch))
    return {name: _without_lists(x) for name, x in batch.items()} if isinstance(batch, dict) else batch


def zeros(feed: Feed, rows: int) -> Any:
    """A batch of so many rows as the model takes it, all the same and meaning nothing."""
    block = tf.nest.map_structure(lambda s: tf.zeros([1, *s.shape[1:]], s.dtype), feed.block_signature(rows))
    return tf.nest.map_structure(tf.zeros_like, feed.read(block, 0))
