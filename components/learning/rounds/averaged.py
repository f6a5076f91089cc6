"""Several trained networks as one model, which answers with the mean of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kilnworks.components.tasks.layer_names import LayerNames


def averaged(models: Sequence[Any], output: str) -> Any:
    """One Keras model with the inputs of each; itself, where there is one.

    Args:
        models: built models with the same named inputs (a dict) and one output [N, K] each.
        output: name of the output layer.
    """
    import keras

    first = models[0]
    if len(models) == 1:
        return first
    names = LayerNames({i.name for i in first.inputs})
    inputs = {i.name: keras.Input(i.shape[1:], dtype=i.dtype, name=i.name) for i in first.inputs}
    title = first.name
    for number, model in enumerate(models, 1):
        model.name = names(f"{title}_{number}")
    answers = [model(inputs) for model in models]
    mean = keras.layers.Average(dtype="float32", name=names(output))(answers)
    return keras.Model(inputs, mean, name=title)
