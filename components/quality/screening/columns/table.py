"""A file in columns: what each column holds (``Spec``) and its values in the forms that tests need."""

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.dates import parse_dates
from kilnworks.schemas.dates import ISO, DateFormat
from kilnworks.schemas.magnitudes import EXACT, FLOAT32_MAX
from kilnworks.schemas.number_format import NumberFormat

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Kind = Literal["number", "category", "text", "datetime", "key"]
_IN_CONTRACT = ("number", "other", "rivals", "by_order", "as_in")


@dataclass(frozen=True)
class Spec:
    """What a column holds.

    Attributes:
        kind: how its values are compared.
        integer: a number without fraction.
        boolean: a category of two written as true and false.
        capital: true and false begin with a capital letter.
        date_format: how a datetime is written, see ``DateFormat``; None where the file has typed dates.
        first_year: the first of the hundred years of a two-digit year.
        tokens: texts that mean "missing" besides the empty one.
        number: how numbers are written in text, None where plainly as -1234.5.
        other: another format that reads every value too, as another number; None where there is none.
        rivals: other formats that read every date too, as another day.
        by_order: whether the rows are sorted by this reading of the dates and by none of the rivals.
        as_in: the column of dates whose order of day and month this one follows; empty where it has its own.
    """

    kind: Kind
    integer: bool = False
    boolean: bool = False
    capital: bool = True
    date_format: str | None = None
    tokens: tuple[str, ...] = ()
    first_year: int | None = None
    number: NumberFormat | None = None
    other: NumberFormat | None = None
    rivals: tuple[DateFormat, ...] = ()
    by_order: bool = False
    as_in: str = ""

    @property
    def written(self) -> DateFormat:
        """How its dates are written."""
        return DateFormat(format=self.date_format or ISO, first_year=self.first_year)

    def to_json(self) -> dict[str, Any]:
        """Plain values without number formats and other readings, which the contract settles; see ``from_json``."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _IN_CONTRACT}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> "Spec":
        """Read what ``to_json`` wrote."""
        return cls(**{**tree, "tokens": tuple(tree["tokens"])})


@dataclass
class Table:
    """Rows of a file with the meaning of each column; every derived form is made once, when asked for."""

    frame: pl.DataFrame
    specs: dict[str, Spec]
    _numbers: dict[str, Floats] = field(default_factory=dict)
    _texts: dict[str, pl.Series] = field(default_factory=dict)
    parts: dict[tuple[str, str], pl.Series] = field(default_factory=dict)
    """Of these rows: what ``date_parts`` has made of a column of dates."""
    never: set[tuple[str, str]] = field(default_factory=set)
    """What no row of a column has, so that no part of the rows has it either: (what, column)."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.frame.height

    def names(self, *kinds: Kind) -> list[str]:
        """Columns of these kinds that the file has."""
        return [n for n, s in self.specs.items() if s.kind in kinds and n in self.frame.columns]

    def take(self, rows: NDArray[Any]) -> "Table":
        """Some of the rows, by flag or position, with the forms that have been derived of all.

        Texts of fractions are left out: whether 3.0 is ``3`` depends on the other rows.
        """
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        numbers = {name: values[index] for name, values in self._numbers.items()}
        texts = {n: values[index] for n, values in self._texts.items() if not self.frame[n].dtype.is_float()}
        return Table(self.frame[index], self.specs, numbers, texts, never=set(self.never))

    def texts(self, name: str) -> pl.Series:
        """Values as text, null where missing."""
        if name not in self._texts:
            self._texts[name] = _as_text(self.frame[name], self.specs[name])
        return self._texts[name]

    def numbers(self, name: str) -> Floats:
        """Values as float64 [n], NaN where missing or unreadable; dates as seconds since 1970 UTC."""
        if name not in self._numbers:
            self._numbers[name] = self._to_numbers(name)
        return self._numbers[name]

    def whole(self, name: str) -> pl.Series:
        """Whole numbers with every digit, Int128 [n]; null where missing or not written as one."""
        series = self.frame[name]
        if series.dtype == pl.String:
            return self.texts(name).str.replace(r"\.0+$", "").cast(pl.Int128, strict=False)
        whole = series.cast(pl.Int128, strict=False)
        if not series.dtype.is_float():
            return whole
        return whole.set((whole.cast(pl.Float64) != series).fill_null(False), None)

    def less(self, name: str, limit: float) -> Flags:
        """Where a number is below a limit, [n]; digit by digit where the limit is an int."""
        rough = self.numbers(name) < limit
        if not isinstance(limit, int):
            return rough
        whole = self.whole(name)
        return np.where(whole.is_null().to_numpy(), rough, (whole < limit).fill_null(False).to_numpy())

    def greater(self, name: str, limit: float) -> Flags:
        """Where a number is above a limit, as ``less``."""
        rough = self.numbers(name) > limit
        if not isinstance(limit, int):
            return rough
        whole = self.whole(name)
        return np.where(whole.is_null().to_numpy(), rough, (whole > limit).fill_null(False).to_numpy())

    def missing(self, name: str) -> Flags:
        """Where nothing is written, [n]."""
        series = self.frame[name]
        if series.dtype == pl.String:
            return self.texts(name).is_null().to_numpy()
        if series.dtype.is_float():
            return (series.is_null() | series.is_nan().fill_null(True)).to_numpy()
        return series.is_null().to_numpy()

    def unreadable(self, name: str) -> Flags:
        """Where something is written that is no number or date although the column holds those, [n]."""
        if self.specs[name].kind not in ("number", "datetime") or self.frame[name].dtype.is_numeric():
            return np.zeros(self.rows, bool)
        return np.isnan(self.numbers(name)) & ~self.missing(name) & ~self.endless(name)

    def endless(self, name: str) -> Flags:
        """Where a number is infinite or beyond float32, [n]; ``numbers`` has NaN there."""
        if self.specs[name].kind != "number":
            return np.zeros(self.rows, bool)
        return np.abs(_floats(self._written(name))) > FLOAT32_MAX

    @cached_property
    def everything(self) -> list[str]:
        """Columns that have a meaning and are in the file."""
        return self.names("number", "category", "text", "datetime", "key")

    def _to_numbers(self, name: str) -> Floats:
        series, spec = self.frame[name], self.specs[name]
        if spec.kind == "datetime" and (series.dtype != pl.String or spec.number is None):
            return parse_dates(self.texts(name) if series.dtype == pl.String else series, spec.written)
        values = _floats(self._written(name))
        return np.where(np.abs(values) > FLOAT32_MAX, np.nan, values)

    def _written(self, name: str) -> pl.Series:
        """The column in a form that can be cast to numbers."""
        series, spec = self.frame[name], self.specs[name]
        if series.dtype == pl.String:
            return self.texts(name) if spec.number is None else spec.number.plain(series)
        return series


