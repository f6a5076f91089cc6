"""The numbers and categories that a table gives to the tests: its columns and what is derived from each alone."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.table import Kind, Table

Floats = NDArray[np.float64]

MASK = ((r"[A-Z]+", "A"), (r"[a-z]+", "a"), (r"[0-9]+", "9"), (r"[^\x00-\x7F]+", "\u00a4"), (r"\s+", " "))
"""How a text becomes its outline: runs of letters, digits, other letters and blanks shrink to one sign each."""


@dataclass(frozen=True)
class Numbers:
    """Numbers to compare: ``column`` they belong to, ``what`` they are in words, values [n] with NaN = none."""

    column: str
    what: str
    values: Floats


@dataclass(frozen=True)
class Categories:
    """Categories to compare: ``column`` they belong to, ``what`` they are in words, texts [n] with null = none.

    ``open``: values never seen before are normal (their share is compared), as in outlines of free text.
    """

    column: str
    what: str
    values: pl.Series
    open: bool = False


def number_views(table: Table, moving: Collection[str] = ()) -> Iterator[Numbers]:
    """Numbers, moments and text lengths; of columns that are ``moving`` on from file to file none."""
    for name in _still(table, "number", moving):
        yield Numbers(name, "values", table.numbers(name))
    for name in _still(table, "datetime", moving):
        yield Numbers(name, "dates", table.numbers(name))
    for name in _still(table, "text", moving):
        lengths = table.texts(name).str.len_chars().cast(pl.Float64).to_numpy()
        yield Numbers(name, "text lengths", lengths.astype(float))


def _still(table: Table, kind: Kind, moving: Collection[str]) -> list[str]:
    return [n for n in table.names(kind) if n not in moving]


def category_views(
    table: Table, stream: str | None, moving: Collection[str] = (), drifting: Collection[str] = ()
) -> Iterator[Categories]:
    """Categories, decimals and last digits, outlines of texts, hours and weekdays (not of a ``stream``: it goes on).

    Of columns that are ``moving`` on from file to file none but outlines and clock; of these and of numbers that are
    ``drifting`` with time the decimals, but no digits of whole numbers.
    """
    for name in _still(table, "category", moving):
        yield Categories(name, "categories", table.texts(name))
    for name in table.names("number"):
        if table.specs[name].integer and (name in moving or name in drifting):
            continue
        yield Categories(name, "digits", _digits(table.numbers(name), table.specs[name].integer), open=True)
    for name in table.names("key", "text"):
        yield Categories(name, "outline of the text", outlines(table.texts(name)), open=True)
    for name in table.names("datetime"):
        yield from _clock(name, table.numbers(name), name == stream)


def outlines(texts: pl.Series) -> pl.Series:
    """The outline of each text, at most 40 signs long: ``"AB-1234 x"`` becomes ``"A-9 a"``."""
    outline = pl.col("text")  # not its own name: one with signs of a pattern would stand for several columns
    for pattern, sign in MASK:
        outline = outline.str.replace_all(pattern, sign)
    return texts.alias("text").to_frame().select(outline.str.slice(0, 40)).to_series().alias(texts.name)


def _digits(values: Floats, integer: bool) -> pl.Series:
    """Number of decimals of each value (``.0`` to ``.7``), or for whole numbers the last digit or trailing zeros."""
    labels = _whole_digits(values) if integer else _decimals(values)
    return pl.Series(labels, dtype=pl.Int16).cast(pl.String)


def _decimals(values: Floats) -> pl.Series:
    places = np.full(values.size, 7, np.int16)
    left = np.flatnonzero(~np.isnan(values))
    places[np.isnan(values)] = -1
    for digits in range(7):
        scaled = values[left] * 10.0**digits
        hit = np.abs(scaled - np.rint(scaled)) <= np.maximum(1e-7, 4e-15 * np.abs(scaled))
        places[left[hit]] = digits
        left = left[~hit]
    return _nullable(places)


def _whole_digits(values: Floats) -> pl.Series:
    """1 to 9: last digit; 10, 20, 30: one, two, three or more trailing zeros; 0: the number nought."""
    known = ~np.isnan(values)
    whole = np.where(known, np.clip(np.abs(values), 0, 9e18), 0).astype(np.int64)
    code = (whole % 10).astype(np.int16)
    for zeros in (1, 2, 3):
        code[(whole % 10**zeros == 0) & (whole != 0)] = 10 * zeros
    code[~known] = -1
    return _nullable(code)


def _nullable(codes: NDArray[np.int16]) -> pl.Series:
    series = pl.Series(codes)
    return series.set(series == -1, None)


def _times_of(seconds: NDArray[np.int64], known: NDArray[np.bool_]) -> dict[str, NDArray[np.int64]]:
    """Hour and weekday, each where the file lasts long enough: in a file of two days five weekdays must be missing."""
    lasted = int(np.ptp(seconds[known])) if known.any() else 0
    parts = {"hour of the day": (seconds % 86400 // 3600, 2), "weekday": ((seconds // 86400 + 3) % 7, 14)}
    return {what: values for what, (values, days) in parts.items() if lasted >= days * 86400}


def _clock(name: str, seconds: Floats, stream: bool) -> Iterator[Categories]:
    known = ~np.isnan(seconds)
    whole = np.where(known, seconds, 0).astype(np.int64)
    second_of_day = whole % 86400
    grain = np.select([second_of_day == 0, second_of_day % 3600 == 0, second_of_day % 60 == 0], [0, 1, 2], 3)
    parts = {"time grain": grain}
    if not stream:
        parts |= _times_of(whole, known)
    for what, values in parts.items():
        codes = np.where(known, values, -1).astype(np.int16)
        yield Categories(name, what, _nullable(codes).cast(pl.String), open=True)
