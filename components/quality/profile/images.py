"""Pictures: how bright they are, and which of them are there twice, to the bit or nearly.

Nearly: a fingerprint of 128 bits (is each of 8 x 8 places brighter than its neighbour to the right, and than the one
below; the difference hash of Krawetz 2013) differs in at most ``NEAR_BITS`` bits, and the mean brightness in at most
``NEAR_BRIGHTNESS`` of the range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

SIDE = 9
NEAR_BITS = 3
NEAR_BRIGHTNESS = 0.02
LEAST_SIDE = 16
"""Smaller pictures have too little in them for a fingerprint to tell them apart; only equal ones are found."""
NEIGHBOURS = 8
"""In each order of the fingerprints, so many that follow are compared with each."""


@dataclass(frozen=True)
class Prints:
    """Fingerprints of pictures.

    Attributes:
        exact: hash of all bytes, uint64 [n].
        near: fingerprint, uint8 [n, 16]; [0, 16] for pictures too small to have one.
        brightness: mean of the pixels, 0 to 1, [n].
    """

    exact: NDArray[np.uint64]
    near: Bytes
    brightness: NDArray[np.float32]

    @classmethod
    def of(cls, pixels: Bytes) -> Prints:
        """Of pictures uint8 [n, H, W, C]."""
        n, height, width = pixels.shape[:3]
        flat = np.ascontiguousarray(pixels.reshape(n, int(np.prod(pixels.shape[1:]))))
        exact = np.array([int.from_bytes(blake2b(row, digest_size=8).digest()) for row in flat], dtype=np.uint64)
        brightness = (flat.mean(axis=1) / 255).astype(np.float32)
        large = min(height, width) >= LEAST_SIDE
        return cls(exact, _fingerprints(pixels) if large else np.empty((0, 16), np.uint8), brightness)

    @classmethod
    def together(cls, parts: Sequence[Prints]) -> Prints:
        """Of the pictures of all parts, in order."""
        return cls(
            np.concatenate([p.exact for p in parts]),
            np.concatenate([p.near for p in parts]),
            np.concatenate([p.brightness for p in parts]),
        )


def _fingerprints(pixels: Bytes) -> Bytes:
    grey = pixels.mean(axis=3, dtype=np.float32)
    down, across = (_shrink(size) for size in grey.shape[1:])
    small = np.einsum("ah,nhw,bw->nab", down, grey, across, optimize=True)
    right = small[:, :8, 1:] > small[:, :8, :-1] + 1e-3
    below = small[:, 1:, :8] > small[:, :-1, :8] + 1e-3
    return np.packbits(np.concatenate([right.reshape(-1, 64), below.reshape(-1, 64)], axis=1), axis=1)


def _shrink(size: int) -> NDArray[np.float32]:
    """Weights [SIDE, size] that average ``size`` pixels into ``SIDE`` places of equal width."""
    ends = np.linspace(0, size, SIDE + 1)
    edges = np.arange(size)
    covered = np.minimum(ends[1:, None], edges + 1) - np.maximum(ends[:-1, None], edges)
    weights = np.clip(covered, 0, None)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def duplicates(by_split: Mapping[str, Prints]) -> dict[str, dict[str, Any]]:
    """By split: pictures equal or nearly equal to another of the split, and to one of each other split.

    ``{"exact": n, "near": n, "in_other_splits": {split: {"exact": n, "near": n}}}``; ``near`` counts the equal ones
    too, and is None for pictures too small to tell.
    """
    names = list(by_split)
    owner = np.concatenate([np.full(len(by_split[n].exact), i) for i, n in enumerate(names)])
    prints = Prints.together([by_split[n] for n in names])
    exact, near = _pairs_exact(prints), _pairs_near(prints)
    found: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(names):
        others = {
            other: {"exact": _touched(exact, owner, i, j), "near": _touched_near(prints, exact, near, owner, i, j)}
            for j, other in enumerate(names)
            if j != i
        }
        inside = {"exact": _touched(exact, owner, i, i), "near": _touched_near(prints, exact, near, owner, i, i)}
        found[name] = {**inside, "in_other_splits": others}
    return found


def _touched(pairs: NDArray[np.int64], owner: NDArray[np.int64], mine: int, other: int) -> int:
    """Pictures of one split that are in a pair with a picture of another (or the same) split."""
    a, b = pairs[:, 0], pairs[:, 1]
    forth, back = (owner[a] == mine) & (owner[b] == other), (owner[b] == mine) & (owner[a] == other)
    return len(np.unique(np.concatenate([a[forth], b[back]])))


def _touched_near(
    prints: Prints, exact: NDArray[np.int64], near: NDArray[np.int64], owner: NDArray[np.int64], mine: int, other: int
) -> int | None:
    return _touched(np.concatenate([exact, near]), owner, mine, other) if len(prints.near) else None


def _pairs_exact(prints: Prints) -> NDArray[np.int64]:
    """Pairs with equal bytes: each picture with the next equal one, and with the first."""
    order = np.argsort(prints.exact, kind="stable")
    ordered = prints.exact[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    starts = np.searchsorted(ordered, ordered[same])
    return np.concatenate([np.stack([order[same], order[same + 1]], 1), np.stack([order[starts], order[same + 1]], 1)])


def _pairs_near(prints: Prints) -> NDArray[np.int64]:
    """Pairs with nearly equal fingerprints: of four bands of 32 bits one at least is equal when three bits differ."""
    pairs = [np.empty((0, 2), np.int64)]
    bands = prints.near.reshape(-1, 4, 4)
    for band in range(4) if len(prints.near) else ():
        key = np.ascontiguousarray(bands[:, band]).view(">u4").ravel()
        rest = np.ascontiguousarray(prints.near).view("S16").ravel()
        order = np.lexsort((rest, key))
        for step in range(1, NEIGHBOURS + 1):
            a, b = order[:-step], order[step:]
            alike = key[a] == key[b]
            a, b = a[alike], b[alike]
            apart = np.bitwise_count(prints.near[a] ^ prints.near[b]).sum(axis=1)
            close = (apart <= NEAR_BITS) & (np.abs(prints.brightness[a] - prints.brightness[b]) <= NEAR_BRIGHTNESS)
            pairs.append(np.stack([a[close], b[close]], axis=1))
    return np.concatenate(pairs)
