"""From pixels of 0 to 1 to what a network takes that learned from ImageNet, as a layer of the served graph."""

from __future__ import annotations

from typing import Any

from kilnworks.components.modeling.images.bases import CAFFE_MEAN, MEAN, SPREAD, Scaling
from kilnworks.components.tasks.layer_names import LayerNames


def scaled(scaling: Scaling, x: Any, tag: str, names: LayerNames) -> Any:
    """Images [N, H, W, 3] from 0 to 1, as the network takes them; ``tag`` ends the names of layers."""
    from keras import layers, ops

    name = names(f"scaled_{tag}")
    if scaling == "unit":
        return x
    if scaling == "signed":
        return layers.Rescaling(2.0, -1.0, name=name)(x)
    if scaling == "pixels":
        return layers.Rescaling(255.0, name=name)(x)
    if scaling == "torch":
        scale = [1 / spread for spread in SPREAD]
        return layers.Rescaling(scale, [-m / s for m, s in zip(MEAN, SPREAD, strict=True)], name=name)(x)
    return layers.Rescaling([255.0] * 3, [-mean for mean in CAFFE_MEAN], name=name)(ops.flip(x, axis=-1))
