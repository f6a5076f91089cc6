"""Finding out how a column writes its dates, from all values: what only some rows tell decides for the column."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from kilnworks.components.dates.century import first_year
from kilnworks.components.dates.reading import ISO_FORMATS, read_dates
from kilnworks.components.dates.spelling import spellings
from kilnworks.schemas.dates import ISO, DateFormat
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.words import shown

ENOUGH = 0.95
"""Share of the filled values that are read where a column is one of dates; the others are bad rows."""
LOOKED_AT = 200
"""Values from which the candidates come."""
SCREENED = 20_000
"""Values by which candidates are dropped before all values are read."""
LIKELY = 0.8
"""Share of the values looked at that must have the outline of a date."""
EARLIEST = 1000
"""The year from which on four digits are one, but in ISO 8601: `1-0007` is a key with leading zeros."""
YEAR_DAY = ("%Y-%d", "%Y/%d")
"""An order that nobody uses where the values read as ISO 8601."""
MOST = 30
"""Most formats that are tried."""


@dataclass(frozen=True)
class Found:
    """How a column writes its dates.

    Attributes:
        how: the format, with the hundred years of a two-digit year.
        rivals: other formats that read every value as well, each as another day.
        by_order: whether the rows are sorted by this reading and by none of the rivals.
        lost: values that are read in no way, as (row from 0, text).
        unread: how many of them there are.
    """

    how: DateFormat
    rivals: tuple[DateFormat, ...] = ()
    by_order: bool = False
    lost: tuple[tuple[int, str], ...] = ()
    unread: int = 0


def find_dates(name: str, texts: pl.Series, today: date | None = None) -> Found | None:
    """The format of a column of texts; None where it is not one of dates, or writes them in several ways.

    Args:
        name: of the column: a date of birth is not in the future.
        texts: as in the file, in the order of its rows; null where missing.
        today: for two-digit years; by default that of the clock.

    Raises:
        DataUnreadable: some rows have their day first and others their month; both are shown.
    """
    kinds = texts.drop_nulls().unique(maintain_order=True)
    screen = _screened(kinds)
    if not screen:
        return None
    forms = _family(screen)
    read = {form: read_dates(kinds, DateFormat(format=form)) for form in forms[:1]}
    if read[forms[0]].null_count():
        read |= {form: read_dates(kinds, DateFormat(format=form)) for form in forms[1:]}
        forms.sort(key=lambda form: read[form].null_count())
        _refuse_contradiction(name, texts, kinds, {form: read[form] for form in forms})
    unread = kinds.filter(read[forms[0]].is_null())
    if len(unread) > (1 - ENOUGH) * len(kinds):
        return None
    if forms[0] != ISO and int((read[forms[0]].dt.year() < EARLIEST).sum()) > (1 - ENOUGH) * len(kinds):
        return None
    rivals = [form for form in forms[1:] if _reads_as_many(form, kinds, read[forms[0]], screen)]
    best, rivals, by_order = _by_order(texts, _plausible([forms[0], *rivals], kinds))
    lost = texts.is_in(unread.implode()).fill_null(False).arg_true()
    return Found(
        _with_years(name, best, read[forms[0]], today),
        tuple(_with_years(name, form, read[forms[0]], today) for form in rivals),
        by_order,
        tuple((int(row), str(texts[int(row)])) for row in lost.head(3)),
        len(lost),
    )


def _screened(kinds: pl.Series) -> dict[str, pl.Series]:
    """Formats of which many values have the outline, the likely ones first, with some of the values as each reads them.

    The series hold texts: those that the format reads, null for the others.
    """
    looked = pl.concat([kinds.head(LOOKED_AT // 2), kinds.gather_every(max(1, len(kinds) // (LOOKED_AT // 2)))])
    counts: Counter[str] = Counter()
    ranks: dict[str, int] = {}
    written = [spellings(text) for text in looked.unique(maintain_order=True).to_list()]
    if sum(map(bool, written)) < LIKELY * len(written) or not written:
        return {}
    for forms in written:
        for rank, form in enumerate(ISO if form in ISO_FORMATS else form for form in forms):
            counts[form] += 1
            ranks[form] = min(rank, ranks.get(form, rank))
    screen = kinds.gather_every(max(1, len(kinds) // SCREENED))
    found = {}
    for form in sorted(counts, key=lambda form: (ranks[form], -counts[form]))[:MOST]:
        read = screen.set(read_dates(screen, DateFormat(format=form)).is_null(), None)
        if read.null_count() < len(read):
            found[form] = read
    return {
        f: r
        for f, r in found.items()
        if not f.startswith(YEAR_DAY) or ISO not in found or r.null_count() < found[ISO].null_count()
    }


def _family(screen: dict[str, pl.Series]) -> list[str]:
    """The format that reads the most, of several the likeliest, and behind it the others of its skeleton."""
    best = min(screen, key=lambda form: screen[form].null_count())
    return [best, *(f for f in screen if f != best and skeleton(f) == skeleton(best))]


def skeleton(form: str) -> str:
    """What stands between the numbers: formats of one skeleton read the same texts, in another order."""
    return re.sub(r"%[YymdjGVu]", "#", form)


def _reads_as_many(form: str, kinds: pl.Series, best: pl.Series, screen: dict[str, pl.Series]) -> bool:
    """Whether a format reads every value that the best one reads; asked of a few values first."""
    if screen[form].null_count() > min(found.null_count() for found in screen.values()):
        return False
    return bool((read_dates(kinds, DateFormat(format=form)).is_not_null() | best.is_null()).all())


def _refuse_contradiction(name: str, texts: pl.Series, kinds: pl.Series, read: dict[str, pl.Series]) -> None:
    """Raise where the first format and another of its skeleton read the values only together."""
    (best, mine), *others = read.items()
    for form, its in others:
        only_best, only_other = (
            kinds.filter(its.is_null() & mine.is_not_null()),
            kinds.filter(mine.is_null() & its.is_not_null()),
        )
        lost = int((mine.is_null() & its.is_null()).sum())
        if len(only_best) and len(only_other) and lost <= (1 - ENOUGH) * len(kinds):
            raise _contradiction(name, texts, {best: only_best[0], form: only_other[0]})


def _contradiction(name: str, texts: pl.Series, examples: dict[str, str]) -> DataUnreadable:
    rows = [int((texts == text).fill_null(False).arg_max() or 0) for text in examples.values()]
    told = [
        f"row {row + 1} ({shown(str(texts[row]))}) can only be {form}" for row, form in zip(rows, examples, strict=True)
    ]
    return DataUnreadable(
        f"column {name!r} writes its dates in two ways: {', '.join(told)}",
        "one order of day, month and year in all rows",
        "write all rows in one way, best as 2024-01-31; rows that read both ways cannot be told apart",
        {"column": name, "formats": list(examples), "rows": rows},
    )


def _plausible(forms: list[str], kinds: pl.Series) -> list[str]:
    """The formats without those whose last two digits are days of few kinds and first two years of many, or so.

    Where the year may stand first or last, it is the one of both that has fewer values.
    """
    if len({form.find("%y") for form in forms}) == 1:
        return forms
    read = {form: read_dates(kinds, DateFormat(format=form)) for form in forms}
    likely = [f for f in forms if read[f].dt.day().n_unique() > read[f].dt.year().n_unique()]
    return likely or forms


def _by_order(texts: pl.Series, forms: list[str]) -> tuple[str, list[str], bool]:
    """The chosen format, the others, and whether the order of the rows chose it."""
    if len(forms) == 1:
        return forms[0], [], False
    tidy = [form for form in forms if _is_sorted(read_dates(texts, DateFormat(format=form)))]
    chosen = tidy[0] if len(tidy) == 1 else forms[0]
    return chosen, [form for form in forms if form != chosen], len(tidy) == 1


def _is_sorted(moments: pl.Series) -> bool:
    filled = moments.drop_nulls()
    return filled.n_unique() >= 8 and (filled.is_sorted() or filled.is_sorted(descending=True))


def _with_years(name: str, form: str, moments: pl.Series, today: date | None) -> DateFormat:
    if "%y" not in form:
        return DateFormat(format=form)
    latest = moments.dt.year().max()
    year = first_year(name, int(latest) if isinstance(latest, int) else 0, today or datetime.now(UTC).date())
    return DateFormat(format=form, first_year=year)
