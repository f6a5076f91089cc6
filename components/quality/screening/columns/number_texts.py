"""Finding how the numbers of a text column are written: marks, unit, ways of a negative number.

Every format that reads *all* values is a reading; where two of them give different numbers the column is ambiguous.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from kilnworks.schemas.number_format import APOSTROPHES, BLANKS, MINUS, NumberFormat, ascii_digits
from kilnworks.schemas.words import shown

_CURRENCIES = """
USD EUR GBP JPY CHF CNY INR AUD CAD NZD SGD HKD SEK NOK DKK ISK PLN CZK HUF RON BGN TRY RUB UAH BRL MXN ARS CLP COP PEN
ZAR EGP NGN KES MAD ILS AED SAR QAR KWD THB IDR MYR PHP VND KRW TWD PKR LKR BDT
kr kr. Kr Kr. Rs Rs. Fr. SFr. zł Kč Ft lei Lei din RM R Rp DM 元 円
US$ C$ A$ CA$ AU$ NZ$ HK$ S$ R$ NT$ Mex$ CN¥
"""
CURRENCIES = frozenset(_CURRENCIES.split())
"""Words for currencies besides single signs such as $ and €."""
_UNITS = """
% ‰ pct bp bps ° °C °F K kg g mg µg μg t lb lbs oz st m cm mm km µm μm nm mi ft in yd m2 m²
cm2 cm² km2 km² ha ac sqm sqft sf m3 m³ cm3 cm³ l L ml mL cl hl gal cc s sec secs ms µs ns min mins h hr hrs
d w wk y yr yrs B kB KB MB GB TB Hz kHz MHz GHz W kW MW GW Wh kWh MWh V kV mV A mA mAh J kJ MJ cal kcal N kN Nm
Pa hPa kPa MPa bar mbar psi mph kmh km/h m/s kph kt kn rpm hp PS bhp CV px pt dpi dB mol ppm ppb x k M Mio bn
kmpl km/kg mpg g/km l/100km mg/dl mmol/l mmHg
"""
UNITS = frozenset(_UNITS.split())
"""Units that may stand right behind a number; others stand behind a blank."""

BARE = 3
"""So many numbers without a mark, beside others that have three digits behind it, speak for thousands."""
LIKE_NUMBERS = 0.9
"""Share of the values from which on a column that cannot be read as numbers is worth a word."""
_MARKS = (
    NumberFormat(),
    NumberFormat(decimal=","),
    NumberFormat(thousands=","),
    NumberFormat(thousands=",", lakhs=True),
    NumberFormat(thousands=".", decimal=","),
    NumberFormat(thousands=" "),
    NumberFormat(thousands=" ", decimal=","),
    NumberFormat(thousands="'"),
    NumberFormat(thousands="'", decimal=","),
    NumberFormat(thousands="_"),
)
_SIGNS = {" ": BLANKS, "'": APOSTROPHES}
_BETWEEN = f"{BLANKS}{APOSTROPHES}.,_"
_SHAPE = (
    rf"^(?P<before>[(+{MINUS}\s]*)(?P<prefix>(?:\p{{L}}*\p{{Sc}}|\p{{L}}+\.?)?)(?P<between>[(+{MINUS}\s]*)"
    rf"(?P<digits>[.,]?\d(?:[\d{_BETWEEN}]*\d)?[.,]?(?:[eE][+{MINUS}]?\d+)?)(?P<inside>[){MINUS}]*)(?P<blank>\s*)"
    r"(?P<suffix>(?:[\p{L}%\u2030\u00b0\p{Sc}][\p{L}\p{N}%\u00b0\p{Sc}/.\u00b2\u00b3 ]*)?)"
    rf"(?P<after>[){MINUS}\s]*)$"
)


@dataclass(frozen=True)
class Reading:
    """What was found out about the texts of a column.

    Attributes:
        formats: each reads all values; more than one where they give different numbers.
        problem: why values that look like numbers are none, in words; empty where they do not look so.
    """

    formats: tuple[NumberFormat, ...] = ()
    problem: str = ""


def find_formats(texts: pl.Series) -> Reading:
    """How the numbers are written.

    Args:
        texts: the values that are there [n], without words for missing ones.
    """
    kinds = ascii_digits(texts.str.strip_chars()).unique().sort()
    parts = _parts(kinds.gather_every(max(1, len(kinds) // 500)))
    if parts.height == 0 or float(parts["digits"].is_not_null().mean() or 0) < LIKE_NUMBERS:  # type: ignore[arg-type]
        return Reading()
    parts = _parts(kinds)
    known = parts.filter(pl.col("digits").is_not_null())
    if known["digits"].str.contains(r"^0\d").any():
        return Reading()
    units = _units(known)
    if units is None:
        return Reading()
    if len(units) > 1:
        return Reading(problem=_several(units, texts))
    found = [replace_format(form, units[0], way) for form in _MARKS for way in _ways(known)]
    return _reading(kinds, [form for form in found if _has_its_marks(form, known["digits"])], texts)


def replace_format(form: NumberFormat, unit: str, negative: str) -> NumberFormat:
    """The marks of a format with a unit and a way of writing negative numbers."""
    return NumberFormat.model_validate({**form.model_dump(), "unit": unit, "negative": negative})


def _parts(texts: pl.Series) -> pl.DataFrame:
    """What stands before, in and behind the digits; null where a text does not look like a number."""
    return texts.to_frame("text").select("text", pl.col("text").str.extract_groups(_SHAPE).alias("p")).unnest("p")


def _units(known: pl.DataFrame) -> list[str] | None:
    """The different units, "" for none; None where a text beside the digits is no unit."""
    pairs = known.select("prefix", "suffix", apart=pl.col("blank") != "").unique()
    found = set()
    suffixes = {suffix.strip() for _, suffix, _ in pairs.iter_rows()}
    for prefix, behind, apart in pairs.iter_rows():
        suffix = behind.strip()
        if prefix and (suffix or not _currency(prefix)):
            return None
        likely = suffix in UNITS or _currency(suffix) or (apart and len(suffixes) == 1)
        if suffix and not likely:
            return None
        found.add(prefix or suffix)
    return sorted(found)


def _currency(text: str) -> bool:
    return text in CURRENCIES or bool(re.fullmatch("[$\u00a2-\u00a5\u20a0-\u20c0\u0e3f\ufdfc]", text))


def _several(units: Sequence[str], texts: pl.Series) -> str:
    """Values with different units, or with and without one, each with an example."""
    parts = _parts(texts.str.strip_chars())
    named = parts.with_columns(unit=(pl.col("prefix") + pl.col("suffix").str.strip_chars()))
    counts = named.group_by("unit", maintain_order=True).agg(pl.len().alias("rows"), pl.col("text").first())
    counts = counts.sort("rows", descending=True, maintain_order=True)
    words = [f"{rows:,} like {shown(text)}" for _, rows, text in counts.drop_nulls().head(4).iter_rows()]
    what = "with and without a unit" if "" in units else "in several units"
    return f"numbers {what}: {', '.join(words)}"


def _ways(known: pl.DataFrame) -> Iterator[str]:
    """The ways of writing negative numbers that occur besides a minus sign before them."""
    if known.select(pl.any_horizontal(pl.col("before", "between").str.contains("(", literal=True)).any()).item():
        yield "()"
    elif known.select(pl.any_horizontal(pl.col("inside", "after").str.contains(f"[{MINUS}]")).any()).item():
        yield "5-"
    else:
        yield "-"


def _has_its_marks(form: NumberFormat, digits: pl.Series) -> bool:
    """Whether the signs of a format occur, so that only formats that matter are tried."""
    marks = [form.thousands] if form.thousands else [","] if form.decimal == "," else []
    return all(bool(digits.str.contains(f"[{re.escape(_SIGNS.get(mark, mark))}]").any()) for mark in marks)


def _reading(kinds: pl.Series, formats: list[NumberFormat], texts: pl.Series) -> Reading:
    """The formats that read everything, without those that give the same numbers as an earlier one."""
    plain = [form.plain(kinds) for form in formats]
    whole = [(form, p.cast(pl.Float64)) for form, p in zip(formats, plain, strict=True) if p.null_count() == 0]
    kept: list[tuple[NumberFormat, pl.Series]] = []
    for form, values in whole:
        if not any(values.equals(other) for _, other in kept):
            kept.append((form, values))
    if kept or not plain:
        return Reading(tuple(form for form, _ in kept))
    unread = kinds.filter(pl.Series(pl.select(pl.all_horizontal([p.is_null() for p in plain])).to_series()))
    best = max(formats, key=lambda form: -form.plain(texts).null_count())
    odd = texts.filter(best.plain(texts).is_null())
    if len(unread) > (1 - LIKE_NUMBERS) * len(kinds):
        return Reading()
    examples = ", ".join(map(shown, odd.unique(maintain_order=True).head(3)))
    return Reading(problem=f"{len(texts) - len(odd):,} numbers like {best}, and {len(odd):,} otherwise: {examples}")


def thousands_points(texts: pl.Series) -> NumberFormat | None:
    """For numbers that all read as 1234.5: the format in which every point stands between thousands, if that is one."""
    pointed = texts.str.contains(".", literal=True)
    if not pointed.any():
        return None
    form = NumberFormat(thousands=".", decimal=",")
    return form if form.plain(texts).null_count() == texts.null_count() else None


def likelier(texts: pl.Series, formats: Sequence[NumberFormat]) -> list[NumberFormat]:
    """The formats, the likeliest first. Where no value decides, this is a guess that a person has to confirm.

    Groups of three digits behind commas are rather thousands; behind points only where whole numbers without one occur
    beside them, while a decimal point would be followed by one or two digits somewhere.
    """
    grouped = [form for form in formats if form.thousands]
    if len(formats) < 2 or not grouped:
        return list(formats)
    bare = int((~texts.str.contains(re.escape(grouped[0].thousands))).sum())
    first = grouped if grouped[0].thousands != "." or bare >= BARE else [f for f in formats if not f.thousands]
    return [*first, *(form for form in formats if form not in first)]
