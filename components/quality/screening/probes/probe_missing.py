"""Missing values: more, fewer, or written in a new way; values that no longer read as numbers or dates."""

import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from kilnworks.components.dates.finding import find_dates
from kilnworks.components.quality.screening.columns.kinds import MISSING_WORDS
from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain, suspicious
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput, first_rows
from kilnworks.components.quality.stats.memory import inflation
from kilnworks.components.quality.stats.pvalues import rate_change, rate_increase
from kilnworks.schemas.dates import ISO

WORD = "a word for missing"
"""In ``Table.never``."""


class MissingProbe:
    """Counts what is missing and what is unreadable in every column, over all rows."""

    name = "missing"

    def learn(self, batch: ProbeInput) -> Learned:
        """Rows, missing and unreadable values by column; whole columns of words that mean missing."""
        table = batch.table
        return {
            n: {
                "missing": int(batch.sample.missing(n).sum()),
                "rows": batch.sample.rows,
                "unreadable": int(table.unreadable(n).sum()),
                "words": _words(table, n),
                "inflation": inflation(batch.sample.missing(n).astype(float)) if batch.in_order else 1.0,
            }
            for n in table.everything
        }

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """Missing rate, unreadable values and new words for missing, by column."""
        for name in batch.table.everything:
            if name in learned:
                yield from _compare(learned[name], batch, name)


def _compare(kept: Learned, batch: ProbeInput, name: str) -> Iterator[Evidence]:
    table = batch.table
    missing = batch.sample.missing(name)
    k, n, K, total = int(missing.sum()), missing.size, kept["missing"], kept["rows"]
    change, weaker = abs(k / n - K / total), kept["inflation"] * batch.copies
    log_p = rate_change(int(k / weaker), int(n / weaker), int(K / weaker), int(total / weaker))
    yield Evidence(
        name,
        "share of missing values",
        log_p * (1.7 if K == 0 and total >= 100 else 1.0),
        change / (0.005 if K == 0 else 0.05),
        f"{k} of {n} missing",
        f"{K} of {total}",
        batch.row_numbers(missing),
        2,
    )
    if k == n and n * math.log10(max(K, 0.01) / total) < -5:
        yield certain(name, "every value is missing", f"{k} of {n}", f"{K} of {total}")
    unreadable = table.unreadable(name)
    if kept["unreadable"] == 0 and unreadable.any():
        yield _unreadable(table, name, unreadable, total)
    new = sorted(set(_words(table, name)) - set(kept["words"]))
    if new:
        flags = table.texts(name).is_in(new).fill_null(False).to_numpy()
        yield Evidence(
            name,
            f"missing values written as {new[0]!r}",
            rate_increase(int(flags.sum()), table.rows, 0, total) * 2,
            float(flags.mean()) / 0.002,
            f"{int(flags.sum())} rows",
            "not in the clean file",
            first_rows(flags),
        )


def _unreadable(table: Table, name: str, flags: np.ndarray, known: int) -> Evidence:
    spec = table.specs[name]
    values = table.texts(name).filter(pl.Series(flags))
    sample = str(values[0])
    wanted = "dates" if spec.kind == "datetime" else "numbers"
    count = f"{int(flags.sum())} of {flags.size}, e.g. {sample!r}"
    reason = _reason(values, spec.kind == "datetime")
    rule = f"values are {wanted}" + (f": {reason}" if reason else "")
    rare = flags.size > 2 * known and flags.mean() < 0.01
    many = int(flags.sum()) > 1 and not rare
    return (certain if many else suspicious)(name, rule, count, f"only {wanted}", first_rows(flags))


def _reason(values: pl.Series, dates: bool) -> str:
    """What the unreadable values look like."""
    if dates:
        found = find_dates("", values)
        return f"written as {found.how.format}" if found and found.how.format != ISO else ""
    shapes = {
        "decimal comma": r"^\s*[-+]?\d+,\d+\s*$",
        "thousands separators": r"^\s*[-+]?\d{1,3}([,. ']\d{3})+([.,]\d+)?\s*$",
        "a currency sign": "[$\u20ac\u00a3\u00a5]|USD|EUR|GBP",
        "a per cent sign": "%",
        "a unit behind the number": r"^\s*[-+]?\d+(\.\d+)?\s*[A-Za-z]+\s*$",
        "blanks around the number": r"^\s+[-+\d.]+\s*$|^[-+\d.]+\s+$",
        "quotes around the number": "[\"']",
    }
    for reason, pattern in shapes.items():
        if float(values.str.contains(pattern).mean() or 0) > 0.5:  # type: ignore[arg-type]
            return reason
    return ""


def _words(table: Table, name: str) -> list[str]:
    """Texts in the column that mean missing, as they are written."""
    if table.frame[name].dtype != pl.String or (WORD, name) in table.never:
        return []
    texts = table.frame[name]
    if table.specs[name].kind in ("number", "datetime"):
        texts = texts.filter(pl.Series(np.isnan(table.numbers(name))))
    text = pl.col("text")
    short = texts.alias("text").to_frame().select(text.filter(text.str.len_bytes().is_between(1, 13)).unique())
    missing = text.str.strip_chars().str.to_lowercase().is_in(["", *MISSING_WORDS])
    found: list[str] = short.select(text.filter(missing).sort()).to_series().to_list()
    if not found:
        table.never.add((WORD, name))
    return found
