"""Texts: signs and outlines that were not there before, broken encodings, words that are no longer known."""

import math
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.screening.probes.evidence import Evidence
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput
from kilnworks.components.quality.stats.pvalues import normal_tail, rate_change

_BROKEN = "\u00c3[\u0080-\u00bf\u0152-\u02dc\u2013-\u2122]|\u00e2\u20ac|\u00c2[\u0080-\u00bf]|\u00ef\u00bb\u00bf"

TRAITS: dict[str, str] = {
    "broken encoding (UTF-8 read as Latin-1)": _BROKEN,
    "replacement characters": "\ufffd",
    "question marks inside words": r"[A-Za-z]\?[A-Za-z]",
    "letters outside ASCII": r"[^\x00-\x7F]",
    "blanks at the start or the end": r"^\s|\s$",
    "several blanks in a row": r"\s\s",
    "capital letters only": r"^[^a-z]*[A-Z][^a-z]*$",
    "small letters only": r"^[^A-Z]*[a-z][^A-Z]*$",
    "digits": r"\d",
    "HTML marks": r"&[a-z]{2,6};|&#\d+;|<[a-zA-Z/]",
    "escape sequences": r"\\[nrtux\"']",
    "quotation marks": '["\u201c\u201d]',
    "line breaks or tabs": r"[\n\r\t]",
    "cut-off marks": r"(\.\.\.|\u2026)$",
}
"""What is counted in texts: a name and a regular expression."""

VOCABULARY = 3000
"""Most frequent words of a free text that are remembered."""
_ROWS = 5000
_WORD = re.compile(r"\w+")


class TextProbe:
    """Counts traits of texts in every column of words, and how many words of free texts are known."""

    name = "texts"

    def learn(self, batch: ProbeInput) -> Learned:
        """Rows with each trait by column; the vocabulary of free texts."""
        table = batch.sample
        learned = {n: {"traits": _traits(table.texts(n)), "rows": _filled(table.texts(n))} for n in _columns(batch)}
        for name in (n for n in table.names("text") if n not in batch.advances):
            learned[name]["words"] = _vocabulary(table.texts(name))
        return learned

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """Traits and known words by column."""
        for name in _columns(batch):
            if name not in learned:
                continue
            texts = batch.sample.texts(name)
            kept, n = learned[name], _filled(texts)
            if n == 0:
                continue
            for trait, k in _traits(texts).items():
                yield _trait(name, trait, (k, n), (kept["traits"][trait], kept["rows"]), batch)
            if kept.get("words"):
                yield _words(name, kept["words"], texts)


def _columns(batch: ProbeInput) -> list[str]:
    return [n for n in batch.sample.names("category", "text", "key") if batch.sample.frame[n].dtype == pl.String]


def _filled(texts: pl.Series) -> int:
    return texts.len() - texts.null_count()


def _traits(texts: pl.Series) -> dict[str, int]:
    counts = texts.drop_nulls().alias("text").value_counts(name="rows")
    rows = {
        trait: pl.col("rows").filter(pl.col("text").str.contains(pattern)).sum() for trait, pattern in TRAITS.items()
    }
    return {trait: int(n) for trait, n in counts.select(**rows).row(0, named=True).items()}


def _trait(name: str, trait: str, new: tuple[int, int], old: tuple[int, int], batch: ProbeInput) -> Evidence:
    (k, n), (K, total) = new, old
    unseen = K == 0 and k > 0
    return Evidence(
        name,
        f"texts with {trait}",
        rate_change(k, n, K, total),
        abs(k / n - K / total) / (0.005 if unseen else 0.15),
        f"{k} of {n}",
        f"{K} of {total}",
        batch.row_numbers(_has(batch.sample.texts(name), trait)) if unseen else (),
        weight=0.3,
    )


def _has(texts: pl.Series, trait: str) -> NDArray[np.bool_]:
    """Where a text has the trait, [n]."""
    return texts.str.contains(TRAITS[trait]).fill_null(False).to_numpy()


def _vocabulary(texts: pl.Series) -> dict[str, object]:
    """Frequent words of the first half and the share of known words by row in the second half."""
    rows = _spread(texts, 2 * _ROWS)
    half = rows[::2]
    known = {w for w, _ in Counter(w for t in half for w in set(_WORD.findall(t.lower()))).most_common(VOCABULARY)}
    shares = _known_shares(rows[1::2], known)
    if shares.size < LEAST or shares.mean() < 0.3:
        return {}
    return {"known": sorted(known), "mean": float(shares.mean()), "sd": float(shares.std()), "rows": int(shares.size)}


def _spread(texts: pl.Series, most: int) -> list[str]:
    """At most so many texts, evenly spread."""
    filled = texts.drop_nulls()
    return filled.gather_every(max(1, -(-filled.len() // most))).to_list()


LEAST = 30
"""Fewer texts than this are not compared by their words."""


def _known_shares(rows: list[str], known: set[str]) -> np.ndarray:
    words = (_WORD.findall(t.lower()) for t in rows)
    return np.array([sum(w in known for w in ws) / len(ws) for ws in words if ws])


def _words(name: str, kept: Learned, texts: pl.Series) -> Evidence:
    shares = _known_shares(_spread(texts, _ROWS), set(kept["known"]))
    if shares.size < 10:
        return Evidence(name, "words of the text are known", 0.0)
    sd = max(kept["sd"], float(shares.std()), 1e-3)
    drop = kept["mean"] - float(shares.mean())
    z = drop / (sd * math.sqrt(1 / shares.size + 1 / kept["rows"]))
    return Evidence(
        name,
        "words of the text are known",
        float(normal_tail(z)),
        max(drop, 0.0) / 0.2,
        f"{shares.mean():.0%} of the words",
        f"{kept['mean']:.0%}",
    )
