"""Bases: what each takes, which weights it may have, its blocks, and what is refused."""

import keras
import numpy as np
import pytest

from kilnworks.components.modeling.images import bases
from kilnworks.components.modeling.images.blocks import blocks, freeze, layers_of, thaw
from kilnworks.components.modeling.images.scalings import scaled
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError, DataUnreadable

pytestmark = pytest.mark.slow

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("scaling", "module"),
    [("signed", "mobilenet_v2"), ("caffe", "resnet50"), ("caffe", "vgg16"), ("pixels", "efficientnet")],
)
def test_each_takes_what_keras_would_give_it(scaling: bases.Scaling, module: str) -> None:
    image = keras.Input((32, 32, 3), name="image")
    model = keras.Model(image, scaled(scaling, image, "image", LayerNames(set())))
    wanted = getattr(keras.applications, module).preprocess_input(PIXELS.copy())
    np.testing.assert_allclose(model(PIXELS / 255), wanted, atol=1e-3)


def test_torch_takes_mean_and_spread() -> None:
    image = keras.Input((32, 32, 3), name="image")
    model = keras.Model(image, scaled("torch", image, "image", LayerNames(set())))
    np.testing.assert_allclose(model(PIXELS / 255), (PIXELS / 255 - bases.MEAN) / bases.SPREAD, atol=1e-5)


@pytest.mark.parametrize(
    ("base", "count", "last"),
    [
        ("mobilenet_v2", 19, "Conv_1"),
        ("vgg16", 5, "block5_conv1"),
        pytest.param("resnet50", 17, "conv5_block3_1_conv", marks=pytest.mark.nightly),
        pytest.param("mobilenet_v3_small", 13, "conv_1", marks=pytest.mark.nightly),
        pytest.param("mobilenet_v3_large", 17, "conv_1", marks=pytest.mark.nightly),
        ("efficientnet_b0", 18, "top_conv"),
    ],
)
def test_weights_of_keras_come_back_and_blocks_are_counted(
    tmp_path, base: bases.BaseName, count: int, last: str
) -> None:
    function = bases.PUBLISHED[base].function
    keras.utils.set_random_seed(4)
    saved = getattr(keras.applications, function)(include_top=False, weights=None, input_shape=(None, None, 3))
    saved.save_weights(tmp_path / "net.weights.h5")
    keras.utils.set_random_seed(5)
    model = bases.load_base(base, tmp_path / "net.weights.h5", (32, 32, 3))
    np.testing.assert_allclose(model(PIXELS), saved(PIXELS), rtol=1e-5, atol=1e-5)
    found = blocks(model)
    assert len(found) == count and found[-1][0].name == last
    thaw(model, 1)
    learning = [layer for layer in layers_of(model) if layer.trainable]
    assert learning == [layer for layer in found[-1] if not isinstance(layer, keras.layers.BatchNormalization)]
    freeze(model)
    assert not model.trainable_variables
    if base == "vgg16":
        with pytest.raises(ConfigError, match=r"cannot be loaded into mobilenet_v2 without its head"):
            bases.load_base("mobilenet_v2", tmp_path / "net.weights.h5", (32, 32, 3))


def test_published_weights_are_refused_at_once_without_a_network(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(bases, "HOST", "http://127.0.0.1:9/weights")
    with pytest.raises(ConfigError, match=r"weights imagenet of resnet50 cannot be fetched: .*refused"):
        bases.refuse_weights("resnet50", None)
    (tmp_path / ".keras/models").mkdir(parents=True)
    (tmp_path / ".keras/models/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    bases.refuse_weights("resnet50", None)


def test_files_of_other_kinds_are_refused(tmp_path) -> None:
    for base, name, words in [
        ("vgg16", "net.pth", r"net.pth for base vgg16"),
        ("own", "net.h5", r"net.h5 for base own"),
        ("resnet50", "net.keras", r"net.keras for base resnet50"),
    ]:
        with pytest.raises(ConfigError, match=words):
            bases.refuse_weights(base, tmp_path / name)
    (tmp_path / "net.pth").write_bytes(b"nothing")
    with pytest.raises(DataUnreadable, match=r"net.pth"):
        bases.load_base("mobilenet_v2", tmp_path / "net.pth", (32, 32, 3))
    with pytest.raises(ConfigError, match="at least 32 x 32"):
        bases.load_base("vgg16", tmp_path / "net.weights.h5", (16, 40, 3))
    (tmp_path / "net.keras").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"net.keras cannot be read"):
        bases.read_own(tmp_path / "net.keras")


def test_a_keras_file_that_runs_code_is_refused(tmp_path) -> None:
    row = keras.Input((8, 8, 1), name="image")
    keras.Model(row, keras.layers.Lambda(lambda x: x)(row)).save(tmp_path / "net.keras")
    with pytest.raises(ConfigError, match=r"net.keras cannot be read"):
        bases.read_own(tmp_path / "net.keras")


def test_the_part_up_to_the_last_map_leaves_changes_of_training_out() -> None:
    from kilnworks.components.features.encoded import EncodedTensor
    from kilnworks.components.modeling.vision import Vision
    from tests.components.tasks.some_tasks import multiclass

    image = EncodedTensor(name="image", shape=(32, 32, 3), dtype="float32", kind="image")
    model = Vision(filters=(4, 8)).network([image], multiclass(3))
    base = bases.last_map(model, "that")
    assert base.outputs[0].shape == (None, 16, 16, 8)
    assert not any("Random" in type(layer).__name__ for layer in base.layers)
    wanted = keras.Model(model.inputs, model.get_layer("vector_image").output)({"image": PIXELS}, training=False)
    np.testing.assert_allclose(base(PIXELS, training=False).numpy().mean(axis=(1, 2)), wanted, rtol=1e-4, atol=1e-4)
    row = keras.Input((3,), name="row")
    with pytest.raises(ConfigError, match="a model of one image"):
        bases.last_map(keras.Model(row, keras.layers.Dense(2)(row)), "that")
