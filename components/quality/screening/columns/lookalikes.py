"""Values of a column that a reader takes for the same: other letters of Unicode, blanks, capitals."""

import re
import unicodedata
from collections.abc import Iterable

_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


def alike(values: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of two and more values that differ only in capitals, blanks, unseen signs or the form of their letters.

    >>> alike(["yes", "yes ", "no", "No", "maybe"])
    [('No', 'no'), ('yes', 'yes ')]
    """
    groups: dict[str, list[str]] = {}
    for value in values:
        groups.setdefault(normal(value), []).append(value)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def normal(text: str) -> str:
    """A text without what a reader does not see; accents and signs stay."""
    composed = unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).casefold()
    return " ".join(unicodedata.normalize("NFKC", composed).split())
