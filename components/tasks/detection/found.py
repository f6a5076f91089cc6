"""From the output of a detector to the boxes that are answered: scores, then suppression of what overlaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kilnworks.components.tasks.detection.heads import Head
from kilnworks.components.tasks.detection.losses import class_scores

CANDIDATES = 1000
"""Anchors with the best scores that are looked at."""
NEAR = 1e-3
"""Scores this near to the least one, or to each other, may fall on either side."""


def found_boxes(output: Any, head: Head, most: int, overlap: float, least: float) -> dict[str, Any]:
    """Boxes [N, most, 4], scores [N, most], class numbers [N, most] and how many there are, int32 [N].

    Args:
        output: [N, A, 8 + C].
        head: whose.
        most: boxes that are answered.
        overlap: IoU above which the less sure of two boxes of one class is left out.
        least: score above which a box is answered.

    The surest come first; behind the last one all is 0.
    """
    import tensorflow as tf

    wide = tf.cast(output, tf.float32)
    if len(wide.shape) == 2:  # no row at all
        wide = wide[:, tf.newaxis]
    boxes, scores = wide[..., :4], class_scores(wide, head)
    if boxes.shape[1] is None or boxes.shape[1] > CANDIDATES:
        chosen = tf.math.top_k(tf.reduce_max(scores, axis=2), tf.minimum(CANDIDATES, tf.shape(boxes)[1])).indices
        boxes, scores = tf.gather(boxes, chosen, batch_dims=1), tf.gather(scores, chosen, batch_dims=1)
    kept = tf.image.combined_non_max_suppression(
        boxes[:, :, tf.newaxis], scores, most, most, iou_threshold=overlap, score_threshold=least, clip_boxes=True
    )
    return {
        "boxes": kept.nmsed_boxes,
        "scores": kept.nmsed_scores,
        "labels": kept.nmsed_classes,
        "count": kept.valid_detections,
    }


def apart(name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray], least: float) -> np.ndarray:
    """How far an answer is from the wanted one, by row [n]; see ``Task.difference``.

    Boxes that are equally sure up to ``NEAR`` may change places, and one that is hardly above ``least`` may be missing.
    """
    right = wanted[name]
    if got.shape != right.shape:
        return np.full(max(len(right), 1), np.inf)
    return np.array(
        [_row(name, got[i], {n: values[i] for n, values in wanted.items()}, least) for i in range(len(got))]
    )


def _row(name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray], least: float) -> float:
    scores, right = wanted["scores"], wanted[name]
    sure = scores > least + NEAR
    if name == "count":
        unsure = int(((scores > 0) & ~sure).sum()) + 1 * bool((scores > 0).all())
        return 0.0 if abs(int(got) - int(right)) <= unsure else float("inf")
    if name == "scores":
        return float(np.abs(got - right)[sure].max(initial=0.0))
    worst = 0.0
    for i in np.flatnonzero(sure):
        like = np.abs(scores - scores[i]) <= NEAR
        if name == "boxes":
            worst = max(worst, float(np.abs(got[like] - right[i]).max(axis=1).min()))
        elif not (got[like] == right[i]).any():
            return float("inf")
    return worst
