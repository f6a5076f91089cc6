"""Grad-CAM against its formula, where that can be written down: one dense layer on the mean of a map (Zhou 2016)."""

import keras
import numpy as np
import pytest

from kilnworks.components.modeling.images.gradcam import grad_cam

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(0).random((5, 8, 8, 2)).astype(np.float32)


def network(units: int, activation: str) -> tuple[keras.Model, keras.Model]:
    """A model, and the part of it up to its last map."""
    keras.utils.set_random_seed(2)
    image, age = keras.Input((8, 8, 2), name="image"), keras.Input((3,), name="age")
    seen = keras.layers.Conv2D(6, 3, activation="tanh")(image)
    vector = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(seen), age])
    out = keras.layers.Dense(units, activation)(vector)
    return keras.Model({"image": image, "age": age}, out), keras.Model(image, seen)


@pytest.mark.parametrize(("units", "activation"), [(4, "softmax"), (1, "sigmoid")])
def test_it_is_the_class_activation_map(units: int, activation: str) -> None:
    model, part = network(units, activation)
    classes = np.array([0, 1, 1, 0, 1]) if units == 1 else np.array([0, 1, 2, 3, 1])
    found = grad_cam(model, {"image": IMAGES, "age": np.ones((5, 3), np.float32)}, classes)
    maps, kernel = part(IMAGES).numpy(), model.layers[-1].kernel.numpy()[:6]
    weights = kernel[:, classes].T if units > 1 else np.where(classes > 0, 1, -1)[:, None] * kernel.T
    wanted = np.maximum(np.einsum("nhwc,nc->nhw", maps, weights), 0)
    wanted /= wanted.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_it_looks_where_the_class_is() -> None:
    """Only a bright pixel speaks for the class, so all heat lies there."""
    image = keras.Input((9, 9, 1), name="image")
    seen = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(image)
    out = keras.layers.Dense(2, "softmax", kernel_initializer="zeros")(keras.layers.GlobalMaxPooling2D()(seen))
    model = keras.Model(image, out)
    model.layers[-1].set_weights([np.array([[-1.0, 1.0]], np.float32), np.zeros(2, np.float32)])
    dot = np.zeros((1, 9, 9, 1), np.float32)
    dot[0, 2, 6] = 1
    found = grad_cam(model, {"image": dot}, np.array([1]))
    assert np.argwhere(found[0] > 0).tolist() == [[2, 6]] and found[0, 2, 6] == 1
    assert grad_cam(model, {"image": dot}, np.array([0])).max() == 0


@pytest.mark.parametrize("pool", [keras.layers.MaxPooling2D, keras.layers.AveragePooling2D])
def test_the_map_is_that_of_the_last_convolution_not_the_pooled_one(pool) -> None:
    """Each place of the map weighs what the kernel says of the one that is pooled from it (mean: a quarter of it)."""
    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 2), name="image")
    convolved = keras.layers.Conv2D(5, 3, padding="same", activation="relu")(image)
    out = keras.layers.Dense(3, "softmax")(keras.layers.Flatten()(pool(2)(convolved)))
    model, classes = keras.Model(image, out), np.array([0, 1, 2, 0, 1])
    found = grad_cam(model, {"image": IMAGES}, classes)
    maps = keras.Model(image, convolved)(IMAGES).numpy()
    kernel = model.layers[-1].kernel.numpy()[:, classes].T.reshape(5, 4, 4, 5)
    weights = kernel.sum(axis=(1, 2)) / 64  # of a maximum one place in four counts, of a mean each with a quarter
    wanted = np.maximum(np.einsum("nhwc,nc->nhw", maps, weights), 0)
    wanted /= wanted.max(axis=(1, 2), keepdims=True)
    assert found.shape == (5, 8, 8)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_models_without_a_map_have_none() -> None:
    row = keras.Input((3,), name="row")
    assert grad_cam(keras.Model(row, keras.layers.Dense(2)(row)), {"row": np.ones((2, 3))}, np.array([0, 1])) is None
