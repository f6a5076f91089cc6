"""What ``keras.Model.fit`` around the block function costs, and whether it moves a number; part of ``make bench``.

Both ways train the same network on the same blocks, in turn in one process: the bare loop calls the train function and
nothing else, the other is ``fit`` with progress reported. What ``fit`` adds is measured inside one run, CPU seconds of
the whole over those inside the train function, since two runs beside other programs differ by more than that.

usage: python -m bench.loop [--rounds N]
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

ROWS, COLUMNS, BATCH, BLOCK, EPOCHS = 200_000, 12, 512, 128, 6


def network() -> Any:
    """A compiled network of two hidden layers."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((COLUMNS,), name="x")
    hidden = keras.layers.Dense(64, "relu")(keras.layers.Dense(64, "relu")(inputs))
    model = keras.Model({"x": inputs}, keras.layers.Dense(1, "sigmoid")(hidden))
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
    model.compile("adam", "binary_crossentropy", metrics=[accuracy], jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def bare(feed: Any) -> dict[str, float]:
    """The loop without ``fit``: the numbers of the last epoch."""
    from kilnworks.components.learning.loop import BlockFunction, parts

    model = network()
    train, items = BlockFunction(model, feed, jit=False), parts(feed.blocks(range(EPOCHS), BLOCK), None)
    logs: dict[str, Any] = {}
    for _ in range(EPOCHS):
        model.reset_metrics()
        for _ in range(-(-feed.steps // BLOCK)):
            logs = train(items)
    return {name: float(value) for name, value in logs.items()}


def driven(feed: Any) -> tuple[float, dict[str, float]]:
    """The same by ``fit``: CPU seconds of it over those inside the train function, and the numbers."""
    from kilnworks.components.learning.callbacks import Report
    from kilnworks.components.learning.epochs import run_epochs
    from kilnworks.components.learning.loop import BlockFunction, parts

    model = network()
    train, items = BlockFunction(model, feed, jit=False), parts(feed.blocks(range(EPOCHS), BLOCK), None)
    report = Report(lambda _: None, EPOCHS, feed.steps)
    inside = 0.0

    def watched(ready: Iterator[Any]) -> Mapping[str, Any]:
        nonlocal inside
        start = time.process_time()
        logs = train(ready)
        inside += time.process_time() - start
        return logs

    began = time.process_time()
    run_epochs(model, watched, items, [report], feed=feed, epochs=range(EPOCHS), block=BLOCK)
    whole = time.process_time() - began
    return whole / inside, {name: float(model.history.history[name][-1]) for name in ("loss", "accuracy")}


def main() -> None:
    """Measure and print."""
    from kilnworks.components.learning.input_pipeline import MemoryFeed

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    y = (x[:, :1] + x[:, 1:2] * x[:, 2:3] > 0).astype(np.float32)
    feed = MemoryFeed(({"x": x}, y), BATCH, 0)
    pairs = [(bare(feed), *driven(feed)) for _ in range(parser.parse_args().rounds)]
    ratios = sorted(ratio for _, ratio, _ in pairs)
    same = all(alone == by_fit for alone, _, by_fit in pairs)
    print(
        "| rows, batch, epochs | fit over its train function, CPU (lowest to highest) | same numbers |\n|---|---|---|"
    )
    print(
        f"| {ROWS:,}, {BATCH}, {EPOCHS} | {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) | "
        f"{'to the last digit' if same else 'NO'} |"
    )


if __name__ == "__main__":
    main()
