"""Pictures of a model of images: which rows are shown, what a report may load, and the sheet of changes."""

import base64
import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.components.modeling.images.augmentation import Augmentation
from kilnworks.components.modeling.images.pictures import SHOWN, chosen_rows, looks, picture, sheet, warmed
from kilnworks.components.reporting.sections.looks import looks as section

IMAGES = np.random.default_rng(0).random((4, 12, 16, 3)).astype(np.float32)


def pixels(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_the_surest_mistakes_come_first_then_each_class_in_turn() -> None:
    rng = np.random.default_rng(1)
    right, said, share = rng.random(200) < 0.9, rng.integers(0, 3, 200), rng.random(200)
    chosen = chosen_rows(right, said, share)
    assert len(chosen) == len(set(chosen)) == SHOWN
    wrong = [i for i in chosen if not right[i]]
    assert wrong == chosen[:6] == sorted(np.flatnonzero(~right), key=lambda i: -share[i])[:6]
    assert [int(c) for c in np.bincount(said[chosen[6:]])] == [2, 2, 2]
    assert chosen_rows(np.ones(2, bool), np.zeros(2, int), np.array([0.1, 0.9])) == [1, 0]


def test_heat_is_red_and_small_images_keep_their_pixels() -> None:
    heat = np.zeros((2, 2), np.float32)
    heat[0, 0] = 1
    found = warmed(IMAGES[0], heat)
    assert found[0, 0, 0] - found[0, 0, 2] > 0.5
    grey = IMAGES[0, -1, -1].mean()
    np.testing.assert_allclose(found[-1, -1], grey, atol=1e-5)
    shown = pixels(picture(IMAGES[0]))
    assert shown.shape == (84, 112, 3)
    np.testing.assert_array_equal(shown[3, 3], shown[5, 5])


@pytest.mark.slow
def test_the_sheet_shows_each_change_alone_and_mixed_pairs() -> None:
    every = Augmentation(flip="horizontal", erasing=0.2, mixup=0.2, cutmix=1)
    found = sheet(every, IMAGES)
    names = ["as it is", "flip", "shift", "rotation", "zoom", "contrast", "erasing"]
    assert found["columns"] == [*names, "together 1", "together 2", "together 3", "mixup", "cutmix"]
    assert found == sheet(every, IMAGES)
    first = dict(zip(found["columns"], map(pixels, found["rows"][0]), strict=True))
    for name in ("shift", "rotation", "zoom", "contrast", "erasing"):
        assert (first[name] != first["as it is"]).any()
    flipped = [tuple(map(pixels, row[:2])) for row in found["rows"]]
    assert all((was[:, ::-1] == now).all() for was, now in flipped), "each, not the half that training draws"
    erased = found["columns"].index("erasing")
    assert all(row[erased] != row[0] for row in found["rows"]), "each, not a fifth"
    assert (first["cutmix"] != first["as it is"]).any(axis=2).mean() == pytest.approx(0.25, abs=0.03)
    mean = 0.35 * first["as it is"].astype(float) + 0.65 * pixels(found["rows"][1][0])
    np.testing.assert_allclose(first["mixup"], mean, atol=2)
    assert section({"changes": found})["rows"] == found["rows"]
    assert sheet(Augmentation(shift=0, rotation=0, zoom=0, contrast=0), IMAGES)["columns"] == ["as it is"]


def test_a_report_loads_nothing_but_pictures() -> None:
    for evil in ("https://example.org/x.png", 'data:image/png;base64,AA" onload="x', "data:text/html;base64,AAAA"):
        shown = section({"heat": [{"picture": evil, "heat": picture(IMAGES[0]), "said": "a", "truth": "b"}]})
        assert shown["heat"][0]["picture"] == "" and shown["heat"][0]["heat"]
    assert section({}) is None


@pytest.mark.parametrize(("seen", "words"), [(True, "a, 50%"), (False, "a, 50%; nothing red")])
def test_a_picture_without_heat_says_so(seen: bool, words: str) -> None:
    one = {"picture": "", "heat": "", "said": "a", "truth": "a", "share": 0.5, "right": True, "seen": seen}
    assert section({"heat": [one]})["heat"][0]["words"] == words


@pytest.mark.slow
def test_of_two_classes_the_threshold_says_which_rows_are_wrong(tmp_path) -> None:
    import keras

    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.tasks.binary import Binary
    from tests.components.learning.training_examples import DIGITS, digits, prepared

    label = DIGITS.label.model_copy(update={"classes": (0, 1)})
    contract = DIGITS.model_copy(update={"label": label})
    frame = pl.concat([digits()["val"].filter(pl.col("digit") == one)[:4] for one in (0, 1)])
    _, transform = prepared(tmp_path, contract, {"train": frame})
    fitted = FeatureTransform.load(transform)
    image = keras.Input(fitted.encoded[0].shape, name=fitted.encoded[0].name)
    maps = keras.layers.Conv2D(4, 3, activation="relu")(image)
    out = keras.layers.Dense(1, "sigmoid")(keras.layers.GlobalAveragePooling2D()(maps))
    answers = {"probabilities": np.tile(np.float32([0.7, 0.3]), (len(frame), 1))}
    task = Binary.of(contract).model_copy(update={"threshold": 0.2})
    found = looks(keras.Model({image.name: image}, out), fitted, task, frame, answers, {})["heat"]
    assert len(found) == len(frame) and {(one["said"], one["share"]) for one in found} == {("1", 0.3)}
    assert sum(one["right"] for one in found) == 4


@pytest.mark.slow
def test_a_trained_model_says_where_it_looks_and_hides_what_is_sensitive(tmp_path) -> None:
    import json

    from kilnworks.components.evaluate import EvaluateConfig, evaluate
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.modeling.kept import load_trained
    from kilnworks.components.tasks.choose import task_of
    from kilnworks.components.train import TrainConfig
    from tests.components.learning.training_examples import DIGITS, digits, prepared, trained

    frames = {name: frame[:300] for name, frame in digits().items()}
    given, transform = prepared(tmp_path, DIGITS, {**frames, "test": frames["val"]})
    config = TrainConfig.model_validate({"model": {"kind": "vision", "filters": [4, 8]}, "epochs": 1})
    made = trained(tmp_path, config, given, transform)
    (tmp_path / "judged").mkdir()
    evaluate(EvaluateConfig(resamples=100, simple_rows=0), made, given, tmp_path / "judged")
    found = json.loads((tmp_path / "judged/looks.json").read_text())
    assert found["image"] == "pixels" and len(found["heat"]) == SHOWN and len(found["changes"]["rows"]) == 4
    first = found["heat"][0]
    assert not first["right"] and first["truth"] != first["said"] and 0.1 < first["share"] <= 1
    assert pixels(first["picture"]).shape == (112, 112)
    fitted = FeatureTransform.load(transform)
    image = DIGITS.features["pixels"].model_copy(update={"sensitive": True})
    hidden = FeatureTransform(
        fitted.plan.model_copy(update={"contract": DIGITS.model_copy(update={"features": {"pixels": image}})})
    )
    model, task = load_trained(made), task_of(made)
    assert looks(model, hidden, task, frames["val"], {}, {}) == {}
