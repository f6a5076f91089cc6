"""Deciding from a clean file what each column holds."""

import re
from dataclasses import replace

import numpy as np
import polars as pl

from kilnworks.components.dates.finding import find_dates
from kilnworks.components.dates.numbers import find_number_dates
from kilnworks.components.dates.unread import unread
from kilnworks.components.quality.screening.columns.number_texts import find_formats, likelier, thousands_points
from kilnworks.components.quality.screening.columns.table import Kind, Spec
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.magnitudes import EXACT, INT64_MAX, INT64_MIN
from kilnworks.schemas.number_format import NumberFormat

MISSING_WORDS: frozenset[str] = frozenset(
    [
        "na",
        "n/a",
        "nan",
        "null",
        "none",
        "nil",
        "missing",
        "unknown",
        "undefined",
        "?",
        "-",
        "--",
        ".",
        "#n/a",
        "#na",
        "nat",
        "not",
        "available",
    ]
)
"""Texts that often stand for a missing value, in lower case."""

MOSTLY_MISSING, TOKENS = 0.6, 4
"""A column of numbers has at most this share of texts that mean "missing", and at most this many different ones."""
LEAST_KEYS = 20
"""Fewer different values than this are no key: they may differ by chance."""

_KEY_NAME = re.compile(r"(^|[_\W])(id|key|uuid|guid|nr|no|number|index|idx|code|ref)$|.[a-z]I[dD]$|ID$", re.I)
_TIME_NAME = re.compile(
    r"(^|[_\W])(ts|time|timestamp|datetime|date|epoch|at|ns|us|nanos|micros)$|(Time|At|Timestamp)$", re.I
)
_ZERO_DATE = re.compile(r"0000-00-00([ t]00:00:00)?|00([/.])00\2(00)?00")
_STRICT_KEY_NAME = re.compile(r"(^|[_\W])(id|key|uuid|guid|index|idx|nr|no)$|[a-z]I[dD]$|ID$|^id", re.I)


def describe(name: str, series: pl.Series, decimal: str | None = None) -> Spec:
    """What a column of a clean file holds; ``decimal``: its decimal sign, where a person says so."""
    dtype = series.dtype
    if dtype.is_temporal() and dtype not in (pl.Time, pl.Duration):
        return Spec("datetime")
    if dtype == pl.Duration:
        raise DataUnreadable(f"column {name!r} holds durations", "numbers, texts or dates", "write them as seconds")
    if dtype == pl.Boolean:
        return Spec("category", boolean=True)
    if dtype.is_integer() or (isinstance(dtype, pl.Decimal) and dtype.scale == 0):
        return _number(name, series.cast(pl.Float64), (), series.drop_nulls().cast(pl.String))
    if dtype.is_numeric():
        return _number(name, series.cast(pl.Float64), ())
    return _from_text(name, series.cast(pl.String), decimal)


def _from_text(name: str, series: pl.Series, decimal: str | None) -> Spec:
    filled = series.drop_nulls()
    filled = filled.filter(filled != "")
    if filled.len() == 0:
        return Spec("category")
    values = filled.cast(pl.Float64, strict=False)
    odd = filled.filter(values.is_null() | values.is_nan())
    tokens = _tokens(odd, filled.len())
    if tokens is not None:
        return _plain_numbers(name, filled, values, tokens, decimal)
    words = tuple(sorted({w for w in filled.unique().to_list() if _is_absent(w)}))
    dates = find_dates(name, series.set(series.is_in(["", *words]).fill_null(False), None))
    if dates is not None:
        how = dates.how
        return Spec("datetime", date_format=how.format, tokens=words, first_year=how.first_year, rivals=dates.rivals,
                    by_order=dates.by_order)  # fmt: skip
    real = filled.filter(~filled.is_in(list(words))) if words else filled
    if len(words) <= TOKENS and real.len() >= (1 - MOSTLY_MISSING) * filled.len():
        formats = [form for form in find_formats(real).formats if decimal in (None, form.decimal)]
        if formats:
            return _written(name, real, words, formats)
    boolean = _is_boolean(filled)
    kind = _text_kind(name, filled)
    if kind == "key" and unread(filled):
        kind = "text"
    return Spec(kind, boolean=boolean, capital=not boolean or str(filled[0])[0].isupper())


def _is_absent(text: str) -> bool:
    """Whether a text often stands for a missing value; also the dates of zeros that MySQL writes."""
    plain = text.strip().lower()
    return plain in MISSING_WORDS or bool(_ZERO_DATE.fullmatch(plain))


def _tokens(odd: pl.Series, rows: int) -> tuple[str, ...] | None:
    """The few texts that mean missing in a column of numbers; None where the column is not one of numbers."""
    unlike = odd.filter(odd.is_in(["inf", "-inf"]).not_())
    kinds = unlike.unique().to_list()
    if unlike.len() > MOSTLY_MISSING * rows or len(kinds) > TOKENS:
        return None
    plausible = all(not w.strip() or w.strip().lower() in MISSING_WORDS for w in kinds)
    return tuple(sorted(kinds)) if plausible else None


def _plain_numbers(
    name: str, filled: pl.Series, values: pl.Series, tokens: tuple[str, ...], decimal: str | None
) -> Spec:
    """Numbers written as 1234.5, unless every point may stand between thousands and a person says so."""
    real = filled.filter(~filled.is_in(list(tokens))) if tokens else filled
    other = thousands_points(real)
    if other is not None and decimal == ",":
        return _written(name, real, tokens, [other])
    spec = _number(name, values.filter(values.is_not_null()), tokens, filled)
    if other is None or decimal == "." or spec.kind != "number":
        return spec
    likely = likelier(real, [NumberFormat(), other])
    return replace(spec, other=other) if likely[0] == NumberFormat() else _written(name, real, tokens, likely)


