"""Convolutions whose gradient writes past its memory in oneDNN: ours have none, one of a user's own is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kilnworks.components.learning.own.onednn import refuse_overruns, used
from kilnworks.components.modeling.images.residual import Convolutions
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError


def narrow(rank: int, strides: int, channels: int = 3) -> keras.Model:
    """A convolution of one pixel, inside a model inside a model."""
    kind = getattr(keras.layers, f"Conv{rank}D")
    inner = keras.Sequential([keras.Input((8,) * rank + (channels,)), kind(4, 1, strides=strides, name="around")])
    return keras.Sequential([keras.Input((8,) * rank + (channels,)), inner])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_narrow_convolution_of_one_pixel_with_strides_is_refused(rank):
    with pytest.raises(ConfigError) as refused:
        refuse_overruns(narrow(rank, 2))
    told = str(refused.value)
    assert "'around'" in told and "3 channels" in told and f"MaxPooling{rank}D(1, strides=2)" in told
    refuse_overruns(narrow(rank, 1))
    refuse_overruns(narrow(rank, 2, 16))


def test_what_the_refusal_proposes_has_the_same_numbers():
    pixels = tf.random.stateless_normal((2, 7, 8, 3), (0, 1))
    strided = keras.layers.Conv2D(4, 1, strides=2, use_bias=False)
    wanted = strided(pixels)
    proposed = keras.layers.Conv2D(4, 1, use_bias=False)
    proposed.build((2, 4, 4, 3))
    proposed.set_weights(strided.get_weights())
    np.testing.assert_allclose(proposed(keras.layers.MaxPooling2D(1, strides=2)(pixels)), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("side", [7, 8])
def test_blocks_of_few_channels_halve_without_one_and_keep_their_numbers(side):
    """The way around a block is ``x[::2, ::2] @ kernel``, as of a convolution with strides."""
    look = Convolutions("linear", "glorot_uniform", lambda: None, LayerNames(set()), "none")
    image = keras.Input((side, side, 8))
    model = keras.Model(image, look.block(image, 12, 2, "a"))
    refuse_overruns(model)
    model.get_layer("conv2d_a_2").set_weights([np.zeros((3, 3, 12, 12)), np.zeros(12)])  # only the way around counts
    pixels = np.random.default_rng(0).normal(size=(2, side, side, 8)).astype(np.float32)
    kernel, _ = model.get_layer("conv2d_a_around").get_weights()
    np.testing.assert_allclose(model(pixels), pixels[:, ::2, ::2] @ kernel[0, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("asked", "found"), [("0", False), ("1", True), ("true", True), ("false", False)])
def test_the_environment_decides(asked, found, monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", asked)
    assert used() is found
