r"""One language of regular expressions for every rule: that of the Rust crate ``regex``, as Polars uses it.

It runs in linear time, reads ``\d``, ``\w`` and ``\s`` as Unicode does, and lets ``$`` mean the very end of a text, not
the place before a last newline. It knows no look-around, no back-references and none of Python's ``\Z``; a contract
with these is refused when it is made. Source: https://docs.rs/regex/latest/regex/#syntax.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_INSTEAD = (
    (r"\\Z", r"`\Z` is Python's; the end of a text is `$` or `\z`"),
    (r"\\[1-9]|\(\?P=", "back-references are not supported; write the repeated part out, or check it before"),
    (r"\(\?(=|!|<=|<!)", "look-ahead and look-behind are not supported; write what the text may be, or use `allowed`"),
    (r"\(\?>", "atomic groups are not supported; use `(?:...)`"),
    (r"\(\?#", "comments are not supported; use the field `description`"),
    (r"\(\?a", r"the flag `a` is not supported; write [0-9] for digits of ASCII"),
    (r"\{,", "a repetition needs its least number: `{0,3}`"),
)
"""What stands in a pattern of another language, and what to write instead."""
LONGEST = 10_000
"""Characters of a pattern: what matching costs grows with its length times that of the text."""
_POSSESSIVE = re.compile(r"(?:\\.|\[(?:\\.|[^\]\\])*\]|[^\\\[])*?[*+?}]\+", re.DOTALL)


def anchored(pattern: str) -> str:
    """The pattern as rules use it: it matches from the start of a text, and not necessarily to its end."""
    return f"^(?:{pattern})"


@lru_cache(maxsize=1024)
def fault_of(pattern: str) -> str | None:
    """Why a pattern cannot be used, in words; None where it can."""
    import polars as pl

    if len(pattern) > LONGEST:
        return f"a pattern has at most {LONGEST:,} characters, this one {len(pattern):,}"
    if _POSSESSIVE.match(pattern):
        return "possessive repetitions such as `a++` are not supported; write `a+`"
    for text in (pattern, anchored(pattern)):
        try:
            pl.Series([""]).str.contains(text)
        except pl.exceptions.ComputeError as error:
            return _reason(str(error), pattern)
    return None


def matches(texts: pl.Series, pattern: str) -> pl.Series:
    """Which texts match from their start; null where a text is."""
    return texts.str.contains(anchored(pattern))


def _reason(message: str, pattern: str) -> str:
    """What the library says in one line, or better, what to write instead."""
    for foreign, words in _INSTEAD:
        if re.search(foreign, pattern):
            return words
    said = [line.removeprefix("error: ") for line in message.splitlines() if line.startswith("error: ")]
    return said[0] if said else message.splitlines()[0].removeprefix("regex error: ")
