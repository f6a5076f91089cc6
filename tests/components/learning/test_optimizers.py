"""Each optimizer against its formula written out in NumPy."""

import math

import numpy as np
import pytest
from pydantic import TypeAdapter

from kilnworks.components.learning.optimizers import AnyOptimizer, Schedule

pytestmark = pytest.mark.slow

START = np.array([1.0, -2.0, 3.0], np.float32)
GRADIENTS = [np.array(g, np.float32) for g in ([0.5, -1.0, 0.1], [0.2, 0.4, -0.3], [-0.1, 0.9, 0.0])]


def made(settings: dict):
    config = TypeAdapter(AnyOptimizer).validate_python(settings)
    return config.build(config.learning_rate)


def run(settings: dict, gradients=GRADIENTS) -> np.ndarray:
    import keras

    optimizer, variable = made(settings), keras.Variable(START)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return variable.numpy()


def sgd(w, momentum=0.0, nesterov=False, rate=0.1):
    v = np.zeros_like(w)
    for g in GRADIENTS:
        v = momentum * v - rate * g
        w = w + (momentum * v - rate * g if nesterov else v)
    return w


def rmsprop(w, rate=0.1, rho=0.9, epsilon=1e-7):
    s = np.zeros_like(w)
    for g in GRADIENTS:
        s = rho * s + (1 - rho) * g**2
        w = w - rate * g / np.sqrt(s + epsilon)
    return w


def adam(w, rate=0.1, b1=0.9, b2=0.999, epsilon=1e-7, decay=0.0):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(GRADIENTS, 1):
        w = w - rate * decay * w
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        w = w - rate * math.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + epsilon)
    return w


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "sgd"}, sgd(START)),
        ({"kind": "sgd", "momentum": 0.9}, sgd(START, 0.9)),
        ({"kind": "sgd", "momentum": 0.9, "nesterov": True}, sgd(START, 0.9, True)),
        ({"kind": "rmsprop"}, rmsprop(START)),
        ({"kind": "adam"}, adam(START)),
        ({"kind": "adamw", "weight_decay": 0.05}, adam(START, decay=0.05)),
    ],
)
def test_three_steps(settings: dict, expected: np.ndarray) -> None:
    np.testing.assert_allclose(run(settings | {"learning_rate": 0.1}), expected, rtol=1e-5)


@pytest.mark.parametrize("by", ["norm", "global_norm", "value"])
def test_clipping_of_two_variables(by: str) -> None:
    import keras

    a, b = keras.Variable([0.0, 0.0]), keras.Variable([0.0])
    optimizer = made({"kind": "sgd", "learning_rate": 1.0, "clip": {"by": by, "limit": 1.0}})
    optimizer.apply([keras.ops.convert_to_tensor([3.0, 4.0]), keras.ops.convert_to_tensor([0.5])], [a, b])
    whole = math.sqrt(3**2 + 4**2 + 0.5**2)
    expected = {
        "norm": ([0.6, 0.8], [0.5]),
        "global_norm": ([3 / whole, 4 / whole], [0.5 / whole]),
        "value": ([1.0, 1.0], [0.5]),
    }[by]
    np.testing.assert_allclose(-a.numpy(), expected[0], rtol=1e-6)
    np.testing.assert_allclose(-b.numpy(), expected[1], rtol=1e-6)


def test_the_norm_of_an_embedding_gradient_counts_repeated_rows_as_their_sum() -> None:
    import keras
    import tensorflow as tf

    table = keras.Variable([[0.0], [0.0]])
    twice = tf.IndexedSlices(tf.constant([[3.0], [3.0]]), tf.constant([1, 1]), tf.constant([2, 1]))
    made({"kind": "sgd", "learning_rate": 1.0, "clip": {"limit": 3.0}}).apply([twice], [table])
    np.testing.assert_allclose(table.numpy(), [[0.0], [-3.0]], rtol=1e-6)


def test_accumulation_clips_the_mean_of_the_batches() -> None:
    settings = {"kind": "sgd", "learning_rate": 1.0, "accumulate": 2, "clip": {"limit": 1.0}}
    mean = (GRADIENTS[0] + GRADIENTS[1]) / 2
    expected = START - mean * min(1.0, 1.0 / np.linalg.norm(mean))
    np.testing.assert_allclose(run(settings, GRADIENTS[:2]), expected, rtol=1e-6)
    np.testing.assert_allclose(run(settings, GRADIENTS[:1]), START)


def test_cosine_with_warm_up_follows_the_formula() -> None:
    schedule = Schedule(warmup_epochs=0.5, final=0.1).build(0.2, steps_per_epoch=20, epochs=5)
    for step in range(101):
        if step < 10:
            expected = 0.2 * step / 10
        else:
            share = (step - 10) / 90
            expected = 0.2 * (0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2)
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_cosine_without_warm_up_starts_at_the_full_rate() -> None:
    schedule = Schedule().build(0.2, steps_per_epoch=10, epochs=2)
    assert [float(schedule(s)) for s in (0, 10, 20)] == pytest.approx([0.2, 0.1, 0.0], abs=1e-7)


def test_the_average_of_the_weights() -> None:
    import keras

    optimizer, variable = made({"kind": "sgd", "learning_rate": 1.0, "ema": 0.9}), keras.Variable(START)
    weights, average = START.copy(), None
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        weights = weights - gradient
        average = weights if average is None else 0.9 * average + 0.1 * weights
    optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(variable.numpy(), average, rtol=1e-5)
