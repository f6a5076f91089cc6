"""The maps of a Keras model of images: what its convolutions hand on, before they become a vector."""

from __future__ import annotations

from typing import Any

RANK = 4
CONVOLVED = "convolved_head"
"""Layer that says what convolutions say, where other models answer beside them."""


def maps_of(model: Any) -> list[Any]:
    """Tensors [N, H, W, C] of the graph of a model that stand between two of its layers, or at its end, in order.

    Those inside of models that it holds are not among them; one that several layers take stands where the first is.
    """
    inputs = {id(tensor) for tensor in model.inputs}
    taken = [tensor for layer in model.layers if not hasattr(layer, "layers") for tensor in _taken(layer)]
    tensors = {id(tensor): tensor for tensor in [*taken, *model.outputs]}.values()
    return [t for t in tensors if len(getattr(t, "shape", ())) == RANK and id(t) not in inputs]


def unpooled(model: Any, tensor: Any) -> Any:
    """The map [N, H, W, C] that a pooling layer of ``model`` made ``tensor`` of; ``tensor`` itself where none did."""
    import keras

    pooling = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
    made = (layer for layer in model.layers if isinstance(layer, pooling) and len(_taken(layer)) == 1)
    return next((layer.input for layer in made if layer.output is tensor), tensor)


def _taken(layer: Any) -> list[Any]:
    """What a layer is called with; nothing for an input."""
    try:
        found = layer.input
    except (AttributeError, ValueError):  # never called, or more than once
        return []
    return list(found) if isinstance(found, list | tuple) else [found]
