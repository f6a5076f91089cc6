"""How large images become, and how long a detector trains, from the boxes and from how many images there are."""

from __future__ import annotations

from typing import Any

import numpy as np

from kilnworks.components.learning.optimizers import AdamW, Schedule
from kilnworks.components.modeling.detection.detector import Detector

BOX = 20.0
"""Side of the usual box that a model should see, in pixels: about three steps of the finest map and more."""
SIDES = (96, 320)
"""Longer side of what the model sees, in pixels, at least and at most."""
GROWN = 1.5
"""How far images are enlarged, at most, where boxes are small."""
STEP = 16
"""Sides are multiples of it, so that all maps fit on each other."""
PER_PIXEL, OF_POINTS = 3.1e4, 1.9e4
"""Multiplications of a training step for each pixel of an image, about; the second number of the head ``points``."""
WORK = 6e12
"""Multiplications of a training: a few minutes on two cores."""
EPOCHS = (12, 150)
COLOUR = 0.2
"""How far contrast and brightness of tiles are changed in training: other photographs are taken in another light."""
APART = 0.35
"""Overlap above which the less sure of two boxes on tiles is left out: what is many and small hardly overlaps."""


def side_of(sizes: list[tuple[int, int]], boxes: np.ndarray) -> tuple[int, int]:
    """Height and width that the model sees.

    Args:
        sizes: height and width of images, in pixels.
        boxes: height and width of boxes, in pixels, [n, 2].
    """
    height, width = (float(np.median([size[i] for size in sizes])) for i in (0, 1))
    usual = float(np.median(np.sqrt(boxes.prod(axis=1))))
    longer = max(height, width)
    wanted = float(np.clip(longer * BOX / usual, SIDES[0], SIDES[1]))
    scale = min(wanted / longer, GROWN if usual < BOX else 1.0)
    return max(2 * STEP, STEP * round(height * scale / STEP)), max(2 * STEP, STEP * round(width * scale / STEP))


def detector(
    images: int, shape: tuple[int, ...], most: int, flip: Any, *, tiles: bool = False
) -> tuple[Detector, dict[str, Any]]:
    """Architecture, and settings of the training by field name.

    Args:
        images: of the training split, about.
        shape: height, width and channels that the model sees.
        most: boxes of an image, at most.
        flip: how images may be mirrored.
        tiles: whether images are parts of large photographs, with many things of like sizes (decision 344).
    """
    step = OF_POINTS if tiles else PER_PIXEL
    epochs = int(np.clip(WORK / (step * shape[0] * shape[1] * max(1, images)), *EPOCHS))
    found = int(min(300, max(20, 10 * round(most * 0.15))))
    model = Detector(filters=(24, 48, 96, 96), pyramid=48, depth=1, flip=flip, crop=0.4, most=found)
    if tiles:
        said = {"head": "points", "filters": (16, 32, 64, 96), "depth": 0, "colour": COLOUR, "overlap": APART}
        model = model.updated(said)
    return model, {
        "epochs": epochs,
        "batch": 4 if images < 100 else 8 if images < 500 else 16,
        "optimizer": AdamW(learning_rate=4e-3 if tiles else 2e-3, weight_decay=1e-3),
        "schedule": Schedule(warmup_epochs=min(2.0, epochs / 10), final=0.01),
        "early_stopping": None,
        "monitor": "val_map50",
    }
