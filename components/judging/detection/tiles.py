"""Boxes of tiles put together to those of their photographs.

::

    tile A |-----------------|
                     |-----------------| tile B
                     |<----->| what both see; the half at A is that of A, the other half that of B

A true box counts in the tile in whose half its middle lies: whole, if it is no larger than what both see. Of the found
ones, those are left out that reach the edge of a tile with their middle in the half of the next one: they were cut, and
the next one sees them whole. Then, over the photograph, the less sure of two boxes of a class that overlap is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kilnworks.components.judging.detection.overlaps import Floats, kept
from kilnworks.schemas.tiles import Tile, read_tile

PLAIN = 5
"""Numbers of a true box: its sides and its class. Behind them of a tile: photograph, left, top, width, height."""
REACHES = 0.02
"""Share of the side of a tile: a box that ends so near to its edge reaches it."""

DIGITS = 2
"""Of a pixel: sides in shares of six digits are that exact, so that two tiles agree on a middle on their border."""


class Scene(NamedTuple):
    """What is matched together: an image, or the tiles of a photograph.

    Attributes:
        truth: true boxes and their classes, [G, 5]; in shares, or of a photograph in pixels.
        rows_of_truth: row of each, int [G].
        boxes, scores, labels: found ones, [D, 4], [D], [D].
        rows: row of each, int [D].
    """

    truth: Floats
    rows_of_truth: np.ndarray
    boxes: Floats
    scores: Floats
    labels: np.ndarray
    rows: np.ndarray


def with_places(truth: Floats, keys: Sequence[object]) -> Floats:
    """True boxes [N, G, 5] with where their tile lies, float64 [N, G, 10]; as they are where a row is no tile.

    ``keys``: of each row, [N]; those of tiles are written as ``schemas/tiles.py`` says.
    """
    tiles = [read_tile(key) if isinstance(key, str) else None for key in keys]
    if not tiles or None in tiles:
        return truth
    known = [tile for tile in tiles if tile is not None]
    places = np.array([(_number(tile.photo), *tile[1:]) for tile in known], np.float64)
    wide = np.broadcast_to(places[:, None], (*truth.shape[:2], places.shape[1]))
    return np.concatenate([truth, wide], axis=2)


def _number(photo: str) -> int:
    """Of a photograph, the same wherever its tiles are read: 48 bits of a hash, which double precision holds."""
    return int.from_bytes(hashlib.blake2b(photo.encode(), digest_size=6).digest())


def scenes(truth: Floats, answers: Mapping[str, Any], overlap: float) -> Iterator[Scene]:
    """Rows that are matched together: each for itself, or the tiles of each photograph.

    Args:
        truth: [N, G, 5] (class -1: none), or of tiles [N, G, 10].
        answers: ``boxes`` [N, D, 4], ``scores`` and ``labels`` [N, D] and ``count`` [N].
        overlap: at which boxes of a photograph are suppressed.
    """
    boxes, scores, labels, count = (np.asarray(answers[name]) for name in ("boxes", "scores", "labels", "count"))
    if truth.shape[2] == PLAIN:
        for i in range(len(truth)):
            real, n = truth[i][truth[i, :, 4] >= 0], int(count[i])
            yield Scene(real, np.full(len(real), i), boxes[i, :n], scores[i, :n], labels[i, :n], np.full(n, i))
        return
    places = truth[:, 0, PLAIN:].astype(np.float64)
    for photo in dict.fromkeys(places[:, 0].tolist()):
        own = np.flatnonzero(places[:, 0] == photo)
        tiles = [Tile("", *map(int, places[i, 1:])) for i in own]
        real = [truth[i, truth[i, :, 4] >= 0, :PLAIN].astype(np.float64) for i in own]
        told = [boxes[i, : int(count[i])] for i in own]
        true, of_true = _placed([one[:, :4] for one in real], tiles)
        mine = _owned(true, of_true, tiles)
        numbers = np.concatenate([one[:, 4:] for one in real])
        found, of_found = _placed(told, tiles)
        sure = np.concatenate([scores[i, : int(count[i])] for i in own])
        classes = np.concatenate([labels[i, : int(count[i])] for i in own])
        stay = merged(found, of_found, sure, classes, tiles, overlap)
        yield Scene(
            np.concatenate([true, numbers], axis=1)[mine], own[of_true[mine]],
            found[stay], sure[stay], classes[stay], own[of_found[stay]],
        )  # fmt: skip


def merged(
    boxes: Floats, of: np.ndarray, scores: Floats, labels: np.ndarray, tiles: Sequence[Tile], overlap: float
) -> np.ndarray:
    """Places of the found boxes of a photograph that stay, the surest first.

    Args:
        boxes: in pixels of the photograph, [D, 4].
        of: number of the tile of each, [D].
        scores: how sure, [D].
        labels: of each, [D].
        tiles: of the photograph.
        overlap: intersection over union above which the less sure of two is left out.
    """
    halves, edges = own_parts(tiles)
    near = REACHES * np.array([[tile.height, tile.width] for tile in tiles]).reshape(-1, 2)[of]
    low, high, middle = boxes[:, :2], boxes[:, 2:], (boxes[:, :2] + boxes[:, 2:]) / 2
    cut = (low <= edges[of, :2] + near) & (middle < halves[of, :2])
    cut |= (high >= edges[of, 2:] - near) & (middle >= halves[of, 2:])
    seen = np.flatnonzero(~cut.any(axis=1))
    return seen[kept(boxes[seen], scores[seen], labels[seen], overlap)]


def photograph(
    answers: Mapping[str, np.ndarray], tiles: Sequence[Tile], size: tuple[int, int], overlap: float
) -> dict[str, np.ndarray]:
    """Served answers to the tiles of a photograph as those to the photograph, one row each.

    Args:
        answers: ``boxes`` [T, D, 4] in shares of the tile, ``scores`` and ``classes`` [T, D], ``count`` [T].
        tiles: [T].
        size: height and width of the photograph in pixels.
        overlap: see ``merged``.
    """
    count = [int(n) for n in answers["count"]]
    boxes, of = _placed([one[:n] for one, n in zip(answers["boxes"], count, strict=True)], tiles)
    scores, classes = (
        np.concatenate([one[:n] for one, n in zip(answers[name], count, strict=True)]) for name in ("scores", "classes")
    )
    stay = merged(boxes, of, scores, classes, tiles, overlap)
    shares = np.clip(boxes / np.array([*size, *size]), 0, 1)
    stay = stay[(shares[stay, 2:] > shares[stay, :2]).all(axis=1)]  # not where a tile reaches beyond the photograph
    return {
        "boxes": shares[stay][None],
        "scores": scores[stay][None],
        "classes": classes[stay][None],
        "count": np.array([len(stay)]),
    }


def in_pixels(boxes: Floats, tile: Tile) -> Floats:
    """Boxes [D, 4] in shares of a tile, in pixels of its photograph."""
    size = np.array([tile.height, tile.width] * 2, np.float64)
    return np.asarray(boxes.astype(np.float64) * size + np.array([tile.top, tile.left] * 2))


def own_parts(tiles: Sequence[Tile]) -> tuple[Floats, Floats]:
    """The part that is each tile's own, and its edges where another one goes on, both [T, 4].

    Top, left, bottom, right in pixels of the photograph; without an end where no other tile goes on.
    """
    halves = np.array([[-np.inf, -np.inf, np.inf, np.inf]] * len(tiles)).reshape(-1, 4)
    edges = halves.copy()
    lines: dict[tuple[int, tuple[int, int]], list[tuple[int, int]]] = {}
    for tile in tiles:
        for axis in (0, 1):
            lines.setdefault((axis, _span(tile, 1 - axis)), []).append(_span(tile, axis))
    for i, tile in enumerate(tiles):
        for axis in (0, 1):
            start, end = _span(tile, axis)
            line = lines[axis, _span(tile, 1 - axis)]
            before = [last for first, last in line if first < start < last]
            after = [first for first, last in line if start < first < end]
            if before:
                halves[i, axis], edges[i, axis] = (start + max(before)) / 2, start
            if after:
                halves[i, axis + 2], edges[i, axis + 2] = (min(after) + end) / 2, end
    return halves, edges


def _span(tile: Tile, axis: int) -> tuple[int, int]:
    """Where a tile begins and ends: from top to bottom (0) or from left to right (1)."""
    return (tile.top, tile.top + tile.height) if axis == 0 else (tile.left, tile.left + tile.width)


def _placed(boxes: Sequence[Floats], tiles: Sequence[Tile]) -> tuple[Floats, np.ndarray]:
    """Boxes of each tile in pixels of the photograph, [D, 4], and the number of the tile of each, [D]."""
    of = np.repeat(np.arange(len(tiles)), [len(one) for one in boxes])
    return np.concatenate([in_pixels(one, tile) for one, tile in zip(boxes, tiles, strict=True)]), of


def _owned(boxes: Floats, of: np.ndarray, tiles: Sequence[Tile]) -> np.ndarray:
    """Places of the true boxes, each of which counts in the tile whose own part holds its middle."""
    middle, part = np.round((boxes[:, :2] + boxes[:, 2:]) / 2, DIGITS), own_parts(tiles)[0][of]
    return np.flatnonzero(((middle >= part[:, :2]) & (middle < part[:, 2:])).all(axis=1))
