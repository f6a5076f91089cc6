"""A sheet of training images as they are changed, with the boxes that move with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TRIES = 3
"""How often each image goes through all changes together."""
SIDE = 168
"""Longer side of a picture, in pixels: twice what a page shows."""


def sheet(images: np.ndarray, boxes: np.ndarray, classes: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Each change alone, then all together: ``{"columns": [K], "rows": [[picture] * K]}``; empty where there is none.

    Args:
        images: [N, H, W, C] from 0 to 1.
        boxes: top, left, bottom, right in shares and the number of the class, -1 for none, [N, G, 5].
        classes: their names.
        settings: ``flip``, ``crop`` and ``colour`` as those of ``Detector``.
    """
    import keras
    from keras import ops

    from kilnworks.components.modeling.detection.changes import Moving, flipped, quartered, turned

    flip, crop, colour = str(settings["flip"]), float(settings["crop"]), float(settings.get("colour", 0.0))
    if flip == "none" and not crop and not colour:
        return {}
    keras.utils.set_random_seed(0)
    given, true, all_of = ops.array(images), ops.array(boxes.astype(np.float32)), np.ones(len(images))
    columns = {"as it is": (images, boxes)}
    if flip in ("horizontal", "both"):
        columns["mirrored"] = _arrays(*flipped(given, true, all_of))
    if flip == "both":
        columns["upside down"] = _arrays(*turned(given, true, all_of))
    if flip == "both" and images.shape[1] == images.shape[2]:
        columns["turned"] = _arrays(*quartered(given, true, all_of))
    layer = keras.Input(images.shape[1:], name="image")
    moving = Moving(layer, layer, image="image", flip=flip, crop=crop, colour=colour)
    for number in range(TRIES):
        columns[f"together {number + 1}"] = _arrays(*moving.changed(given, true))
    rows = [[_picture(some[i], boxed[i], classes) for some, boxed in columns.values()] for i in range(len(images))]
    return {"columns": list(columns), "rows": rows}


def _arrays(images: Any, boxes: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(images), np.asarray(boxes)


def _picture(image: np.ndarray, boxes: np.ndarray, classes: Sequence[str]) -> str:
    from kilnworks.components.judging.detection.drawn import TRUE, drawn

    named = len(classes) > 1
    there = boxes[boxes[:, 4] >= 0]
    return drawn(image, [(box[:4], TRUE, classes[int(box[4])] if named else "") for box in there], SIDE)
