"""The convolutional network against loops in NumPy."""

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.cnn import Cnn
from kilnworks.schemas.errors import ConfigError
from tests.components.tasks.some_tasks import multiclass

pytestmark = pytest.mark.slow

IMAGE = EncodedTensor(name="pixels", shape=(6, 4, 2), dtype="float32", kind="image")
NUMBERS = EncodedTensor(name="numeric", shape=(3,), dtype="float32", kind="numeric")
HEAD = multiclass(3)


def convolved(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """``same`` padded correlation of [H, W, C] with [k, k, C, F], then relu."""
    height, width, _ = image.shape
    side = kernel.shape[0] // 2
    padded = np.pad(image, ((side, side), (side, side), (0, 0)))
    out = np.zeros((height, width, kernel.shape[3]))
    for i in range(height):
        for j in range(width):
            patch = padded[i : i + kernel.shape[0], j : j + kernel.shape[1]]
            out[i, j] = np.tensordot(patch, kernel, 3) + bias
    return np.maximum(out, 0)


def pooled(image: np.ndarray) -> np.ndarray:
    height, width, channels = image.shape
    return image.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))


@pytest.mark.parametrize("pooling", ["flatten", "average", "max"])
def test_forward_pass(pooling: str) -> None:
    model = Cnn(filters=(5,), units=(), pooling=pooling).network([IMAGE, NUMBERS], HEAD)
    kernel, bias, last, last_bias = model.get_weights()
    random = np.random.default_rng(0)
    given = {
        "pixels": random.normal(size=(2, 6, 4, 2)).astype(np.float32),
        "numeric": random.normal(size=(2, 3)).astype(np.float32),
    }
    maps = np.stack([pooled(convolved(x, kernel, bias)) for x in given["pixels"]])
    vector = {
        "flatten": maps.reshape(2, -1),
        "average": maps.mean(axis=(1, 2)),
        "max": maps.max(axis=(1, 2)),
    }[pooling]
    logits = np.concatenate([vector, given["numeric"]], axis=1) @ last + last_bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(given).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("side", "pooling"), [(16, "flatten"), (64, "average")])
def test_large_maps_are_averaged(side: int, pooling: str) -> None:
    image = EncodedTensor(name="pixels", shape=(side, side, 1), dtype="float32", kind="image")
    model = Cnn(filters=(2, 2)).network([image], HEAD)
    expected = {"flatten": (side // 4) ** 2 * 2, "average": 2}[pooling]
    assert model.get_layer("vector_pixels").output.shape == (None, expected)


def test_blocks_normalization_and_names() -> None:
    model = Cnn(filters=(2, 3), convolutions=2, normalization="batch", dropout=0.1).network([IMAGE], HEAD)
    names = [layer.name for layer in model.layers]
    assert [n for n in names if n.startswith("conv2d")][::3] == [
        f"conv2d_pixels_{b}_{c}" for b in (1, 2) for c in (1, 2)
    ]
    assert sum(n.endswith("normalization") for n in names) == 5
    assert model.get_layer("conv2d_pixels_1_1").bias is None
    assert "dropout_1" in names


def test_refused() -> None:
    words = r"model cnn for numeric, none of which is an image(.|\n)*use model: tabular or mlp"
    with pytest.raises(ConfigError, match=words):
        Cnn().network([NUMBERS], HEAD)
    with pytest.raises(ConfigError, match=r"6 x 4 pixels(.|\n)*at least 8 for 3 poolings by 2"):
        Cnn(filters=(2, 2, 2)).network([IMAGE], HEAD)
