"""What skip-gram takes from the frequencies of words: which are kept, what noise draws, what frequency alone tells."""

from __future__ import annotations

import numpy as np

FIRST = 3
"""The number of the first known word, see ``kilnworks.components.features.text.tokens``."""
NOISE = 0.75
"""Power of the frequencies by which negatives are drawn (Mikolov et al. 2013)."""
CHUNK = 4096
"""Texts that are weighed at once."""


def kept(counts: np.ndarray, threshold: float) -> np.ndarray:
    """The share of each word that subsampling keeps, float32 [V]; 0 for what is no known word, or never occurs.

    ``min(1, sqrt(t / f) + t / f)`` as in the program of word2vec, f being the word's share of all words.

    Args:
        counts: of each number, [V].
        threshold: t; 0 keeps all.
    """
    known = counts.astype(np.float64)
    known[:FIRST] = 0
    ratio = threshold * max(known.sum(), 1.0) / np.maximum(known, 1.0)
    share = np.minimum(1.0, np.sqrt(ratio) + ratio) if threshold else np.ones_like(known)
    return np.where(known > 0, share, 0.0).astype(np.float32)


def noise(counts: np.ndarray, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of words as negatives are drawn, int64 [draws], at even distances; and the chance of each, [V]."""
    power = counts.astype(np.float64) ** NOISE
    power[:FIRST] = 0
    chance = power / power.sum()
    reached = np.cumsum(chance)
    places = np.minimum(np.searchsorted(reached, (np.arange(draws) + 0.5) / draws), np.flatnonzero(power)[-1])
    return places, chance


def unigram(counts: np.ndarray, keep: np.ndarray, chance: np.ndarray, negatives: int) -> np.ndarray:
    """What tells a word that stands there from negatives, by frequency alone, float32 [V].

    ``log(p / (negatives * chance))``, p being the share of the words that are kept: the best that a model can say that
    does not look at the other word of the pair.
    """
    there = counts * keep.astype(np.float64)
    share = there / there.sum()
    ratio = np.divide(share, negatives * chance, out=np.ones_like(share), where=(share > 0) & (chance > 0))
    level: np.ndarray = np.log(ratio)
    return level.astype(np.float32)


def usual_weight(texts: np.ndarray, keep: np.ndarray, window: int) -> float:
    """The weight of the pairs of a text in the mean over ``texts`` [N, T]; see ``SkipGrams``."""
    total = 0.0
    for start in range(0, len(texts), CHUNK):
        share = keep[texts[start : start + CHUNK]].astype(np.float64)
        for apart in range(1, min(window, texts.shape[1] - 1) + 1):
            total += 2 * (window + 1 - apart) / window * float((share[:, :-apart] * share[:, apart:]).sum())
    return total / max(1, len(texts))
