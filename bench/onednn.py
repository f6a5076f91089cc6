"""What oneDNN is worth on this processor, and where it writes past its memory (decision 375).

usage: python -m bench.onednn [--seconds 1.5] [--rounds 2] [--tries 1]

First CPU ms of a training step and of an answer of small networks, without oneDNN as a factor of those with it, the
lowest of some rounds in turn. Then the gradient of a convolution of one pixel with strides of 2, in processes of their
own, by channels and side: how many of them ended by a signal. Where TensorFlow is built without oneDNN, or on a
processor without AVX-512, all factors are near 1 and no process ends early.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

CHANNELS = (3, 8, 12, 15, 16, 17, 24, 33)
SIDES = (24, 48, 96)
GRADIENT = """
import sys, tensorflow as tf
channels, side = map(int, sys.argv[1:])
for rows in (1, 4, 7):
    x, g = tf.random.normal([rows, side, side, channels]), tf.random.normal([rows, side // 2, side // 2, 16])
    for _ in range(10):
        tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=[1, 1, channels, 16], out_backprop=g, strides=[1, 2, 2, 1], padding="SAME"
        )
        some = [bytearray(1000) for _ in range(300)]  # whoever meets what was overwritten
"""


def main() -> None:
    """Measure, print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.5, help="processor time for each figure of a round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tries", type=int, default=1, help="processes for each number of channels and side")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(costs(options.seconds)))
        return
    found: dict[str, list[dict[str, float]]] = {"0": [], "1": []}
    for _ in range(options.rounds):
        for asked, figures in found.items():
            figures.append(_child(asked, options.seconds))
    print("| network | step | answer |\n|---|---|---|")
    for name in NETWORKS:
        factors = (_factor(found, f"{name}, {kind}") for kind in ("step", "answer"))
        print(f"| {name} | {' | '.join(f'{factor:.1f}' for factor in factors)} |")
    print("\n| channels | processes | ended by a signal |\n|---|---|---|")
    for channels in CHANNELS:
        ended = [_ends(channels, side) for side in SIDES for _ in range(options.tries)]
        print(f"| {channels} | {len(ended)} | {sum(ended)} |")


def costs(seconds: float) -> dict[str, float]:
    """Milliseconds of processor time by network and ``step`` or ``answer``."""
    import keras
    import tensorflow as tf

    found = {}
    for name, make in NETWORKS.items():
        keras.utils.set_random_seed(0)
        model, shape = make(keras.layers)
        model.compile("adam", "mse")
        rows = tf.constant(np.random.default_rng(0).normal(size=shape).astype(np.float32))
        truth = tf.zeros([shape[0], 1])
        step = tf.function(lambda m=model, x=rows, y=truth: m.train_step((x, y)))
        answer = tf.function(lambda m=model, x=rows: m(x, training=False))
        found |= {f"{name}, step": _cost(step, seconds), f"{name}, answer": _cost(answer, seconds)}
    return found


def _cost(run: Callable[[], Any], seconds: float) -> float:
    run()
    run()
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        run()
        count += 1
    return (time.process_time() - start) / count * 1000


def _child(asked: str, seconds: float) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.onednn", "--child", "--seconds", str(seconds)]
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": asked, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return {str(name): float(value) for name, value in json.loads(done.stdout).items()}


def _factor(found: dict[str, list[dict[str, float]]], name: str) -> float:
    off, on = (min(one[name] for one in found[asked]) for asked in ("0", "1"))
    return off / on


def _ends(channels: int, side: int) -> bool:
    command = [sys.executable, "-c", GRADIENT, str(channels), str(side)]
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}
    return subprocess.run(command, env=env, check=False, capture_output=True).returncode < 0


def _dense(layers: Any) -> Any:
    return _chain(layers.Input((40,)), layers.Dense(128, "relu"), layers.Dense(128, "relu"), layers.Dense(1)), (512, 40)


def _convolutions(layers: Any) -> Any:
    first = (layers.Conv2D(32, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU())
    more = (layers.Conv2D(64, 3, stride, padding="same", activation="relu") for stride in (2, 1))
    end = (layers.GlobalAveragePooling2D(), layers.Dense(1))
    return _chain(layers.Input((32, 32, 3)), *first, *more, *end), (64, 32, 32, 3)


def _depthwise(layers: Any) -> Any:
    first = (layers.DepthwiseConv2D(3, padding="same"), layers.Conv2D(96, 1), layers.BatchNormalization())
    end = (layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(1))
    return _chain(layers.Input((64, 64, 16)), *first, *end), (32, 64, 64, 16)


def _transformer(layers: Any) -> Any:
    import keras

    x = start = layers.Input((64, 64))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 16)(y, y)])
        y = layers.Dense(128, "gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(64)(y)])
    return keras.Model(start, layers.Dense(1)(layers.GlobalAveragePooling1D()(x))), (64, 64, 64)


def _recurrent(kind: str) -> Callable[[Any], Any]:
    return lambda layers: (
        _chain(layers.Input((48, 8)), getattr(layers, kind)(64), layers.Dense(1)), (64, 48, 8)
    )  # fmt: skip


def _chain(*layers: Any) -> Any:
    import keras

    return keras.Sequential(layers)


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "dense 2 x 128, batch 512": _dense,
    "three convolutions, 32 x 32": _convolutions,
    "depthwise and one-pixel convolutions, 64 x 64": _depthwise,
    "transformer, two blocks of 64": _transformer,
    "LSTM of 64": _recurrent("LSTM"),
    "GRU of 64": _recurrent("GRU"),
}
"""By name, what makes a Keras model and the shape of its rows."""

if __name__ == "__main__":
    main()
