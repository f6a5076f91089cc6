"""What a person should know about how values are written: numbers, and values that look alike."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping

import polars as pl

from kilnworks.components.quality.screening.columns.kinds import MISSING_WORDS
from kilnworks.components.quality.screening.columns.lookalikes import alike
from kilnworks.components.quality.screening.columns.number_texts import find_formats
from kilnworks.components.quality.screening.columns.table import Spec
from kilnworks.components.starting.label import FEW
from kilnworks.components.starting.recipe import Decision
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.number_format import NumberFormat
from kilnworks.schemas.words import listed, named, shown

PLAIN = NumberFormat()
MANY_LEVELS = 10_000
"""Categories with more values than this are not compared with one another."""
NAMED = 4
WHOLE = r"^[+-]?\d{16,38}$"
"""Texts of whole numbers that float64 may round, and Int128 does not."""


def spelling_decisions(
    frame: pl.DataFrame, specs: Mapping[str, Spec], label: str | None, used: Collection[str]
) -> list[Decision]:
    """Number formats that were found, columns that could be read in two ways, and values that look alike.

    Args:
        frame: all rows, in the types of the file.
        specs: what each column holds.
        label: the column to be predicted; None where there is none.
        used: features, label and time; others are left out anyway.
    """
    kept = {n: specs[n] for n in frame.columns if n in used}
    return [
        *_converted(frame, kept),
        *_ambiguous(frame, kept),
        *(d for n, s in kept.items() if s.kind == "number" and not s.integer for d in _rounded(frame[n], s)),
        *(d for n in frame.columns for d in _nearly_numbers(frame[n], specs[n])),
        *(d for n, s in kept.items() if s.kind in ("category", "text") for d in _alike(frame[n])),
        *_alike_names(frame.columns),
        *(_class_words(frame[label], specs[label]) if label is not None else ()),
    ]


def refuse_broken_numbers(series: pl.Series, spec: Spec) -> None:
    """Raise where a label is nearly one of numbers and cannot be read as such: its texts are no classes.

    Raises:
        ConfigError: naming the values.
    """
    texts = _filled(series) if series.dtype == pl.String else None
    if texts is None or spec.kind not in ("category", "text", "key") or texts.n_unique() <= FEW:
        return
    problem = _problem(series)
    if problem:
        raise ConfigError(
            f"label {named(series.name)} holds {problem}",
            "numbers that are all written in the same way and unit, or classes",
            "write the values in one way, or name another --label",
        )


def _converted(frame: pl.DataFrame, specs: Mapping[str, Spec]) -> Iterator[Decision]:
    """One line for each format besides plain numbers, with an example from each of a few columns."""
    groups: dict[NumberFormat, list[str]] = {}
    for name, spec in specs.items():
        if spec.number is not None and spec.other is None:
            groups.setdefault(spec.number, []).append(name)
    for form, names in groups.items():
        examples = "; ".join(_example(frame[n], form) for n in names[:NAMED])
        why = f"the unit {form.unit} changes no value" if form.unit else ""
        yield Decision("numbers", f"{listed(names)}: written like {form} ({examples})", why)


def _ambiguous(frame: pl.DataFrame, specs: Mapping[str, Spec]) -> Iterator[Decision]:
    """Columns of which every value can be read in two ways: both readings, and how to choose the other."""
    groups: dict[tuple[NumberFormat, NumberFormat], list[str]] = {}
    for name, spec in specs.items():
        if spec.other is not None:
            groups.setdefault((spec.number or PLAIN, spec.other), []).append(name)
    for (form, other), names in groups.items():
        first = frame[names[0]]
        text = _telling(first, form, other)
        choice = f"{listed(names)}: {shown(text)} is read as {_value(text, form)} and may be {_value(text, other)}"
        option = _option(names[0], other)
        why = (
            f"no value decides: from {_span(first, form)}, or from {_span(first, other)}; to choose the other: {option}"
        )
        yield Decision("numbers?", choice, why, flagged=True)


def _rounded(series: pl.Series, spec: Spec) -> Iterator[Decision]:
    """Whole numbers that no int64 column holds beside the others: which digits float64 drops, and what keeps them."""
    digits = _filled(series) if series.dtype == pl.String else series.drop_nulls()
    if digits.dtype == pl.String:
        digits = spec.number.plain(digits) if spec.number is not None else digits
        digits = digits.filter(digits.str.contains(WHOLE).fill_null(False))
    if digits.dtype.is_float():
        return
    whole = digits.cast(pl.Int128, strict=False)
    lost = whole.filter((whole.cast(pl.Float64).cast(pl.Int128, strict=False) != whole).fill_null(False))
    if lost.len():
        first = lost[0]
        choice = (
            f"{named(series.name)}: {lost.len():,} whole numbers such as {first} are rounded, to {int(float(first))}"
        )
        why = "read as float64, which keeps 15 digits; where they are codes, declare the column `dtype: string`"
        yield Decision("numbers?", choice, why, flagged=True)


def hidden_decisions(specs: Mapping[str, Spec]) -> Iterator[Decision]:
    """Columns that can be read in two ways and whose values must not be shown."""
    for name, spec in specs.items():
        if spec.other is not None:
            form = spec.number or PLAIN
            why = f"no value decides between this and {spec.other}; to choose the other: {_option(name, spec.other)}"
            yield Decision("numbers?", f"{named(name)}: read as numbers like {form}", why, flagged=True)


def _option(name: str, form: NumberFormat) -> str:
    return f"--decimal {shlex.quote(f'{name}={form.decimal}')}"


def _nearly_numbers(series: pl.Series, spec: Spec) -> Iterator[Decision]:
    """A text column that holds numbers nearly everywhere, or numbers in several units."""
    if series.dtype != pl.String or spec.kind not in ("category", "text") or _filled(series).n_unique() <= FEW:
        return
    problem = _problem(series)
    if problem:
        yield Decision(
            "numbers?", f"{named(series.name)}: {problem}", "taken for texts; write them in one way", flagged=True
        )


def _problem(series: pl.Series) -> str:
    texts = _filled(series)
    return find_formats(texts.filter(~texts.str.strip_chars().str.to_lowercase().is_in(sorted(MISSING_WORDS)))).problem


def _alike(series: pl.Series) -> Iterator[Decision]:
    """Values of a category that look the same."""
    if series.dtype != pl.String or series.n_unique() > MANY_LEVELS:
        return
    counts = dict(series.alias("value").value_counts().drop_nulls().iter_rows())
    groups = alike(counts)
    if groups:
        shows = "; ".join(" and ".join(f"{shown(v)} ({counts[v]:,} rows)" for v in group) for group in groups[:NAMED])
        more = f"; and {len(groups) - NAMED} more" if len(groups) > NAMED else ""
        why = "different values to the model; where they mean the same, write them the same way in the data"
        yield Decision("alike?", f"{named(series.name)}: {shows}{more}", why, flagged=True)


def _alike_names(names: list[str]) -> Iterator[Decision]:
    """Names of columns that look the same."""
    for group in alike(names):
        choice = f"{' and '.join(shown(name) for name in group)} are different columns"
        why = "Spark and most databases take names that differ in capitals for one; rename all but one of them"
        yield Decision("names?", choice, why, flagged=True)


def _class_words(series: pl.Series, spec: Spec) -> Iterator[Decision]:
    """Classes whose name usually means that a value is missing."""
    if series.dtype != pl.String or spec.kind == "number":
        return
    words = [v for v in _classes(series) if v.strip().lower() in MISSING_WORDS]
    for word in sorted(words):
        rows = int((series == word).sum())
        why = f"{rows:,} rows; where it means that the label is missing, leave the field empty"
        yield Decision("class?", f"{shown(word)} is a class of {named(series.name)}", why, flagged=True)


def _classes(series: pl.Series) -> list[str]:
    from kilnworks.components.quality.contracts.infer_rules import absent_classes

    absent = absent_classes(series)
    return [v for v in _filled(series).unique().to_list() if v not in absent]


def _filled(series: pl.Series) -> pl.Series:
    texts = series.drop_nulls()
    return texts.filter(texts.str.strip_chars() != "")


def _example(series: pl.Series, form: NumberFormat) -> str:
    """A value that shows what the format does, and its number."""
    texts = _filled(series)
    plain = texts.cast(pl.Float64, strict=False).is_null() & form.plain(texts).is_not_null()
    text = str((texts.filter(plain) if plain.any() else texts)[0])
    return f"{shown(text)} is {_value(text, form)}"


def _telling(series: pl.Series, form: NumberFormat, other: NumberFormat) -> str:
    """A value that is another number in each reading."""
    texts = _filled(series)
    return str(texts.filter(form.plain(texts).cast(pl.Float64) != other.plain(texts).cast(pl.Float64))[0])


def _value(text: str, form: NumberFormat) -> str:
    (plain,) = form.plain(pl.Series([text]))
    return f"{float(plain):.15g}"


def _span(series: pl.Series, form: NumberFormat) -> str:
    values = form.plain(series).cast(pl.Float64).drop_nulls().to_numpy()
    return f"{values.min():.15g} to {values.max():.15g}"
