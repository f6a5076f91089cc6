"""Which classes are there, and which images are nearer to a training image than unseen ones are."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
TENTH = 0.1
"""A class is seen where it is told at least this often, as a share of how often it is told of real rows."""
COPY = 0.05
"""Share of the held-out images that are nearer to a training image than what counts as a copy."""
CHUNK = 512


def nearest(images: Array, training: Array) -> tuple[Array, Array]:
    """Distance to the nearest of ``training`` [M, ...], root mean square by value, [N]; and which one it is, int [N].

    ``images`` is [N, ...] with values of the same shape.
    """
    there = training.reshape(len(training), -1).astype(np.float32)
    squared = (there**2).sum(axis=1)
    found, which = [], []
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK].reshape(-1, there.shape[1]).astype(np.float32)
        apart = squared - 2 * part @ there.T
        place = apart.argmin(axis=1)
        which.append(place)
        found.append(np.sqrt(((part - there[place]) ** 2).mean(axis=1, dtype=np.float64)))
    return np.concatenate(found), np.concatenate(which)


def copies(generated: Array, held_out: Array) -> float:
    """Share of generated images nearer to a training image than 95 % of the held-out ones, by distances [N] and [M]."""
    return float((generated < np.quantile(held_out, COPY)).mean())


def classes_seen(told: Array, real: Array, classes: int) -> float:
    """Share of the classes among real rows that generated ones have too; by what is told of them, int [N] and [M]."""
    often = np.bincount(real, minlength=classes) / max(1, len(real))
    found = np.bincount(told, minlength=classes) / max(1, len(told))
    there = often > 0
    return float((there & (found > 0) & (found >= TENTH * often - 1e-9)).sum() / max(1, there.sum()))
