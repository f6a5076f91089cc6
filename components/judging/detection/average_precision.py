"""Average precision of found boxes, as COCO defines it (Lin et al. 2014; the 101 points of its evaluation).

::

    in each image, class by class: found boxes, the surest first, each take the free true box they overlap most
    over all images: precision at a recall = the best one at that recall or more, mean over recalls 0, 0.01, ..., 1
    mAP50: overlap >= 0.5, mean over the classes that occur       mAP50:95: mean over 0.5, 0.55, ..., 0.95 too
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilnworks.components.judging.detection.overlaps import Floats, iou
from kilnworks.components.judging.detection.tiles import scenes

THRESHOLDS = tuple(float(t) for t in np.linspace(0.5, 0.95, 10).round(2))
RECALLS = np.linspace(0.0, 1.0, 101)
OVERLAP = 0.5
"""Intersection over union above which the less sure of two boxes in a photograph is left out."""


def hits(overlap: Floats, thresholds: Sequence[float]) -> np.ndarray:
    """The true box that each found box takes at each threshold, int [T, D], -1 for none.

    ``overlap`` [D, G] of one image and class, the surest first; of equal overlaps the last true box is taken.
    """
    least = np.minimum(np.asarray(thresholds), 1 - 1e-10)[:, None]
    taken = np.zeros((len(least), overlap.shape[1]), bool)
    found = np.full((len(least), overlap.shape[0]), -1)
    for d, row in enumerate(overlap if overlap.shape[1] else ()):
        free = np.where(~taken & (row >= least), row, -1.0)
        best = overlap.shape[1] - 1 - free[:, ::-1].argmax(axis=1)
        good = free[np.arange(len(least)), best] >= 0
        found[good, d] = best[good]
        taken[good, best[good]] = True
    return found


def average_precision(right: np.ndarray, weight: Floats, positives: float) -> float:
    """Of found boxes in the order of their scores.

    Args:
        right: whether each took a true box, bool [D].
        weight: how often each counts, [D].
        positives: true boxes, above 0.
    """
    hit = np.cumsum(weight * right)
    precision = hit / (np.cumsum(weight) + np.spacing(1))
    best = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(hit / positives, RECALLS, side="left")
    return float(np.append(best, 0.0)[np.minimum(place, len(best))].mean())


@dataclass(frozen=True)
class Matched:
    """Found boxes of many images, the surest first, and which of them are right.

    Attributes:
        image, number, score: of each found box, [D].
        right: at each threshold, bool [T, D].
        truths: true boxes of each image and class, int [N, K].
        thresholds: overlaps, [T]; the first is 0.5.
    """

    image: np.ndarray
    number: np.ndarray
    score: Floats
    right: np.ndarray
    truths: np.ndarray
    thresholds: tuple[float, ...]

    @classmethod
    def of(
        cls,
        truth: Floats,
        answers: Mapping[str, Any],
        classes: int,
        thresholds: tuple[float, ...] = THRESHOLDS,
        *,
        overlap: float = OVERLAP,
    ) -> Matched:
        """From true boxes [N, G, 5] (class -1: none) and answers ``boxes``, ``scores``, ``labels`` and ``count``.

        Of tiles, [N, G, 10] (``tiles.with_places``), whole photographs are matched: what is found in several tiles
        counts once, by suppression at ``overlap``. ``image`` and ``truths`` stay those of the tiles, which are drawn.
        """
        truths = np.zeros((len(truth), classes), np.int64)
        parts: list[tuple[np.ndarray, ...]] = []
        for scene in scenes(truth, answers, overlap):
            np.add.at(truths, (scene.rows_of_truth, scene.truth[:, 4].astype(np.int64)), 1)
            for number in np.unique(scene.labels).astype(np.int64):
                own = np.flatnonzero(scene.labels == number)
                own = own[np.argsort(-scene.scores[own], kind="stable")]
                shared = iou(scene.boxes[own], scene.truth[scene.truth[:, 4] == number, :4])
                took = hits(shared, thresholds) >= 0
                parts.append((scene.rows[own], np.full(len(own), number), scene.scores[own], took))
        image, number, score = (np.concatenate([part[j] for part in parts] or [np.zeros(0)]) for j in range(3))
        right = np.concatenate([part[3] for part in parts] or [np.zeros((len(thresholds), 0), bool)], axis=1)
        order = np.argsort(-score, kind="stable")
        places = image.astype(np.int64)[order], number.astype(np.int64)[order]
        return cls(*places, score[order], right[:, order], truths, thresholds)

    def by_class(self, weight: Floats | None = None) -> Floats:
        """Average precision of each threshold and class, [T, K]; NaN where a class has no true box.

        ``weight``: how often each image counts, [N]; None for once.
        """
        each = np.ones(len(self.truths)) if weight is None else weight
        positives = each @ self.truths
        found = np.full((len(self.thresholds), self.truths.shape[1]), np.nan)
        of_box = each[self.image]
        for number in np.flatnonzero(positives):
            own = self.number == number
            for t in range(len(self.thresholds)):
                found[t, number] = average_precision(self.right[t, own], of_box[own], positives[number])
        return found

    def metrics(self, weight: Floats | None = None) -> dict[str, float]:
        """``map50``, ``map`` and ``recall50``, of images that count ``weight`` [N] times; NaN where none has a box."""
        each = np.ones(len(self.truths)) if weight is None else weight
        table, total = self.by_class(each), float((each @ self.truths).sum())
        if not total:
            return dict.fromkeys(("map50", "map", "recall50"), float("nan"))
        found = float((each[self.image] * self.right[0]).sum())
        return {"map50": float(np.nanmean(table[0])), "map": float(np.nanmean(table)), "recall50": found / total}