def _written(name: str, real: pl.Series, tokens: tuple[str, ...], formats: list[NumberFormat]) -> Spec:
    """Numbers in a format of their own, the likeliest of those that read every value."""
    form, *others = likelier(real, formats)
    plain = form.plain(real)
    spec = _number(name, plain.cast(pl.Float64), tokens, plain)
    if spec.kind not in ("number", "key"):
        return spec
    return replace(spec, tokens=tokens, number=form, other=others[0] if others else None)


def _number(name: str, values: pl.Series, tokens: tuple[str, ...], written: pl.Series | None = None) -> Spec:
    """A column of numbers; ``written``: the same as text, where the digits are known exactly."""
    present = values.drop_nulls().drop_nans()
    if present.len() == 0:
        return Spec("number", tokens=tokens)
    dates = find_number_dates(name, present)
    if dates is not None:
        return Spec("datetime", date_format=dates.format, tokens=tokens)
    integer = bool((present % 1 == 0).all())
    if written is not None and integer and _leading_zeros(written):
        return Spec(_text_kind(name, written))
    if integer and float(present.abs().max()) >= EXACT:  # type: ignore[arg-type]
        return _long(name, present, tokens, written, whole=present.len() == values.len())
    if integer and present.len() == values.len() and present.n_unique() == present.len() and _is_counter(name, present):
        return Spec("key", integer=True, tokens=tokens)
    return Spec("number", integer=integer, tokens=tokens)


def _long(name: str, present: pl.Series, tokens: tuple[str, ...], written: pl.Series | None, *, whole: bool) -> Spec:
    """Whole numbers that float64 does not tell apart: names where most are so long, amounts or moments otherwise.

    ``whole``: no value is missing.
    """
    digits = written.filter(~written.is_in(list(tokens))) if written is not None else None
    if digits is None or not bool(digits.str.contains(r"^[+-]?\d+$").all()):
        return Spec("number", tokens=tokens)
    exact = digits.cast(pl.Int128, strict=False)
    fits = exact.null_count() == 0 and bool(exact.is_between(INT64_MIN, INT64_MAX).all())
    mostly = float((present.abs() >= EXACT).mean() or 0) > 0.5  # type: ignore[arg-type]
    if not mostly or _TIME_NAME.search(name):
        return Spec("number", integer=fits, tokens=tokens)
    if whole and digits.n_unique() == digits.len() >= LEAST_KEYS:
        return Spec("key", integer=fits, tokens=tokens)
    kind = _text_kind(name, digits)
    return Spec("text" if kind == "key" else kind, integer=fits, tokens=tokens)


def _leading_zeros(texts: pl.Series) -> bool:
    """Codes such as 00123 are texts, not numbers."""
    return bool(texts.str.contains(r"^0\d").any())


def _is_counter(name: str, present: pl.Series) -> bool:
    """Unique whole numbers are a key when the name says so or when they count up without large gaps."""
    if present.len() < LEAST_KEYS:
        return False
    span = float(present.max()) - float(present.min()) + 1  # type: ignore[arg-type]
    dense = span <= present.len() * 1.5
    return bool(_STRICT_KEY_NAME.search(name)) or (dense and present.len() >= 50)


def _is_boolean(texts: pl.Series) -> bool:
    return set(texts.unique().str.to_lowercase().to_list()) == {"true", "false"}


def _coded(filled: pl.Series) -> bool:
    """Whether unique texts look like codes: digits in nearly all, lengths alike, and no amounts."""
    lengths = filled.str.len_chars()
    steady = float(np.std(lengths.to_numpy())) <= max(1.0, 0.15 * float(lengths.mean() or 0))  # type: ignore[arg-type]
    digits = float(filled.str.contains(r"\d").mean() or 0)  # type: ignore[arg-type]
    amounts = float(filled.str.contains(r"^\W*\d+([.,]\d+)*\W*$").mean() or 0)  # type: ignore[arg-type]
    plain = float(filled.str.contains(r"^\d+$").mean() or 0)  # type: ignore[arg-type]
    return steady and digits > 0.9 and (amounts < 0.5 or plain > 0.99)


def _names_rows(name: str, filled: pl.Series) -> bool:
    """Whether unique texts are a key: the name says so, or they look like codes that cannot be unique by chance."""
    if _STRICT_KEY_NAME.search(name):
        return True
    likely = bool(_KEY_NAME.search(name)) or (filled.len() >= 50 and _coded(filled))
    return likely and _by_design(filled)


def _by_design(filled: pl.Series) -> bool:
    """Whether unique texts are so on purpose, and not for their small number, as times of day in sixty rows are.

    Texts with so many signs at each place, drawn at random, would repeat often, or hardly ever even in later files.
    """
    places = int(filled.str.len_chars().max() or 0)  # type: ignore[arg-type]
    signs = filled.str.slice(0, 1).n_unique() * np.prod(
        [float(filled.str.slice(i, 1).n_unique()) for i in range(1, min(places, 40))]
    )
    repeats = filled.len() ** 2 / 2 / max(float(signs), 1.0)
    return repeats > 10 or repeats < 0.001


def _text_kind(name: str, filled: pl.Series) -> Kind:
    rows, distinct = filled.len(), filled.n_unique()
    spaces = float(filled.str.contains(r"\S\s+\S").mean() or 0)  # type: ignore[arg-type]
    if distinct == rows >= 20 and spaces < 0.05 and _names_rows(name, filled):
        return "key"
    if distinct <= 30 or (distinct <= 0.5 * rows and (spaces < 0.5 or distinct <= 0.2 * rows)):
        return "category" if distinct <= 0.9 * rows or distinct <= 5 else "text"
    return "text"