def _floats(series: pl.Series) -> Floats:
    return series.cast(pl.Float64, strict=False).to_numpy().astype(float)


def _as_text(series: pl.Series, spec: Spec) -> pl.Series:
    if series.dtype == pl.String and spec.number is not None:
        plain = spec.number.plain(series)
        series = plain.zip_with(plain.is_not_null(), series)
    if series.dtype == pl.Boolean:
        series = series.cast(pl.String)
        series = series.str.to_titlecase() if spec.capital else series
    elif series.dtype.is_float():
        series = _float_text(series)
    elif series.dtype != pl.String:
        series = series.cast(pl.String)
    elif spec.integer and series.str.contains(".", literal=True).any():
        series = series.str.replace(r"\.0+$", "")
    absent = ["", *spec.tokens]
    if (series.is_in(absent) if spec.tokens else series.str.len_bytes() == 0).any():
        series = pl.select(pl.when(series.is_in(absent)).then(None).otherwise(series)).to_series()
    return series


def _float_text(series: pl.Series) -> pl.Series:
    """Numbers as text; whole ones without a fraction, so that 3.0 and 3 are one value."""
    series = series.fill_nan(None)
    if (series.drop_nulls() % 1 == 0).all() and (series.drop_nulls().abs() <= EXACT).all():
        return series.cast(pl.Int64, strict=False).cast(pl.String)
    return series.cast(pl.String)
