"""Unicode's composed form (NFC) inside a TensorFlow graph: ``e`` + combining acute is the same text as ``é``.

TensorFlow has no operation for it, so the canonical pairs of Unicode are tables in the graph, made of Python's own
``unicodedata``. A mark is composed with what stands right before it, as often as there are marks; marks that stand in
another than their canonical order are left as they are. Source: Unicode Standard Annex 15.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

import numpy as np

ROUNDS = 3
"""Marks on one letter that are composed; no character of Unicode decomposes into a letter with more."""
PLACES = 1 << 21
"""Code points lie below; a pair is written as ``first * PLACES + second``."""
MARKS = r"[\p{M}\x{1161}-\x{1175}\x{11A8}-\x{11C2}]"
"""What may have to be composed: marks, and the vowels and finals of Hangul."""


@cache
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """The pairs that Unicode composes, int64 [P] ascending, and what each becomes, int32 [P]."""
    found: dict[int, int] = {}
    for point in range(0x110000):
        text = chr(point)
        parts = unicodedata.decomposition(text)
        if parts and not parts.startswith("<") and " " in parts and unicodedata.normalize("NFC", text) == text:
            first, second = (int(part, 16) for part in parts.split())
            found[first * PLACES + second] = point
    for syllable in range(0xAC00, 0xD7A4):
        place = syllable - 0xAC00
        final = place % 28
        first = syllable - final if final else 0x1100 + place // 588
        second = 0x11A7 + final if final else 0x1161 + place // 28 % 21
        found[first * PLACES + second] = syllable
    keys = np.array(sorted(found), np.int64)
    return keys, np.array([found[int(key)] for key in keys], np.int32)


def composed(texts: Any) -> Any:
    """Texts [n] of valid UTF-8 with every mark composed; as they are where the batch has none."""
    import tensorflow as tf

    marked = tf.reduce_any(tf.strings.regex_full_match(texts, rf"(?s).*{MARKS}.*"))
    return tf.cond(marked, lambda: _composing()(texts), lambda: texts)


@cache
def _composing() -> Any:
    """``_composed`` as one function of TensorFlow, which every graph calls: traced once in a process."""
    import tensorflow as tf

    return tf.function(_composed, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


def _composed(texts: Any) -> Any:
    import tensorflow as tf

    points = tf.strings.unicode_decode(texts, "UTF-8")
    for _ in range(ROUNDS):
        points = _one_round(points)
    return tf.strings.unicode_encode(points, "UTF-8")


def _one_round(points: Any) -> Any:
    """Ragged code points [n, ...] with each pair made one that is composed by itself."""
    import tensorflow as tf

    keys, becomes = pairs()
    flat, starts = points.flat_values, points.row_starts()
    before = tf.concat([[0], flat[:-1]], 0)
    first = tf.tensor_scatter_nd_update(
        before, tf.boolean_mask(starts, points.row_lengths() > 0)[:, tf.newaxis],
        tf.zeros([tf.math.count_nonzero(points.row_lengths() > 0)], tf.int32),
    ) if flat.shape[0] != 0 else before  # fmt: skip
    pair = tf.cast(first, tf.int64) * PLACES + tf.cast(flat, tf.int64)
    place = tf.minimum(tf.searchsorted(tf.constant(keys), pair), len(keys) - 1)
    found = tf.equal(tf.gather(tf.constant(keys), place), pair)
    found &= ~tf.concat([[False], found[:-1]], 0)
    follows = tf.concat([found[1:], [False]], 0)
    joined = tf.where(follows, tf.gather(tf.constant(becomes), tf.concat([place[1:], [0]], 0)), flat)
    return tf.ragged.boolean_mask(points.with_flat_values(joined), points.with_flat_values(~found))
