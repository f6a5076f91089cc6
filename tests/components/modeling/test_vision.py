"""The vision network: augmentation in training only, and what it refuses."""

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.features.kinds.image import ImagePlan
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.vision import Augmentation, Vision
from kilnworks.schemas.contract import Contract, Feature, Label
from kilnworks.schemas.errors import ConfigError
from tests.components.tasks.some_tasks import multiclass

pytestmark = pytest.mark.slow

IMAGE = EncodedTensor(name="image", shape=(16, 16, 3), dtype="float32", kind="image")
AGE = EncodedTensor(name="numeric", shape=(2,), dtype="float32", kind="numeric")
HEAD = multiclass(3)
LABEL = Label(name="kind", dtype="string", classes=("a", "b", "c"))


def test_augmentation_changes_nothing_outside_of_training() -> None:
    import keras

    changing = Augmentation(flip="horizontal", shift=0.3, rotation=90, zoom=0.5, contrast=0.9)
    keras.utils.set_random_seed(0)
    plain = Vision(filters=(4, 8), augmentation=Augmentation(shift=0, rotation=0, zoom=0, contrast=0)).network(
        [IMAGE], HEAD
    )
    model = Vision(filters=(4, 8), augmentation=changing).network([IMAGE], HEAD)
    for layer in plain.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    images = np.random.default_rng(0).random((4, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(
        model({"image": images}, training=False).numpy(), plain({"image": images}, training=False).numpy(), atol=1e-6
    )
    shown = [model.get_layer(f"{n}_image") for n in ("flip", "shift", "rotation", "zoom", "contrast")]
    for layer in shown:
        np.testing.assert_array_equal(layer(images, training=False), images)
        assert np.abs(np.asarray(layer(images, training=True)) - images).max() > 1e-3


def test_sides_are_halved_and_other_features_join() -> None:
    model = Vision(filters=(4, 8, 8)).network([IMAGE, AGE], HEAD)
    assert model.get_layer("sum_image_3").output.shape == (None, 4, 4, 8)
    assert model.get_layer("joined").output.shape == (None, 10)
    given = {"image": np.zeros((2, 16, 16, 3), np.float32), "numeric": np.ones((2, 2), np.float32)}
    np.testing.assert_allclose(model(given).numpy().sum(axis=1), 1, atol=1e-6)


def test_refused() -> None:
    with pytest.raises(ConfigError, match=r"vision for numeric, none of which is an image"):
        Vision().network([AGE], HEAD)
    small = EncodedTensor(name="dot", shape=(2, 2, 1), dtype="float32", kind="image")
    with pytest.raises(ConfigError, match="at least 4 for 3 blocks"):
        Vision().network([small], HEAD)


@pytest.mark.parametrize("change", ["contrast", "erasing"])
@pytest.mark.parametrize(
    ("factor", "offset", "says"), [(1 / 255, 0.0, ""), (2 / 255, -1.0, "from -1 to 1"), (1.0, 0.0, "from 0 to 255")]
)
def test_changes_that_cut_at_1_are_refused_where_pixels_go_beyond(change, factor, offset, says) -> None:
    contract = Contract(name="c", features={"image": Feature(dtype="image", shape=(16, 16, 3))}, label=LABEL)
    plan = TransformPlan(contract=contract, rows=1, features={"image": ImagePlan(factor=factor, offset=offset)})
    fitted = FeatureTransform(plan)
    none = {"contrast": 0.0, "erasing": 0.0}
    assert Vision(augmentation=Augmentation(**none)).transform(fitted) is fitted
    given = Vision(augmentation=Augmentation(**none | {change: 0.5}))
    if not says:
        assert given.transform(fitted) is fitted
        return
    with pytest.raises(ConfigError, match=rf"augmentation\.{change} 0\.5, and pixels of 'image' {says}"):
        given.transform(fitted)


def test_some_images_stay_as_they_are() -> None:
    from kilnworks.components.modeling.random_apply import RandomApply

    image, changed = np.zeros((4000, 2, 2, 1), np.float32), np.ones((4000, 2, 2, 1), np.float32)
    layer = RandomApply(0.3)
    np.testing.assert_array_equal(layer((image, changed), training=False), image)
    mixed = np.asarray(layer((image, changed), training=True)).reshape(4000, 4)
    assert set(np.unique(mixed.sum(axis=1))) == {0.0, 4.0}
    assert abs(mixed.mean() - 0.3) < 0.03
    again = RandomApply.from_config(layer.get_config())
    assert again.rate == 0.3
