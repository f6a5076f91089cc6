"""Dates that go on from file to file: by where they lie and by their gaps."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.advance import Advance
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain, suspicious
from kilnworks.components.quality.screening.probes.gaps import learn_gaps, no_gaps
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput, first_rows
from kilnworks.components.quality.stats.pvalues import rate_increase

Floats = NDArray[np.float64]
DAY = 86400.0


def learn_date(batch: ProbeInput, name: str, advance: Advance) -> Learned | None:
    """First and last moment and the longest gap; None where no row has a moment."""
    values = batch.table.numbers(name)
    return learn_gaps(values) if np.isfinite(values).any() else None


def compare_date(kept: Learned, batch: ProbeInput, name: str, advance: Advance) -> Iterator[Evidence]:
    """Whether the moments of a file lie where those of a later, or of the same, period may lie."""
    values = batch.table.numbers(name)
    present = values[~np.isnan(values)]
    if present.size == 0:
        return
    yield from _far_from_all(kept, values, name)
    if name == batch.notes.get("stream"):  # the rest is known by the order of the rows
        return
    yield from _place(kept, values, name)
    if present.size >= 5:
        yield from no_gaps(kept, present, name)


def _place(kept: Learned, values: Floats, name: str) -> Iterator[Evidence]:
    """Before the clean rows, or far behind them."""
    n, span = int(np.isfinite(values).sum()), max(kept["last"] - kept["first"], DAY / 24)
    first, last = kept["first"], kept["last"]
    room = max(0.02 * span, kept["largest_seconds"])
    early = values < first - room
    if early.any():
        yield _strays(
            kept, name, "dates before the first one seen", early, (first - float(np.nanmin(values))) / span, n
        )
    late = np.sort(values[values > last + room])
    if late.size == 0:
        return
    start = (float(np.nanquantile(values, 0.02)) - last) / span
    begins = (float(np.nanmin(values)) - last) / span
    if start > 3 and last > first:
        text = f"the file begins {start * span / DAY:.3g} days behind the last"
        far = start > 20 and start * span > 300 * DAY
        yield (certain if far else suspicious)(name, "dates far behind the last one seen", text, "a continuation")
    elif begins < -0.25 and (late[-1] - last) / span > 0.25 and late.size > 0.05 * n:
        text = f"{late.size / n:.0%} of the rows up to {(late[-1] - last) / DAY:.3g} days behind the last"
        yield suspicious(name, "dates of a period seen and of a later one", text, "one or the other")


def _far_from_all(kept: Learned, values: Floats, name: str) -> Iterator[Evidence]:
    """A few rows far behind all others."""
    n, span = int(np.isfinite(values).sum()), max(kept["last"] - kept["first"], DAY / 24)
    middle = max(kept["last"], float(np.nanmedian(values)))
    alone = _apart(np.sort(values[values > middle]), middle, span)
    if 0 < alone.size < 0.2 * n:
        times = (float(alone[-1]) - middle) / span
        yield _strays(kept, name, "dates far behind all others", values >= alone[0], times, n)


def _apart(late: Floats, begin: float, span: float) -> Floats:
    """The last ones, behind a gap of more than the whole time of the clean rows; none where there is no such gap."""
    beyond = late[late > begin]
    gaps = np.diff(np.concatenate([[begin], beyond]))
    wide = np.flatnonzero(gaps > max(span, 2 * DAY))
    return beyond[wide[0] :] if wide.size else beyond[:0]


def _strays(kept: Learned, name: str, rule: str, flags: NDArray[np.bool_], times: float, n: int) -> Evidence:
    """A few moments out of place: unlikely by their number and by how many times the clean rows' span they are off."""
    k = int(flags.sum())
    chance = rate_increase(k, n, 0, kept["rows"]) - 4 * math.log2(1 + max(times, 0.0))
    text = f"{k} of {n} rows, up to {times * max(kept['last'] - kept['first'], DAY / 24) / DAY:.4g} days off"
    return Evidence(name, rule, chance, k / n / 0.005, text, "moments of the period", first_rows(flags))
