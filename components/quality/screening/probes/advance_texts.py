"""Texts and parts of dates that go on: versions, periods, the month of a date beside them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.advance import Advance, cycle_of, ordered_texts, usual_outline
from kilnworks.components.quality.screening.columns.date_parts import disagrees
from kilnworks.components.quality.screening.probes.evidence import Evidence
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput, first_rows
from kilnworks.components.quality.stats.pvalues import rate_increase

Floats = NDArray[np.float64]
KNOWN = 500
"""Most texts that are remembered one by one."""


def learn_text(batch: ProbeInput, name: str, advance: Advance) -> Learned | None:
    """The usual outline of texts, the first and the last in their natural order; None where there is none."""
    number = batch.table.specs[name].kind == "number"
    outline = "" if number else usual_outline(batch.table.texts(name)) or ""
    values = _ranks(batch, name, outline)
    known = values[~np.isnan(values)]
    if known.size == 0:
        return None
    kinds, counts = np.unique(known, return_counts=True)
    return {
        "outline": outline,
        "first": float(known.min()),
        "last": float(known.max()),
        "rows": int(known.size),
        "known": kinds[:KNOWN].tolist(),
        "more": bool(kinds.size > KNOWN),
        "seldom": int((counts == 1).sum()),
        "odd": int(np.isnan(values).sum() - batch.table.missing(name).sum()),
        "example": str(batch.table.texts(name).drop_nulls()[0]),
    }


def _ranks(batch: ProbeInput, name: str, outline: str) -> Floats:
    """Values in their natural order; of texts those with the outline that the clean ones have."""
    if batch.table.specs[name].kind == "number":
        return batch.table.numbers(name)
    return ordered_texts(batch.table.texts(name), outline)


def compare_text(kept: Learned, batch: ProbeInput, name: str, advance: Advance) -> Iterator[Evidence]:
    """Whether texts are written as before, and new ones come after those that were seen."""
    values, missing = _ranks(batch, name, kept["outline"]), batch.table.missing(name)
    odd = np.isnan(values) & ~missing
    n = int((~missing).sum())
    if n == 0:
        return
    example = kept["example"]
    yield Evidence(
        name,
        "texts are written as before",
        rate_increase(int(odd.sum()), n, kept["odd"], kept["rows"]) * 1.5,
        (odd.sum() / n - kept["odd"] / kept["rows"]) / 0.005,
        f"{int(odd.sum())} of {n}",
        f"as {example!r}",
        first_rows(odd),
    )
    early = values < kept["first"]
    between = (values < kept["last"]) & ~early & ~np.isin(values, kept["known"]) & (not kept["more"])
    for flags, rule, usual in (
        (early, "never before the first one seen", 0),
        (between, "new and not later", kept["seldom"]),
    ):
        k = int(flags.sum())
        chance = rate_increase(k, n, usual, kept["rows"]) * (1.5 if usual == 0 else 1.0)
        seen = f"{k} of {n}"
        yield Evidence(name, rule, chance, (k / n - usual / kept["rows"]) / 0.02, seen, "", first_rows(flags))


def learn_part(batch: ProbeInput, name: str, advance: Advance) -> Learned | None:
    """In how many rows a part of a date (its month, its weekday) is not that of the date beside it."""
    apart, known = disagrees(batch.table, name, advance.part)
    return {"apart": int(apart.sum()), "rows": int(known.sum())}


def compare_part(kept: Learned, batch: ProbeInput, name: str, advance: Advance) -> Iterator[Evidence]:
    """Whether a part of a date is that of the date beside it."""
    date, part = advance.part
    if date not in batch.table.names("datetime"):
        return
    apart, known = disagrees(batch.table, name, advance.part)
    k, n = int(apart.sum()), int(known.sum())
    if n:
        chance = rate_increase(k, n, kept["apart"], kept["rows"]) * 1.5
        effect = (k / n - kept["apart"] / kept["rows"]) / 0.005
        yield Evidence(
            name, f"is the {part} of {date}", chance, effect, f"not in {k} of {n} rows", "", first_rows(apart)
        )


def learn_cycle(batch: ProbeInput, name: str, advance: Advance) -> Learned | None:
    """The range of a part of a date that the file does not hold."""
    values = batch.table.numbers(name)
    size = cycle_of(name, batch.table) or 31
    return {"least": min(1.0, float(np.nanmin(values))), "most": float(size), "rows": int(np.isfinite(values).sum())}


def compare_cycle(kept: Learned, batch: ProbeInput, name: str, advance: Advance) -> Iterator[Evidence]:
    """Whether a part of a date lies in its range."""
    values = batch.table.numbers(name)
    outside = (values < kept["least"]) | (values > kept["most"])
    k, n = int(outside.sum()), int(np.isfinite(values).sum())
    if n:
        chance, usual = rate_increase(k, n, 0, kept["rows"]) * 1.5, f"{kept['least']:g} to {kept['most']:g}"
        yield Evidence(name, "part of a date", chance, k / n / 0.005, f"{k} of {n}", usual, first_rows(outside))
