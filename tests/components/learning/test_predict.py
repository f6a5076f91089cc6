"""Predictions for frames equal what Keras itself says."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.train import train
from tests.components.learning.training_examples import (
    DIGITS,
    PRICES,
    context,
    customers,
    digits,
    examples,
    fitted,
    prices,
    small,
    table,
)

pytestmark = pytest.mark.slow


def trained(root: Path, given, transform, **settings):
    (root / "out").mkdir()
    return train(small(epochs=1, **settings), given, transform, root / "out", context(root))


def by_keras(model, frame: pl.DataFrame) -> np.ndarray:
    import keras

    from kilnworks.components.features.transform import FeatureTransform

    loaded = keras.saving.load_model(model.keras_path)
    return loaded.predict(FeatureTransform.load(model.transform).encode(frame), verbose=0)


def test_binary_has_a_column_for_each_class(tmp_path: Path) -> None:
    from kilnworks.components.learning.predict import predict

    model = trained(tmp_path, *customers(tmp_path, 128))
    frame = table(333, 5)
    (found,) = predict(model, frame.drop("left")).values()
    assert found.shape == (333, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found[:, 1:], by_keras(model, frame), atol=1e-6)
    np.testing.assert_allclose(predict(model, frame, batch=50)["probabilities"], found, atol=1e-6)
    assert predict(model, frame[:0])["probabilities"].shape == (0, 2)


def test_multiclass(tmp_path: Path) -> None:
    from kilnworks.components.learning.predict import predict

    frames = digits()
    given = examples(tmp_path / "examples", DIGITS, {s: f[:300] for s, f in frames.items()})
    model = trained(tmp_path, given, fitted(tmp_path / "transform", given), model={"kind": "cnn", "filters": [4]})
    (found,) = predict(model, frames["val"]).values()
    assert found.shape == (360, 10)
    np.testing.assert_allclose(found, by_keras(model, frames["val"]), atol=1e-6)


def test_regression_is_in_the_unit_of_the_label(tmp_path: Path) -> None:
    from kilnworks.components.learning.predict import predict

    given = examples(tmp_path / "examples", PRICES, {"train": prices(100, 1), "val": prices(50, 2)})
    model = trained(tmp_path, given, fitted(tmp_path / "transform", given))
    frame = prices(70, 3)
    found = predict(model, frame)["score"]
    assert found.shape == (70,)
    np.testing.assert_allclose(found, by_keras(model, frame)[:, 0], rtol=1e-5)
    assert predict(model, frame[:0])["score"].shape == (0,)


def test_chunks_are_small_for_large_images() -> None:
    from kilnworks.components.learning.predict import chunk_rows

    assert chunk_rows({"x": np.zeros((1, 10), np.float32)}) == 16_384
    assert chunk_rows({"x": np.zeros((1, 28, 28, 1), np.float32)}) == 2**28 // (4 * 64 * 784)
    assert chunk_rows({"x": np.zeros((1, 64, 64, 3), np.float32)}) == 256
    assert chunk_rows({"x": np.zeros((1, 224, 224, 3), np.float32)}) == 2**22 // (224 * 224 * 3)
    assert chunk_rows({"x": np.zeros((1, 400, 400, 3), np.float32)}) == 8


def test_a_split_is_measured_in_small_pieces_of_whole_chunks(tmp_path: Path) -> None:
    """So that predictions are those of all rows at once, and memory does not grow with a shard."""
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.predict import chunk_rows, piece_rows

    given = examples(tmp_path / "examples", DIGITS, {s: f[:300] for s, f in digits().items()})
    transform = FeatureTransform.load(fitted(tmp_path / "transform", given))
    chunk = chunk_rows({"pixels": np.zeros((1, 8, 8, 1))})
    assert piece_rows(transform) % chunk == 0
    assert piece_rows(transform) * 72 <= 8 * 2**20 + chunk * 72
