"""What the columns of a clean file hold, all of them together: one may tell how another's numbers are written."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from kilnworks.components.quality.screening.columns.kinds import describe
from kilnworks.components.quality.screening.columns.like_dates import with_like_dates
from kilnworks.components.quality.screening.columns.number_texts import BARE, find_formats
from kilnworks.components.quality.screening.columns.table import Spec
from kilnworks.components.quality.screening.files.reading import FileFacts
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.number_format import NumberFormat
from kilnworks.schemas.words import named, shown

PLAIN = NumberFormat()


def describe_columns(
    frame: pl.DataFrame, decimals: Mapping[str, str] | None = None, delimiter: str = ""
) -> dict[str, Spec]:
    """What each column holds.

    Args:
        frame: all rows, texts as they are written.
        decimals: the decimal sign of columns, ``,`` or ``.``, where a person says it.
        delimiter: between the fields of the file; semicolons come with decimal commas.

    Raises:
        UnknownName: ``decimals`` names a column that is not there.
        ConfigError: a column is not written with the decimal sign that is said.
    """
    said = dict(decimals or {})
    for name in said:
        if name not in frame.columns:
            raise UnknownName("column", name, frame.columns)
    specs = {name: describe(name, frame[name], said.get(name)) for name in frame.columns}
    for name, decimal in said.items():
        _refuse_unfit(frame[name], specs[name], decimal)
    sure: set[str] = {form.decimal for form in _sure(frame, specs)}
    for name, spec in specs.items():
        if spec.other is not None:
            likely = _likely(spec, frame[name], sure, delimiter)
            if likely != (spec.number or PLAIN):
                turned = describe(name, frame[name], likely.decimal)
                specs[name] = replace(turned, other=spec.number or PLAIN)
    return with_like_dates(specs)


def describe_read(frame: pl.DataFrame, facts: FileFacts, decimals: Mapping[str, str] | None = None) -> dict[str, Spec]:
    """``describe_columns`` of a file as ``read_file`` gives it."""
    return describe_columns(frame, decimals, facts.text.delimiter if facts.format == "csv" else "")


def parse_decimals(options: list[str]) -> dict[str, str]:
    """``["price=,"]`` as ``{"price": ","}``.

    Raises:
        ConfigError: it is not written so.
    """
    found = {}
    for option in options:
        name, equals, sign = option.rpartition("=")
        if not equals or not name or sign not in (".", ","):
            raise ConfigError(f"--decimal {option}", "COLUMN=, or COLUMN=.", "for example --decimal price=,")
        found[name] = sign
    return found


def _refuse_unfit(series: pl.Series, spec: Spec, decimal: str) -> None:
    form = spec.number or PLAIN
    if spec.kind not in ("number", "key") or (form.decimal != decimal and _has_marks(series)):
        problem = find_formats(series.cast(pl.String).drop_nulls()).problem
        examples = ", ".join(map(shown, series.drop_nulls().head(3)))
        raise ConfigError(
            f"--decimal {named(series.name)}={decimal}: the column holds {problem or examples}",
            f"numbers with {'a comma' if decimal == ',' else 'a point'} before the fraction",
            "leave the option out, or correct the values",
        )


def _has_marks(series: pl.Series) -> bool:
    return series.dtype == pl.String and bool(series.str.contains("[.,]").any())


def _sure(frame: pl.DataFrame, specs: Mapping[str, Spec]) -> Iterator[NumberFormat]:
    """Text columns of numbers that can be read in one way only, and have a fraction."""
    for name, spec in specs.items():
        if spec.kind == "number" and spec.other is None and not spec.integer and frame.schema[name] == pl.String:
            yield spec.number or PLAIN


def _likely(spec: Spec, series: pl.Series, sure: set[str], delimiter: str) -> NumberFormat:
    """The likelier reading of an ambiguous column.

    Whole numbers without a mark speak for thousands, then fractions of other columns, then the delimiter.
    """
    first, other = spec.number or PLAIN, spec.other
    assert other is not None
    by_decimal: dict[str, NumberFormat] = {first.decimal: first, other.decimal: other}
    bare = int((~series.drop_nulls().str.contains("[.,]")).sum())
    if bare >= BARE or len(by_decimal) < 2:
        return first
    if len(sure) == 1:
        return by_decimal[next(iter(sure))]
    return by_decimal[","] if delimiter == ";" and not sure else first
