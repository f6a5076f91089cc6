"""Columns that are a part of a date in the same row: its year, month, weekday, hour, written as number or word."""

from collections.abc import Callable

import numpy as np
import polars as pl

from kilnworks.components.quality.screening.columns.table import Table

Whole = Callable[[pl.Expr], pl.Expr]

AGREE = 0.999
"""Least share of the rows in which a column equals a part of a date, in [0, 1]."""
_T = pl.col("t")
NUMBERS: dict[str, pl.Expr] = {
    "year": _T.dt.year(),
    "month": _T.dt.month(),
    "day": _T.dt.day(),
    "hour": _T.dt.hour(),
    "minute": _T.dt.minute(),
    "weekday from 0": _T.dt.weekday() - 1,
    "weekday from 1": _T.dt.weekday(),
    "weekday from 0 (Sunday)": _T.dt.weekday() % 7,
    "weekday from 1 (Sunday)": _T.dt.weekday() % 7 + 1,
    "weekend": (_T.dt.weekday() >= 6).cast(pl.Int32),
    "working day": (_T.dt.weekday() < 6).cast(pl.Int32),
    "week": _T.dt.week(),
    "quarter": _T.dt.quarter(),
    "day of the year": _T.dt.ordinal_day(),
    "month from 0": _T.dt.month() - 1,
    "hour and minute": _T.dt.hour().cast(pl.Int32) * 100 + _T.dt.minute(),
    "year and month": _T.dt.year() * 100 + _T.dt.month(),
    "year, month and day": (_T.dt.year() * 100 + _T.dt.month()) * 100 + _T.dt.day(),
}
"""Parts that are whole numbers, of the moment ``t``."""
TEXTS: dict[str, pl.Expr] = {
    "month by name": _T.dt.strftime("%B"),
    "month by short name": _T.dt.strftime("%b"),
    "weekday by name": _T.dt.strftime("%A"),
    "weekday by short name": _T.dt.strftime("%a"),
    "year and month as text": _T.dt.strftime("%Y-%m"),
    "date as text": _T.dt.strftime("%Y-%m-%d"),
    "time of the day": _T.dt.strftime("%H:%M"),
    "time of the day with seconds": _T.dt.strftime("%H:%M:%S"),
    "quarter as text": pl.lit("Q") + _T.dt.quarter().cast(pl.String),
    "year and quarter as text": _T.dt.year().cast(pl.String) + pl.lit("Q") + _T.dt.quarter().cast(pl.String),
    "year and quarter with a dash": _T.dt.year().cast(pl.String) + pl.lit("-Q") + _T.dt.quarter().cast(pl.String),
}
"""Parts that are texts."""
PARTS = {**NUMBERS, **TEXTS}
DATES = 4
"""Most columns of dates that are tried."""
KEPT = 50_000
"""Rows up to which a table keeps each part of its dates, to try it on its next column: 50 MB at most."""


def find_part(table: Table, name: str) -> tuple[str, str] | None:
    """The date column and the part of it that a column of clean rows holds; None where it holds none.

    A column with one value alone must have the part in its name: any number is the hour of some hour.
    """
    kind = table.specs[name].kind
    if kind not in ("number", "category", "text") or (kind == "number" and not table.specs[name].integer):
        return None
    single = table.texts(name).drop_nulls().n_unique() < 2
    for date in [d for d in table.names("datetime") if d != name][:DATES]:
        for part in NUMBERS if kind == "number" else PARTS:
            if single and not any(word in name.lower() for word in part.split(" ")[:1]):
                continue
            apart, known = disagrees(table, name, (date, part))
            if known.sum() >= 20 and apart.sum() <= (1 - AGREE) * known.sum():
                return date, part
    return None


def disagrees(table: Table, name: str, part: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows in which a column is not the part of the date that it should be, and rows where both are known; [n] each."""
    expected, number = _part(table, part[0], part[1]), part[1] in NUMBERS
    apart = ((_number(table, name) if number else table.texts(name)) != expected).fill_null(True).to_numpy()
    known = ~np.isnan(table.numbers(part[0])) & ~table.missing(name)
    return apart & known, known


def _part(table: Table, date: str, part: str) -> pl.Series:
    """A part of each date; of dates that are not known that of 1970-01-01. Numbers as Float64."""
    if (date, "") not in table.parts:
        seconds = table.numbers(date)
        whole = pl.Series("t", np.where(np.isnan(seconds), 0, seconds) * 1e6).cast(pl.Int64)
        table.parts[date, ""] = whole.cast(pl.Datetime("us"))
    if (date, part) in table.parts:
        return table.parts[date, part]
    made = table.parts[date, ""].to_frame().select(PARTS[part].alias("p"))["p"]
    made = made.cast(pl.Float64) if part in NUMBERS else made
    if table.rows <= KEPT:
        table.parts[date, part] = made
    return made


def _number(table: Table, name: str) -> pl.Series:
    """The column as numbers that are plainly written, made once; null where it is none."""
    if (name, "plain") not in table.parts:
        table.parts[name, "plain"] = table.texts(name).cast(pl.Float64, strict=False)
    return table.parts[name, "plain"]
