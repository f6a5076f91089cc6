r"""Pretrained vectors of words, read from a file: the text of GloVe, the text and the binary form of word2vec.

::

    glove            the 0.418 0.24968 ...                one word a line
    word2vec         3000000 300\nthe 0.418 0.24968 ...   the same behind a line with rows and dimensions
    word2vec_binary  3000000 300\nthe <float32 x 300>     little-endian, a line break after each or none
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from kilnworks.schemas.code import Bytes
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import numpy as np

LOG = logging.getLogger("kilnworks.data")
LITTLE = 0.5
"""Below this share of known words a warning is due."""
LONGEST_WORD = 10_000
"""Bytes of a word in a binary file; beyond, the file is something else."""


class Vectors(Config):
    """Pretrained vectors for the words of a text."""

    file: Bytes
    """Where they lie; its content is in the fingerprint."""
    format: Literal["glove", "word2vec", "word2vec_binary"] = "glove"
    """How they are written."""
    frozen: bool = True
    """Whether they stay as they are; else they are trained on with everything else."""

    def matrix(self, words: Sequence[str], offset: int) -> tuple[np.ndarray, float]:
        """A row for each number of the vocabulary.

        Args:
            words: of the vocabulary; number ``offset + place``.
            offset: numbers before the first word; their rows are 0.

        Returns:
            float32 [offset + words, dimensions], the mean of all vectors where a word has none; and the share of words
            that have one.

        Raises:
            DataUnreadable: the file is not written so, or has no word of the vocabulary.
        """
        path = self.file.file
        state = path.stat()
        return _matrix(self, path, (state.st_mtime_ns, state.st_size), tuple(words), offset)

    def read(self, path: Path) -> Iterator[tuple[str, np.ndarray]]:
        """Words and vectors, float32 [dimensions], in the order of the file. Raises ``DataUnreadable``."""
        with path.open("rb") as file:
            if self.format == "glove":
                yield from _lines(file, path, None)
                return
            rows, dimensions = _head(file, path)
            if self.format == "word2vec":
                yield from _lines(file, path, dimensions)
            else:
                yield from _binary(file, path, rows, dimensions)


@functools.lru_cache(maxsize=2)
def _matrix(
    vectors: Vectors, path: Path, state: tuple[int, int], words: tuple[str, ...], offset: int
) -> tuple[np.ndarray, float]:
    """``Vectors.matrix``; read once for a model and for what is said of it. ``state``: of the file, as it is now."""
    import numpy as np

    wanted = {word: place for place, word in enumerate(words)}
    found: dict[int, np.ndarray] = {}
    total, count = None, 0
    for word, vector in vectors.read(path):
        total = vector.astype(np.float64) if total is None else total + vector
        count += 1
        place = wanted.get(word)
        if place is not None and place not in found:
            found[place] = vector
    if total is None or not found:
        raise DataUnreadable(
            f"{vectors.file.path} has {count:,} vectors, and none of the {len(words):,} words of the vocabulary",
            "vectors of words of this language, in lower case where the texts are",
            "check the file and its format",
        )
    out = np.tile((total / count).astype(np.float32), (offset + len(words), 1))
    out[:offset] = 0
    for place, vector in found.items():
        out[offset + place] = vector
    out.setflags(write=False)
    coverage = len(found) / len(words)
    say = LOG.warning if coverage < LITTLE else LOG.info
    say("%s has vectors for %.0f%% of %s words", vectors.file.path, 100 * coverage, f"{len(words):,}")
    return out, coverage


def _head(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Rows and dimensions of a word2vec file."""
    parts = file.readline(100).split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or int(parts[1]) < 1:
        raise DataUnreadable(
            f"{path.name} begins with {b' '.join(parts)[:60]!r}", "the number of vectors and of their dimensions",
            "say format='glove' where the first line is a word already",
        )  # fmt: skip
    return int(parts[0]), int(parts[1])


def _lines(file: BinaryIO, path: Path, dimensions: int | None) -> Iterator[tuple[str, np.ndarray]]:
    """Words and numbers, a line each. A word may hold spaces: the numbers are the last ones."""
    import numpy as np

    for number, raw in enumerate(file, 1 if dimensions is None else 2):
        line = raw.decode("utf-8", "replace").rstrip()
        if not line:
            continue
        if dimensions is None:
            dimensions = line.count(" ")
        parts = line.rsplit(" ", dimensions)
        try:
            vector = np.array(parts[1:], np.float32)
        except ValueError:
            vector = np.zeros(0, np.float32)
        if len(vector) != dimensions or not dimensions or not np.isfinite(vector).all():
            raise DataUnreadable(
                f"{path.name}, line {number}: {line[:60]!r}", f"a word and {dimensions} finite numbers",
                "check the format, or remove the line",
            )  # fmt: skip
        yield parts[0], vector


def _binary(file: BinaryIO, path: Path, rows: int, dimensions: int) -> Iterator[tuple[str, np.ndarray]]:
    """Words and little-endian float32."""
    import numpy as np

    for number in range(rows):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b"") and len(word) <= LONGEST_WORD:
            if byte != b"\n":
                word += byte
        content = file.read(4 * dimensions)
        vector = np.frombuffer(content, "<f4") if len(content) == 4 * dimensions else np.zeros(0, np.float32)
        if byte != b" " or not len(vector) or not np.isfinite(vector).all():
            raise DataUnreadable(
                f"{path.name} ends or is no word2vec in vector {number + 1:,} of {rows:,}",
                f"a word, a space and {dimensions} finite float32 each", "download it again, or check the format",
            )  # fmt: skip
        yield word.decode("utf-8", "replace"), vector
