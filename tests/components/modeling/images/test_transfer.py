"""Transfer learning: what is frozen stays bit by bit, what is thawed moves, and a trained model is a base."""

import keras
import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.learning.predict import predict
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.train import TrainConfig, finetune
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from tests.components.learning.training_examples import context, digits, prepared, trained
from tests.components.tasks.some_tasks import multiclass

pytestmark = pytest.mark.slow

SIDES = Contract.model_validate(
    {
        "name": "digits",
        "features": {"pixels": {"dtype": "image", "shape": [8, 8, 1], "max": 16}},
        "label": {"name": "digit", "dtype": "int", "classes": list(range(10))},
    }
)
QUIET = {"flip": "none", "shift": 0, "rotation": 0, "zoom": 0, "contrast": 0}


@pytest.fixture(scope="module")
def rows() -> dict[str, pl.DataFrame]:
    """A few digits of 16 inks."""
    frames = {name: frame[:256] for name, frame in digits().items()}
    sixteenth = pl.col("pixels").map_batches(
        lambda s: pl.Series((s.to_numpy().astype(np.float32) * 16 / 255).round().astype(np.uint8))
    )
    return {name: frame.with_columns(sixteenth.cast(pl.Array(pl.UInt8, 64))) for name, frame in frames.items()}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A Keras file with a normalization over the batch that has seen other images."""
    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 1), name="picture")
    x = keras.layers.Conv2D(6, 3, padding="same", name="first")(image)
    x = keras.layers.BatchNormalization(name="first_norm")(x)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="second")(x)
    x = keras.layers.BatchNormalization(name="second_norm")(x)
    x = keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, x)
    for name in ("first_norm", "second_norm"):
        layer = model.get_layer(name)
        layer.set_weights([w + 0.25 for w in layer.get_weights()])
    path = tmp_path_factory.mktemp("own") / "own.keras"
    model.save(path)
    return path


def values(model: keras.Model, name: str) -> list[np.ndarray]:
    from kilnworks.components.modeling.images.blocks import layers_of

    return next(layer.get_weights() for layer in layers_of(model) if layer.name == name)


@pytest.mark.parametrize("blocks", [0, 1])
def test_only_what_is_thawed_moves_and_normalization_never(tmp_path, rows, own, blocks: int) -> None:
    given, transform = prepared(tmp_path, SIDES, rows)
    model = Transfer(
        base="own", weights=str(own), fine_tune=blocks, fine_tune_epochs=3, fine_tune_rate=1, augmentation=QUIET
    )
    config = TrainConfig(model=model, epochs=1, batch=64, monitor="loss", optimizer=Adam(learning_rate=0.02))
    made = trained(tmp_path, config, given, transform)
    before, after = keras.saving.load_model(own), load_trained(made)
    for name in ("first", "first_norm", "second_norm"):
        for one, two in zip(values(before, name), values(after, name), strict=True):
            np.testing.assert_array_equal(one, two)
    moved = [(a != b).any() for a, b in zip(values(before, "second"), values(after, "second"), strict=True)]
    assert moved == [blocks == 1] * 2
    said = made.training
    assert [p["name"] for p in said["phases"]] == ["head", "fine_tune"][: blocks + 1]
    learning = 8 * 10 + 10 + blocks * (3 * 3 * 6 * 8 + 8)
    assert said["transfer"] == {"base": "own", "weights": "own.keras", "learning": learning}


def test_the_answer_is_that_of_base_and_head(tmp_path, rows, own) -> None:
    """In NumPy from what the base gives: scaled pixels, mean over positions, dense layer."""
    given, transform = prepared(tmp_path, SIDES, rows)
    made = trained(tmp_path, TrainConfig(model=Transfer(base="own", weights=str(own)), epochs=1), given, transform)
    base = keras.saving.load_model(own)
    maps = keras.Model(base.input, base.get_layer("second_norm").output)
    some = rows["val"].head(20)
    images = some["pixels"].to_numpy().reshape(-1, 8, 8, 1).astype(np.float32) / 16
    kernel, bias = load_trained(made).layers[-1].get_weights()
    logits = maps(images).numpy().mean(axis=(1, 2)) @ kernel + bias
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predict(made, some)["probabilities"], wanted, atol=1e-5)


def test_a_trained_model_is_a_base_and_its_images_are_encoded_as_there(tmp_path, rows) -> None:
    given, transform = prepared(tmp_path / "a", SIDES, rows)
    first = TrainConfig.model_validate({"model": {"kind": "vision", "filters": [4, 8]}, "epochs": 1})
    base = trained(tmp_path, first, given, transform, "first")
    twos = {n: f.with_columns(digit=pl.col("digit") % 2) for n, f in rows.items()}
    label = {"name": "digit", "dtype": "int", "classes": [0, 1]}
    even = Contract.model_validate(SIDES.model_dump(mode="json") | {"label": label})
    given, transform = prepared(tmp_path / "b", even, twos)
    (tmp_path / "second").mkdir()
    config = TrainConfig(model=Transfer(base="own", fine_tune=2), epochs=2, monitor="val_loss")
    made = finetune(config, given, transform, base, tmp_path / "second", context(tmp_path / "at"))
    assert made.training["transfer"]["weights"] == "finetune"
    assert predict(made, twos["val"].head(3))["probabilities"].shape == (3, 2)
    with pytest.raises(ConfigError, match="finetune with model mlp"):
        finetune(TrainConfig(), given, transform, base, tmp_path / "third", context(tmp_path / "at"))
    with pytest.raises(ConfigError, match="base own and no weights"):
        Transfer(base="own", weights="x.keras").handed(base)


IMAGE = EncodedTensor(name="image", shape=(8, 8, 3), dtype="float32", kind="image")


def test_refused(own) -> None:
    with pytest.raises(ConfigError, match="base own without weights"):
        Transfer(base="own").network([IMAGE], multiclass(3))
    with pytest.raises(ConfigError, match="image 'image' of 8 x 8 x 3, and the base takes 8 x 8 x 1"):
        Transfer(base="own", weights=str(own)).network([IMAGE], multiclass(3))
    for wrong in ({"base": "vgg16"}, {"base": "own", "weights": "imagenet"}):
        with pytest.raises(ValidationError, match="weights"):
            Transfer.model_validate(wrong)
    assert Transfer(weights="imagenet").model_dump()["weights"] == "imagenet"


def test_a_grey_image_goes_to_a_base_of_colours_three_times(tmp_path) -> None:
    image = keras.Input((8, 8, 3), name="picture")
    keras.Model(image, keras.layers.Conv2D(2, 3)(image)).save(tmp_path / "colours.keras")
    grey = IMAGE.model_copy(update={"shape": (8, 8, 1)})
    model = Transfer(base="own", weights=str(tmp_path / "colours.keras")).network([grey], multiclass(3))
    assert model.get_layer("grey_image").output.shape == (None, 8, 8, 3)
