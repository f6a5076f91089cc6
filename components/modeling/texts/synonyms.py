r"""Words that may stand for one another, read from a file: augmentation of texts.

::

    good, fine, decent          a line is a group, with commas or tabs between its words
    film\tmovie\tpicture        a word may be in several groups
    # comment
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from kilnworks.schemas.code import Bytes
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import numpy as np

MOST = 16
"""Words that may stand for one word; further ones, in the order of the file, are not used."""


class Synonyms(Config):
    """Replaces words by others of the same meaning, in training only (Wei & Zou 2019)."""

    file: Bytes
    """Groups of words; its content is in the fingerprint."""
    share: float = Field(default=0.1, gt=0, le=1)
    """Of the words that have a synonym, how many are replaced."""

    def table(self, words: Sequence[str], offset: int) -> np.ndarray:
        """What may stand for each number of the vocabulary.

        Args:
            words: of the vocabulary; number ``offset + place``.
            offset: numbers before the first word.

        Returns:
            int32 [offset + words, K], 1 <= K <= 16: numbers of the words that may stand there, from the left, then 0.

        Raises:
            DataUnreadable: the file is no text in UTF-8, or no group has two words of the vocabulary.
        """
        import numpy as np

        number = {word: offset + place for place, word in enumerate(words)}
        others: defaultdict[int, dict[int, None]] = defaultdict(dict)
        for group in self._groups():
            known = dict.fromkeys(number[word] for word in group if word in number)
            for one in known:
                others[one].update((other, None) for other in known if other != one)
        others = defaultdict(dict, {one: its for one, its in others.items() if its})
        if not others:
            raise DataUnreadable(
                f"{self.file.path} has no group with two of the {len(words):,} words of the vocabulary",
                "words that may stand for one another, a group a line, in lower case where the texts are",
                "separate the words of a group by commas or tabs",
            )
        out = np.zeros((offset + len(words), min(MOST, max(map(len, others.values())))), np.int32)
        for one, its in others.items():
            kept = list(its)[: out.shape[1]]
            out[one, : len(kept)] = kept
        return out

    def _groups(self) -> list[list[str]]:
        path = self.file.file
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise DataUnreadable(
                f"{path.name}: byte {error.start:,} is no UTF-8", "a text in UTF-8", "save it as UTF-8"
            ) from None
        groups = (line.replace("\t", ",").split(",") for line in lines if not line.lstrip().startswith("#"))
        return [[word.strip() for word in group if word.strip()] for group in groups]
