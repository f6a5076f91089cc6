"""What the training rows say of n-grams: how rare each is, and how much more frequent in a class than elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SMOOTHING = 1.0
"""Texts in and outside of each class that every n-gram is given beforehand."""


@dataclass(frozen=True)
class NgramCounts:
    """In how many training texts each n-gram occurs.

    Attributes:
        rows: texts.
        texts: int64 [V], with that n-gram.
        positive: int64 [V, G], those of them in group g: of a class, or above the median of a number.
    """

    rows: int
    texts: np.ndarray
    positive: np.ndarray

    @classmethod
    def of(cls, numbers: np.ndarray, labels: np.ndarray | None) -> NgramCounts:
        """Count.

        Args:
            numbers: n-grams of each text, each once, int32 [rows, L]; what 0, 1 and 2 mean does not matter here.
            labels: of each text as the task learns it, class [rows], classes [rows, K] or number [rows]; None for none.
        """
        size = int(numbers.max(initial=0)) + 1
        groups = _groups(labels)
        columns = [np.bincount(numbers[group].ravel(), minlength=size) for group in groups]
        texts = np.bincount(numbers.ravel(), minlength=size)
        positive = np.stack(columns, axis=1) if columns else np.zeros((size, 0), np.int64)
        return cls(len(numbers), texts, positive)

    def idf(self, vocabulary: int) -> np.ndarray:
        """``ln((1 + rows) / (1 + texts)) + 1``, [vocabulary] float32."""
        texts = _padded(self.texts, vocabulary)
        found: np.ndarray = (np.log((1 + self.rows) / (1 + texts)) + 1).astype(np.float32)
        return found

    def ratios(self, vocabulary: int, outputs: int, blocks: tuple[tuple[int, int], ...]) -> np.ndarray:
        """Log-count ratios, [vocabulary, outputs] float32; 1 outside of the blocks, and where no label is known.

        Equation 1 of Wang & Manning (2012), for each output: one class against all others, or large numbers against
        small ones. Words and characters, ``blocks`` of numbers, are normed each for themselves.
        """
        found = np.ones((vocabulary, outputs), np.float32)
        first = 1 if outputs == 1 and self.positive.shape[1] == 2 else 0  # two classes are told by the second
        texts = _padded(self.texts, vocabulary)
        for place in range(outputs if self.positive.shape[1] else 0):
            group = place + first
            inside = group < self.positive.shape[1]
            positive = _padded(self.positive[:, group], vocabulary) if inside else np.zeros(vocabulary, np.int64)
            for low, end in blocks:
                p, q = SMOOTHING + positive[low:end], SMOOTHING + (texts - positive)[low:end]
                found[low:end, place] = np.log((p / p.sum()) / (q / q.sum()))
        return found


def _groups(labels: np.ndarray | None) -> list[np.ndarray]:
    """Masks of rows, one a group."""
    if labels is None or not labels.size:
        return []
    if labels.ndim == 2:
        return [labels[:, k] > 0 for k in range(labels.shape[1])]
    if labels.dtype.kind == "f":
        return [labels > np.median(labels)]
    return [labels == k for k in range(max(2, int(labels.max()) + 1))]


def _padded(counts: np.ndarray, size: int) -> np.ndarray:
    return np.pad(counts, (0, max(0, size - len(counts))))[:size]
