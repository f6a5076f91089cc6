"""Histograms of oriented gradients against loops that say what they are, and as a second model of ``Vision``."""

import math

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.images.gradcam import grad_cam
from kilnworks.components.modeling.images.gradients import OrientedGradients
from kilnworks.components.modeling.vision import Augmentation, Vision
from kilnworks.schemas.errors import ConfigError
from tests.components.tasks.some_tasks import multiclass

pytestmark = pytest.mark.slow

SHOWN = np.random.default_rng(0).random((6, 19, 17, 2)).astype(np.float32)
IMAGE = EncodedTensor(name="image", shape=(16, 16, 1), dtype="float32", kind="image")
AGE = EncodedTensor(name="numeric", shape=(2,), dtype="float32", kind="numeric")


def by_loops(image: np.ndarray, cell: int, bins: int) -> np.ndarray:
    """Dalal & Triggs (2005) pixel by pixel, for one image [H, W]."""
    high, wide = image.shape[0] // cell, image.shape[1] // cell
    cells = np.zeros((high, wide, bins))
    for i in range(high * cell):
        for j in range(wide * cell):
            inside_i, inside_j = 0 < i < image.shape[0] - 1, 0 < j < image.shape[1] - 1
            down = image[i + 1, j] - image[i - 1, j] if inside_i else 0.0
            across = image[i, j + 1] - image[i, j - 1] if inside_j else 0.0
            degrees = math.degrees(math.atan2(down, across)) % 180
            cells[i // cell, j // cell, int(degrees // (180 / bins))] += math.hypot(down, across) / cell**2
    out = []
    for i in range(high - 1):
        for j in range(wide - 1):
            block = cells[i : i + 2, j : j + 2].ravel()
            block = np.minimum(block / math.sqrt((block**2).sum() + 1e-10), 0.2)
            out.append(block / math.sqrt((block**2).sum() + 1e-10))
    return np.concatenate(out)


@pytest.mark.parametrize(("cell", "bins"), [(4, 9), (3, 6)])
def test_they_are_those_of_dalal_and_triggs(cell: int, bins: int) -> None:
    layer = OrientedGradients(cell, bins)
    wanted = np.stack([by_loops(one.mean(axis=-1).astype(float), cell, bins) for one in SHOWN])
    np.testing.assert_allclose(layer(SHOWN), wanted, atol=1e-5)
    assert layer.compute_output_shape((None, 19, 17, 2)) == (None, wanted.shape[1])
    again = OrientedGradients.from_config(layer.get_config())
    np.testing.assert_array_equal(again.in_stock_layers(SHOWN), layer(SHOWN))


def test_a_flat_image_has_none_and_a_slope() -> None:
    import tensorflow as tf

    flat = tf.ones((1, 16, 16, 1))
    with tf.GradientTape() as tape:
        tape.watch(flat)
        found = OrientedGradients(4)(flat)
    assert float(tf.reduce_max(tf.abs(found))) == 0
    assert bool(tf.reduce_all(tf.math.is_finite(tape.gradient(found, flat))))


def edges(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a faint step down or across, and which."""
    random = np.random.default_rng(1)
    kind = random.integers(0, 2, rows)
    images = random.random((rows, 16, 16, 1)).astype(np.float32)
    step = (np.arange(16) >= 8).astype(np.float32)
    return images / 2 + np.where(kind[:, None, None], step[:, None], step[None])[..., None] / 2, kind


def test_the_answer_is_the_mean_of_two_models_and_each_learns() -> None:
    import keras

    keras.utils.set_random_seed(0)
    vision = Vision(filters=(4, 8), gradients=16, augmentation=Augmentation(flip="horizontal"))
    task, given = multiclass(2), edges(160)
    model = vision.network([IMAGE, AGE], task)
    inputs = {"image": given[0], "numeric": np.zeros((160, 2), np.float32)}
    trained = vision.training(model, task)
    trained.compile("adam", task.loss())
    trained.fit(inputs, given[1], epochs=12, batch_size=16, verbose=0)
    members = np.asarray(task.finished(trained(inputs, training=False)))
    assert members.shape == (160, 2, 2)
    np.testing.assert_allclose(model(inputs, training=False), members.mean(axis=1), atol=1e-6)
    parts = vision.weighed_parts(model, task)
    assert parts is not None
    np.testing.assert_allclose(parts[0](inputs, training=False), members, atol=1e-6)
    parts[1].set_weights([np.array([0.9, 0.1], np.float32)])
    mixed = 0.9 * members[:, 0] + 0.1 * members[:, 1]
    np.testing.assert_allclose(model(inputs, training=False), mixed, atol=1e-6)
    right = (members.argmax(axis=2) == given[1][:, None]).mean(axis=0)
    assert right[1] > 0.95
    heat = grad_cam(model, inputs, given[1])
    assert heat is not None
    assert heat.shape == (160, 8, 8)


def test_refused() -> None:
    with pytest.raises(ValueError, match="gradients with mixup or cutmix"):
        Vision(gradients=8, augmentation=Augmentation(mixup=0.2))
    small = EncodedTensor(name="dot", shape=(3, 9, 1), dtype="float32", kind="image")
    with pytest.raises(ConfigError, match="at least 4 for 1 blocks"):
        Vision(filters=(4,), gradients=8).network([small], multiclass(3))
