"""Where a model of images looks: Grad-CAM (Selvaraju et al. 2017).

::

    weight of a channel = mean over positions of  d logit / d map        map = relu(sum of weights * channels)

The map is that of the last convolution, before it is pooled. The logit is what the last layer says of a class before
softmax or sigmoid, so that other classes do not matter. Where convolutions are one of several models that answer
together (``vision`` with ``gradients``), it is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kilnworks.components.modeling.images.maps import CONVOLVED, RANK, maps_of, unpooled


def grad_cam(model: Any, images: Mapping[str, np.ndarray], classes: np.ndarray) -> np.ndarray | None:
    """Heat of each position of the last map, 0 to 1, float32 [N, h, w]; None where a model has another form.

    Args:
        model: a Keras model of one image, and what else there is beside it; its last layer, or a head of it, is dense.
        images: what it takes, [N, ...] by name.
        classes: whose logit is looked at, int [N]; where the layer has one unit, 1 for it and 0 for its opposite.

    A row whose heat is 0 everywhere stays so: nothing that was seen speaks for the class.
    """
    import keras
    import tensorflow as tf

    last = next((layer for layer in model.layers if layer.name.startswith(CONVOLVED)), model.layers[-1])
    maps = [tensor for tensor in maps_of(model) if min(tensor.shape[1:3]) > 1]
    images_taken = sum(len(tensor.shape) == RANK for tensor in model.inputs)
    if not isinstance(last, keras.layers.Dense) or not maps or images_taken > 1:
        return None
    looked = unpooled(model, maps[-1])
    given = {name: tf.constant(values) for name, values in images.items()}
    beside = [tensor for tensor in model.inputs if len(tensor.shape) != RANK]
    seen = keras.Model(model.inputs, looked)(given, training=False)
    behind = keras.Model([looked, *beside], last.input)
    others = [given[tensor.name] for tensor in beside]
    with tf.GradientTape() as tape:
        tape.watch(seen)
        logits = tf.matmul(
            tf.cast(behind([seen, *others], training=False), tf.float32), tf.cast(last.kernel, tf.float32)
        )
        chosen = _of_class(logits, classes)
    slope = tape.gradient(chosen, seen)
    weights = tf.reduce_mean(tf.cast(slope, tf.float32), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * tf.cast(seen, tf.float32), axis=3)).numpy()
    highest = heat.max(axis=(1, 2), keepdims=True)
    found: np.ndarray = np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)
    return found


def _of_class(logits: Any, classes: np.ndarray) -> Any:
    import tensorflow as tf

    if logits.shape[1] == 1:
        return logits[:, 0] * tf.constant(np.where(classes > 0, 1.0, -1.0), tf.float32)
    return tf.gather(logits, tf.constant(classes, tf.int32), batch_dims=1)
