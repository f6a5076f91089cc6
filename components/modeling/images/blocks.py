"""The blocks of a base, from its first layer to its last: what is thawed together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

NAMED = re.compile(r"^(block_?\d+[a-z]?|conv\d+_block\d+|expanded_conv(?:_\d+)?|features_\d+)(?=_)")
"""How layers of a block are called in ``keras.applications`` and, for torch's weights, here:
``block_16_expand``, ``block5_conv1``, ``block7a_se_reduce``, ``conv5_block3_2_conv``, ``expanded_conv_10_project``,
``features_17_conv_2``."""


def layers_of(model: Any) -> Iterator[Any]:
    """Every layer in order, those of models inside of it in their place."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from layers_of(layer)
        else:
            yield layer


def blocks(model: Any) -> list[list[Any]]:
    """Layers with weights by block, in order: those of one name, else each with what normalizes its output."""
    import keras

    found: list[list[Any]] = []
    last: str | None = None
    for layer in layers_of(model):
        if not layer.weights or isinstance(layer, keras.layers.Normalization):
            continue
        hit = NAMED.match(layer.name)
        name = hit[1] if hit else None
        joins = name == last if name else last is None and isinstance(layer, keras.layers.BatchNormalization)
        if joins and found:
            found[-1].append(layer)
        else:
            found.append([layer])
        last = name
    return found


def freeze(model: Any) -> None:
    """No layer learns; batch normalization goes by the means and variances that it has."""
    for layer in layers_of(model):
        layer.trainable = False


def thaw(model: Any, count: int) -> None:
    """The layers of the last ``count`` blocks learn, but for batch normalization, which stays as it is.

    Keras runs a frozen ``BatchNormalization`` in inference mode, whatever it is called with.
    """
    import keras

    freeze(model)
    for block in blocks(model)[-count:] if count else []:
        for layer in block:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
