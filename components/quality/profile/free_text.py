"""Whether a column of texts is one to be read: sentences whose words come again, and not names, codes or addresses."""

from __future__ import annotations

import polars as pl

ROWS = 2_000
"""Texts that are looked at, from all parts of the column."""
WORDS = 3.0
"""Words a text has in the mean, at least; a name has two."""
AGAIN = 0.5
"""Share of the words that stand in another text, too, at least: codes and names do not come again."""
DISTINCT, LONG, LEAST = 0.2, 60, 0.02
"""Texts are read where more than this share of them differ in their letters; of texts with so many characters in the
mean, ``LEAST`` is enough. A sentence that always is the same but for a number has nothing to read."""
_NO_SPACES = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""Scripts that put no space between words; each character counts as a word."""


def why_read(series: pl.Series) -> str:
    """The evidence that a column holds texts to be read; empty where it does not.

    Args:
        series: texts; missing and empty ones do not count.
    """
    filled = series.drop_nulls().cast(pl.String)
    filled = filled.filter(filled.str.contains(r"\S"))
    if filled.is_empty():
        return ""
    distinct = filled.str.to_lowercase().str.replace_all(r"[^\p{L}]", "").n_unique() / len(filled)
    length = float(filled.str.len_chars().mean() or 0)  # type: ignore[arg-type]
    some = filled.gather_every(max(1, len(filled) // ROWS)).head(ROWS).unique(maintain_order=True)
    spaced = some.str.to_lowercase().str.replace_all(f"({_NO_SPACES})", " ${1} ")
    words = pl.DataFrame({"row": pl.arange(len(some), eager=True), "word": spaced.str.extract_all(r"[\p{L}\p{M}']+")})
    each = words.explode("word").drop_nulls("word")
    mean = each.height / len(some)
    if mean < WORDS or distinct <= (LEAST if length > LONG else DISTINCT):
        return ""
    texts = each.unique().group_by("word").len(name="texts")
    again = float((each.join(texts, on="word")["texts"] > 1).mean() or 0)  # type: ignore[arg-type]
    if again < AGAIN:
        return ""
    return (
        f"{distinct:.0%} of the values differ in their letters, {mean:.0f} words and {length:.0f} characters in the "
        f"mean, {again:.0%} of the words come again"
    )
