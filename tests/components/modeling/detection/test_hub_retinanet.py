"""RetinaNet of KerasHub through the open end: its boxes are those that KerasHub itself decodes.

Skipped only where the extra ``hub`` is not installed.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.learning.predict import predict
from kilnworks.components.modeling.detection.hub import RetinaNet
from kilnworks.components.modeling.detection.layers import LARGEST
from kilnworks.components.tasks.detection.task import Detection
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.boxes import Box, written
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, ExtraMissing
from tests.components.learning.training_examples import prepared, trained

ROOT = Path(__file__).parents[4]
IMAGE = EncodedTensor(name="image", shape=(64, 96, 3), dtype="float32", kind="image")
PLACE = "kilnworks.components.modeling.detection.hub:RetinaNet"
SMALL = {"blocks": [1, 1, 1, 1], "flip": "none", "crop": 0.0, "most": 10}
installed = pytest.mark.skipif(
    find_spec("keras_hub") is None, reason="the extra hub is not installed: pip install 'kilnworks[hub]'"
)
pytestmark = pytest.mark.slow


def task(classes: int = 2) -> Detection:
    label = {"name": "boxes", "dtype": "boxes", "boxes": 4, "classes": [str(i) for i in range(classes)]}
    return Detection.model_validate({"label": label})


def squares(root, count):
    """Images with one bright square each."""
    rng, rows = np.random.default_rng(0), []
    for i in range(count):
        pixels = rng.integers(0, 60, (64, 64, 3)).astype(np.uint8)
        y, x = (int(place) for place in rng.integers(0, 40, 2))
        pixels[y : y + 24, x : x + 24] = 220
        box = Box("square", y / 64, x / 64, (y + 24) / 64, (x + 24) / 64)
        rows.append({"file": f"{i}.png", "image": pixels.ravel(), "boxes": written([box])})
    contract = Contract.model_validate(
        {
            "name": "squares",
            "key": "file",
            "features": {"image": {"dtype": "image", "shape": [64, 64, 3], "min": 0, "max": 255}},
            "label": {"name": "boxes", "dtype": "boxes", "boxes": 2, "classes": ["square"]},
        }
    )
    frame = pl.DataFrame(rows, schema_overrides={"image": pl.Array(pl.UInt8, 64 * 64 * 3)})
    return prepared(root, contract, {"train": frame[4:], "val": frame[2:4], "test": frame[:2]})


MADE: list = []


class Seen(RetinaNet):
    """The same, whose detectors are at hand."""

    def detector(self, shape, classes):
        MADE.append(super().detector(shape, classes))
        return MADE[-1]


def built(**more):
    """The Keras model, and KerasHub's detector whose layers are in it."""
    architecture = Seen.model_validate({**SMALL, **more})
    return architecture.network([IMAGE], architecture.adapted(task())), MADE[-1]


@installed
def test_its_boxes_are_those_that_kerashub_decodes() -> None:
    import keras

    keras.utils.set_random_seed(0)
    model, detector = built()
    images = np.random.default_rng(0).random((2, *IMAGE.shape)).astype(np.float32)
    output = np.asarray(model({"image": images}))
    told = detector(images)
    anchors = np.concatenate([np.asarray(one) for one in detector.anchor_generator(images).values()])
    begun = np.asarray(told["bbox_regression"]) + np.float32(np.log(99))
    decoded = keras.utils.bounding_boxes.decode_deltas_to_boxes(
        anchors, begun, anchor_format="yxyx", encoded_format="center_xywh", box_format="yxyx", image_shape=IMAGE.shape
    )
    near = np.abs(begun[..., 2:]).max(axis=2) < LARGEST  # sizes beyond are bounded
    assert near.mean() > 0.5
    size = np.array([64, 96, 64, 96])
    assert output.shape == (2, (8 * 12 + 4 * 6 + 2 * 3) * 9, 8 + 2)
    np.testing.assert_allclose((output[..., :4] * size)[near], np.asarray(decoded)[near], rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(output[0, :, 4:8] * size, anchors, atol=1e-4)
    shift = output[..., 8:] - np.asarray(told["cls_logits"])
    np.testing.assert_allclose(shift, -np.log(99), atol=1e-4)  # a class is there once in a hundred, before it learns


@installed
def test_weights_come_from_a_file(tmp_path) -> None:
    import keras

    keras.utils.set_random_seed(1)
    _, other = built()
    other.save_weights(tmp_path / "retinanet.weights.h5")
    model, detector = built(weights=str(tmp_path / "retinanet.weights.h5"))
    images = np.random.default_rng(0).random((1, *IMAGE.shape)).astype(np.float32)
    for name, values in other(images).items():
        np.testing.assert_array_equal(np.asarray(detector(images)[name]), np.asarray(values))
    np.testing.assert_allclose(np.asarray(model({"image": images}))[..., 8:], other(images)["cls_logits"], atol=1e-6)
    with pytest.raises(ConfigError, match=r"weights of a detector of 2 classes with blocks \[2, 1, 1, 1\]"):
        built(weights=str(tmp_path / "retinanet.weights.h5"), blocks=[2, 1, 1, 1])


def test_grey_images_are_refused() -> None:
    grey = IMAGE.model_copy(update={"shape": (64, 96, 1)})
    with pytest.raises(ConfigError, match="'image' has 1 channels"):
        RetinaNet().network([grey], task())


@installed
@pytest.mark.nightly
def test_it_is_trained_and_read_back_elsewhere(tmp_path) -> None:
    """Through ``kind: module:Class``; a process that has not heard of KerasHub loads it."""
    examples, transform = squares(tmp_path / "data", 16)
    config = {"model": {**SMALL, "kind": PLACE}, "epochs": 1, "batch": 8, "early_stopping": None, "monitor": "val_loss"}
    model = trained(tmp_path, TrainConfig.model_validate(config), examples, transform)
    rows = pl.read_parquet(examples.files("train")[0])[:3]
    answers = predict(model, rows)
    assert set(answers) == {"boxes", "labels", "scores", "count"} and answers["boxes"].shape == (3, 10, 4)
    place = tmp_path / "answers.npz"
    code = (
        "import sys, numpy as np, polars as pl\n"
        "from pathlib import Path\n"
        "from kilnworks.components.learning.predict import predict\n"
        "from kilnworks.schemas.artifacts import Model\n"
        "np.savez(sys.argv[3], **predict(Model(Path(sys.argv[1])), pl.read_parquet(sys.argv[2])[:3]))\n"
    )
    command = [sys.executable, "-c", code, str(model.path), str(examples.files("train")[0]), str(place)]
    subprocess.run(command, check=True, cwd=ROOT)
    with np.load(place, allow_pickle=True) as again:
        for name in ("boxes", "scores", "count"):
            np.testing.assert_allclose(again[name], answers[name], atol=1e-5)


def test_without_the_extra_it_is_told_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ExtraMissing, match="model RetinaNet needs keras_hub") as told:
        RetinaNet().network([IMAGE], task())
    assert told.value.fix == "pip install 'kilnworks[hub]'"
