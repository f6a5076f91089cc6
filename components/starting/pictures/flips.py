"""Along which axes images may be mirrored while a model trains: where a mirrored image is as likely as the image."""

from __future__ import annotations

import numpy as np

from kilnworks.components.modeling.images.augmentation import Flips

MIRRORED = 0.85
"""Share of the images of a class that may be told from their left-right mirror images before no image is flipped so."""
UPSIDE_DOWN = 0.65
"""The same for images upside down. Most things have an up and a down, so that chance has to explain it."""
LEAST = 20
"""Images of a class from which on that is tried."""
THUMB = 12
"""Side of the thumbnails on which that is tried, in pixels."""


def harmless_flips(thumbs: np.ndarray, labels: np.ndarray) -> Flips:
    """What ``Augmentation.flip`` may be, by grey thumbnails [N, THUMB, THUMB] and their classes [N]."""
    sides = told_from_mirror(thumbs, labels, axis=2) < MIRRORED
    heads = told_from_mirror(thumbs, labels, axis=1) < UPSIDE_DOWN
    if sides:
        return "horizontal_and_vertical" if heads else "horizontal"
    return "vertical" if heads else "none"


def told_from_mirror(thumbs: np.ndarray, labels: np.ndarray, axis: int = 2) -> float:
    """Share of the images of a class that can be told from their mirror images; of the class where that is largest.

    By ridge regression on thumbnails [N, THUMB, THUMB], learned on one half of the class and judged on the other.

    Args:
        thumbs: grey.
        labels: classes, [N].
        axis: along which they are mirrored: 2 left to right, 1 upside down.
    """
    flat = thumbs - thumbs.mean(axis=(1, 2), keepdims=True)
    odd = (flat - np.flip(flat, axis)).reshape(len(flat), -1)
    shares = [_told(odd[labels == k]) for k in np.unique(labels) if (labels == k).sum() >= LEAST]
    return max(shares, default=1.0)


def _told(odd: np.ndarray) -> float:
    """Share of the second half on the positive side of what separates the first half from its negative."""
    half = len(odd) // 2
    gram = odd[:half].T @ odd[:half]
    gram += (0.1 * np.trace(gram) / len(gram) + 1e-6) * np.eye(len(gram))
    return float((odd[half:] @ np.linalg.solve(gram, odd[:half].sum(axis=0)) > 0).mean())


def flip_words(flips: Flips, *, alone: bool = False) -> tuple[str, str]:
    """What is done to images, and why, for a decision.

    Args:
        flips: along which axes.
        alone: whether nothing else is done to them.
    """
    how = {
        "none": ("", "some class differs from its mirror image: no flips"),
        "horizontal": ("flips", "a mirrored image is as likely"),
        "vertical": ("upside down", "images that stand on their heads are as likely, mirrored ones are not"),
        "horizontal_and_vertical": ("flips both ways", "images mirrored and on their heads are as likely"),
    }[flips]
    others = () if alone else ("shifts, turns, zoom, contrast",)
    return ", ".join(word for word in (*others, how[0]) if word) or "nothing", how[1]
