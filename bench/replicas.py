"""Steps per second on two replicas: blocks of steps in the graph against one call a step; part of ``make bench``.

Prints a Markdown table for ``docs/performance.md``. Both ways train the same network on the same batches, in turn in
one process that splits its processor in two, so only the ratio of a row counts. One call a step is Keras's own train
function, given each batch in two parts.

usage: python -m bench.replicas [--rounds N]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

ROWS, COLUMNS, EPOCHS = 32_768, 12, 2


def trained(strategy: Any) -> Any:
    """A compiled network of two hidden layers on the replicas."""
    import keras

    keras.utils.set_random_seed(0)
    with strategy.scope():
        inputs = keras.Input((COLUMNS,), name="x")
        hidden = keras.layers.Dense(64, "relu")(keras.layers.Dense(64, "relu")(inputs))
        model = keras.Model({"x": inputs}, keras.layers.Dense(1, "sigmoid")(hidden))
        model.compile(
            "adam", "binary_crossentropy", metrics=[keras.metrics.BinaryAccuracy(name="accuracy")], jit_compile=False
        )
        model.optimizer.build(model.trainable_variables)
    return model


def one_by_one(strategy: Any, feed: Any, x: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    """An epoch with one call a step."""
    import tensorflow as tf

    model, devices = trained(strategy), strategy.extended.worker_devices
    model.make_train_function()

    def batches(epoch: int) -> Iterator[Any]:
        for rows in feed.permutation(epoch):

            def part(context: Any, rows: Any = rows) -> Any:
                number = context.replica_id_in_sync_group
                with tf.device(devices[number]):
                    own = np.array_split(rows, len(devices))[number]
                    return {"x": tf.constant(x[own])}, tf.constant(y[own])

            yield strategy.experimental_distribute_values_from_function(part)

    def epoch() -> None:
        model.reset_metrics()
        ready = batches(0)
        for _ in range(feed.steps):
            float(model.train_function(ready)["loss"])

    return epoch


def in_blocks(strategy: Any, feed: Any, size: int) -> Callable[[], None]:
    """An epoch in blocks."""
    from kilnworks.components.learning.loop import BlockFunction, parts

    train = BlockFunction(trained(strategy), feed, strategy, jit=False)

    def epoch() -> None:
        blocks = parts(feed.blocks(range(1), size), strategy)
        for _ in range(-(-feed.steps // size)):
            train(blocks)

    return epoch


def seconds(epoch: Callable[[], None]) -> float:
    """Wall seconds of some epochs."""
    began = time.perf_counter()
    for _ in range(EPOCHS):
        epoch()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    from kilnworks.components.learning.input_pipeline import MemoryFeed
    from kilnworks.components.learning.strategy import Devices, place

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    strategy = place(Devices(strategy="mirrored", replicas=2, kind="cpu"), 64).strategy
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    y = (x[:, :1] > 0).astype(np.float32)
    print("| batch | one call a step, steps/s | blocks, steps/s | ratio (lowest to highest) |\n|---|---|---|---|")
    for batch in (64, 512):
        feed = MemoryFeed(({"x": x}, y), batch, 0)
        ways = [one_by_one(strategy, feed, x, y), in_blocks(strategy, feed, 128)]
        for epoch in ways:
            epoch()
        found = [[feed.steps * EPOCHS / seconds(epoch) for epoch in ways] for _ in range(rounds)]
        ratios = sorted(block / single for single, block in found)
        single, block = (statistics.median(column) for column in zip(*found, strict=True))
        print(
            f"| {batch} | {single:,.0f} | {block:,.0f} | "
            f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f}) |"
        )


if __name__ == "__main__":
    main()
