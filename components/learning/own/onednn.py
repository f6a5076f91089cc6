"""What oneDNN must not be given: on processors with instructions for neural networks, TensorFlow computes by it.

The gradient of a convolution of one pixel with strides and fewer than 16 channels writes past its memory there
(https://github.com/uxlfoundation/oneDNN/issues/6035): the process ends sooner or later, or goes on with other numbers.
"""

import os
from pathlib import Path
from typing import Any

import keras

from kilnworks.components.modeling.inside import inside
from kilnworks.schemas.errors import ConfigError

CHANNELS = 16
"""Floats in the widest register; below it the scratch memory is too small."""
INSTRUCTIONS = frozenset({"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"})
"""Those for which TensorFlow turns oneDNN on by itself."""


def used() -> bool:
    """Whether TensorFlow computes by oneDNN on this processor."""
    asked = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    if asked is not None:
        return asked.lower() in ("1", "true")
    told = Path("/proc/cpuinfo")
    return told.is_file() and not INSTRUCTIONS.isdisjoint(told.read_text().partition("\n\n")[0].split())


def refuse_overruns(model: Any) -> None:
    """Refuse what would write past its memory.

    Args:
        model: of Keras, built.

    Raises:
        ConfigError: a layer of it is such a convolution; says what has the same numbers without.
    """
    kinds = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
    for layer in (one for one in inside(model) if isinstance(one, kinds) and one.built):
        channels = layer.kernel.shape[-2]
        if max(layer.kernel_size) == 1 < max(layer.strides) and channels < CHANNELS:
            raise ConfigError(
                f"layer {layer.name!r} is a convolution of one pixel with strides {max(layer.strides)} and "
                f"{channels} channels",
                f"{CHANNELS} channels or more, or no strides: on this processor its gradient writes past its memory "
                "(oneDNN issue 6035), which ends the process or spoils numbers",
                f"put keras.layers.MaxPooling{layer.rank}D(1, strides={max(layer.strides)}) before it in place of its "
                "strides, which gives the same numbers; or set TF_ENABLE_ONEDNN_OPTS=0, which is slower",
            )
