"""Pictures side by side as one PNG, for reports."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

Array = np.ndarray
ASIDE = 4
"""Pixels of a picture along its side for each pixel between two pictures."""


def strip(pictures: Array, columns: int | None = None) -> dict[str, Any]:
    """Pictures [N, H, W, C] or [N, H, W] of values 0 to 1 in rows of ``columns`` (by default all side by side).

    What lies beyond 0 and 1 is drawn as the end; of another number of channels than 3 the first one is drawn, in grey.

    Returns:
        ``{"png": base64, "width", "height"}`` in pixels.
    """
    from PIL import Image

    values = np.asarray(pictures, np.float64)
    values = values[..., None] if values.ndim == 3 else values
    values = values if values.shape[-1] == 3 else np.repeat(values[..., :1], 3, axis=-1)
    count, height, width, _ = values.shape
    gap = max(1, min(height, width) // (2 * ASIDE))
    across = min(columns or count, count)
    down = -(-count // across)
    canvas = np.zeros((down * (height + gap) - gap, across * (width + gap) - gap, 4), np.uint8)
    for place, picture in enumerate(values):
        y, x = (place // across) * (height + gap), (place % across) * (width + gap)
        canvas[y : y + height, x : x + width, :3] = np.rint(np.clip(picture, 0, 1) * 255)
        canvas[y : y + height, x : x + width, 3] = 255
    file = io.BytesIO()
    Image.fromarray(canvas, "RGBA").save(file, "PNG", optimize=True)
    return {
        "png": base64.b64encode(file.getvalue()).decode(),
        "width": int(canvas.shape[1]),
        "height": int(canvas.shape[0]),
    }
