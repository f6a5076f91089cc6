"""Images on their way to a training step: bytes until they are there, float32 only inside of it.

A pixel is one byte in the files and four once it is scaled. Held, copied and sent to the device as bytes, a split
takes a quarter of the memory; the scaling is the last operation before the model. Images that are resized become
float32 before, because the pixels in between are no whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.features.plan import ImagePlan, TransformPlan, keras_name


def packed_images(plan: TransformPlan) -> dict[str, ImagePlan]:
    """The encoded tensors that travel as uint8, by name, with what scales them."""
    return {keras_name(n): p for n, p in plan.features.items() if isinstance(p, ImagePlan) and p.size is None}


def unpack(plan: TransformPlan, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Packed tensors as the model takes them, eagerly or inside a TensorFlow graph.

    The same two float32 operations as in ``encode.py``, so the same numbers.
    """
    import tensorflow as tf

    images = packed_images(plan)
    return {
        name: tf.cast(value, tf.float32) * images[name].factor + images[name].offset if name in images else value
        for name, value in tensors.items()
    }
