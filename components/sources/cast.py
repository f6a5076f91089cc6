"""Bring a batch into the dtypes of the contract, or say which value cannot be held there.

Only what cannot be *represented* fails here; a value that breaks a rule (150 where 120 is the most) passes and is
found by validation. Missing has one form afterwards: null (NaN in a scalar float column and an empty text become null).
"""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

import polars as pl

from kilnworks.components.dates.reading import read_dates
from kilnworks.components.dates.words import advice, wanted_dates
from kilnworks.components.sources.boxes.cells import as_boxes
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.label_texts import without_absent
from kilnworks.components.sources.many_classes import joined
from kilnworks.components.sources.tensors import cast_tensor
from kilnworks.schemas.dates import DateFormat
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.magnitudes import EXACT, fits_int64
from kilnworks.schemas.number_format import NumberFormat
from kilnworks.schemas.wire import MASK

Formats = Callable[[Column], NumberFormat | None]
"""From a column to how its numbers are written in text; None where plainly."""
Place = Callable[[int, str], str]
"""From a row of the batch and a column to words such as ``line 17 of data.csv``."""

TRUE_TEXTS = ("true", "t", "yes", "y", "1", "1.0")
FALSE_TEXTS = ("false", "f", "no", "n", "0", "0.0")
SHOWN = 3


def cast_frame(
    frame: pl.DataFrame,
    columns: Mapping[str, Column],
    place: Place,
    absent_texts: tuple[str, ...] = ("",),
    formats: Formats = lambda column: column.number,
) -> pl.DataFrame:
    """The batch with its columns in contract dtypes.

    Args:
        frame: rows in the dtypes of the source.
        columns: what is wanted, by name; other columns of the frame, which tell of files of images, stay.
        place: words for where a value stands.
        absent_texts: texts that mean "missing" in columns that are not text.
        formats: how numbers are written in text.

    Raises:
        DataUnreadable: naming the column, the place and the value that does not fit.
    """
    done = []
    for name in frame.columns:
        found = frame.get_column(name)
        if name not in columns:
            done.append(found)
            continue
        column = columns[name]
        if isinstance(found.dtype, pl.Categorical | pl.Enum):
            found = found.cast(pl.String)
        if isinstance(found.dtype, pl.Decimal) and column.dtype in ("key", "string"):
            found = found.cast(pl.String).str.replace(r"\.0+$", "")
        if column.shape:
            done += cast_tensor(found, column, place)
            continue
        if column.many is not None and column.many.boxes is not None:
            done.append(as_boxes(found, column, place))
            continue
        if column.many is not None:
            done.append(joined(found, column.many))
            continue
        if column.label and found.dtype == pl.String:
            found = without_absent(found, column.classes)
        form = formats(column)
        wanted = _cast(_plainly(found, column, form), column, absent_texts)
        _refuse_lost(found, wanted, column, place, absent_texts, form)
        done.append(wanted)
    return pl.DataFrame(done)


def fit(found: pl.Series, column: Column, absent_texts: tuple[str, ...] = ("",)) -> tuple[pl.Series, pl.Series]:
    """The values of a scalar column in its contract dtype, and which are there and cannot be held in it.

    As ``cast_frame`` without an error: null in the first where the second is true, and where nothing is.
    """
    if isinstance(found.dtype, pl.Categorical | pl.Enum):
        found = found.cast(pl.String)
    wanted = _cast(_plainly(found, column, column.number), column, absent_texts)
    return wanted, _lost(found, wanted, column, absent_texts)


def _plainly(found: pl.Series, column: Column, form: NumberFormat | None) -> pl.Series:
    """Texts of numbers as ``-1234.5``; what is not written in the column's format becomes null."""
    if form is None or found.dtype != pl.String or column.dtype not in ("int", "float", "time"):
        return found
    plain = form.plain(found)
    return found if column.dtype == "time" and plain.null_count() == len(plain) else plain


def _cast(found: pl.Series, column: Column, absent: tuple[str, ...]) -> pl.Series:
    """The series in the wanted dtype; null where a value does not fit."""
    dtype = found.dtype
    if dtype == pl.Null:
        return found.cast(_polars_dtype(column, dtype))
    match column.dtype:
        case "float":
            return _to_float(found, absent)
        case "int":
            return _to_int(found, absent)
        case "bool":
            return _to_bool(found, absent)
        case "datetime":
            return _to_datetime(found, column, absent)
        case "time":
            return _to_time(found, column, absent)
        case "key":
            return _to_key(found)
        case _:
            return _to_string(found)


def _polars_dtype(column: Column, found: pl.DataType) -> pl.DataType:
    simple: dict[str, pl.DataType] = {
        "float": pl.Float64(),
        "int": pl.Int64(),
        "bool": pl.Boolean(),
        "datetime": pl.Datetime("us"),
        "time": pl.Datetime("us"),
    }
    return simple.get(column.dtype, pl.String())


def _to_float(found: pl.Series, absent: tuple[str, ...]) -> pl.Series:
    if found.dtype == pl.String:
        found = _numbers_from_text(found, absent)
    if not (found.dtype.is_numeric() or found.dtype == pl.Boolean):
        return _nothing(found, pl.Float64())
    return found.cast(pl.Float64, strict=False).fill_nan(None)


def _to_int(found: pl.Series, absent: tuple[str, ...]) -> pl.Series:
    if found.dtype == pl.String:
        plain = _plain(found, absent)
        whole = plain.cast(pl.Int64, strict=False)
        if whole.null_count() == plain.null_count():
            return whole
        return whole.zip_with(whole.is_not_null(), _whole_from_text(plain))
    if found.dtype.is_float():
        return _whole(found.cast(pl.Float64, strict=False))
    if isinstance(found.dtype, pl.Decimal):
        whole = found.cast(pl.Int128, strict=False)
        return whole.set((whole.cast(found.dtype) != found).fill_null(False), None).cast(pl.Int64, strict=False)
    if found.dtype.is_integer() or found.dtype == pl.Boolean:
        return found.cast(pl.Int64, strict=False)
    return _nothing(found, pl.Int64())


def _whole(found: pl.Series) -> pl.Series:
    """Floats without a fraction as int64; others become null."""
    whole = found.cast(pl.Int64, strict=False)
    return whole.set((whole.cast(pl.Float64) != found).fill_null(True), None)


def _whole_from_text(texts: pl.Series) -> pl.Series:
    """Whole numbers with a point or an exponent as int64; those that float64 would round digit by digit."""
    rough = texts.cast(pl.Float64, strict=False)
    done = _whole(rough.set((rough.abs() >= EXACT).fill_null(False), None))
    long = (rough.abs() >= EXACT).fill_null(False) & rough.is_finite().fill_null(False)
    if long.any():
        exact = [_int64(text) if flag else None for text, flag in zip(texts, long, strict=True)]
        done = done.zip_with(~long, pl.Series(texts.name, exact, dtype=pl.Int64))
    return done


def _int64(text: str) -> int | None:
    """The whole number that is written, with every digit; None where it has a fraction or more than 64 bits."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() and fits_int64(int(value)) else None


def _to_key(found: pl.Series) -> pl.Series:
    """Whole numbers of up to 64 bits, signed or not, as found; longer ones, and everything else, as text.

    Floats that are whole are such numbers up to 2**53; beyond, they may have lost digits before they came here.
    """
    if found.dtype.is_float():
        return _whole(found.cast(pl.Float64).set((found.abs() >= EXACT).fill_null(False), None))
    if not found.dtype.is_integer():
        return _to_string(found)
    if found.dtype in (pl.UInt64, pl.Int64):
        return found
    return found.cast(pl.String) if found.dtype in (pl.Int128, pl.UInt128) else found.cast(pl.Int64)


def _to_bool(found: pl.Series, absent: tuple[str, ...]) -> pl.Series:
    if found.dtype == pl.String:
        plain = _plain(found, absent).str.to_lowercase()
        return _two_valued(plain.is_in(TRUE_TEXTS), plain.is_in(FALSE_TEXTS))
    if found.dtype.is_numeric():
        return _two_valued(found == 1, found == 0)
    return found if found.dtype == pl.Boolean else _nothing(found, pl.Boolean())


def _two_valued(yes: pl.Series, no: pl.Series) -> pl.Series:
    """``yes`` where one of both holds, null elsewhere."""
    return yes.set(~(yes | no).fill_null(False), None)


def _to_datetime(found: pl.Series, column: Column, absent: tuple[str, ...]) -> pl.Series:
    """Moments in UTC; a text or number that is not written as the column is becomes null."""
    plain = _plain(found, absent) if found.dtype == pl.String else found
    return read_dates(plain, column.written or DateFormat())


def _to_time(found: pl.Series, column: Column, absent: tuple[str, ...]) -> pl.Series:
    """Whole numbers stay such, also written as text; the first value of a text column says which kind it is."""
    if found.dtype == pl.String:
        plain = _plain(found, absent).drop_nulls()
        if len(plain) and plain.head(1).cast(pl.Int64, strict=False).null_count() == 0:
            return _to_int(found, absent)
    if found.dtype.is_integer():
        return found.cast(pl.Int64, strict=False)
    return found.cast(pl.Float64).fill_nan(None) if found.dtype.is_float() else _to_datetime(found, column, absent)


def _to_string(found: pl.Series) -> pl.Series:
    if found.dtype.is_integer() or found.dtype == pl.Boolean:
        return found.cast(pl.String)
    if found.dtype != pl.String:
        return _nothing(found, pl.String())
    empty = found == ""
    return found.set(empty, None) if empty.any() else found


def _plain(texts: pl.Series, absent: tuple[str, ...]) -> pl.Series:
    """Texts without blanks around them, null where they mean "missing"."""
    stripped = texts.str.strip_chars()
    return stripped.set(stripped.is_in(["", *absent]).fill_null(False), None)


def _numbers_from_text(texts: pl.Series, absent: tuple[str, ...]) -> pl.Series:
    return _plain(texts, absent).cast(pl.Float64, strict=False)


def _nothing(found: pl.Series, dtype: pl.DataType) -> pl.Series:
    """All null: nothing of this source dtype fits."""
    return pl.Series(found.name, [None], dtype=dtype).new_from_index(0, len(found))


def _refuse_lost(
    found: pl.Series,
    wanted: pl.Series,
    column: Column,
    place: Place,
    absent: tuple[str, ...],
    form: NumberFormat | None = None,
) -> None:
    """Raise where a value was there and is not any more."""
    if found.dtype == wanted.dtype or found.null_count() == wanted.null_count():
        return
    lost = _lost(found, wanted, column, absent)
    if not lost.any():
        return
    rows = lost.arg_true()
    values = [found[int(row)] for row in rows[:SHOWN]]
    told = [MASK if column.sensitive else repr(value) if isinstance(value, str) else str(value) for value in values]
    shown = ", ".join(f"{value} ({place(int(row), column.name)})" for row, value in zip(rows, told, strict=False))
    more = f", and {len(rows) - SHOWN} more in this batch" if len(rows) > SHOWN else ""
    raise DataUnreadable(
        f"column {column.name!r}: {_kind(found)} that is not {_article(column)}: {shown}{more}",
        f"values that can be held as {column.dtype}" + (f", written as {form}" if form else ""),
        _hint(column, found, [str(value) for value in values], form),
        {
            "column": column.name,
            "dtype": column.dtype,
            "samples": [MASK if column.sensitive else str(v) for v in values],
        },
    )


def _lost(found: pl.Series, wanted: pl.Series, column: Column, absent: tuple[str, ...]) -> pl.Series:
    """Where a value was there and is not any more, [n] of booleans."""
    lost = wanted.is_null() & found.is_not_null()
    if found.dtype == pl.String:
        meant_missing = ["", *absent] if column.dtype not in ("string", "key") else [""]
        return lost & ~found.str.strip_chars().is_in(meant_missing).fill_null(False)
    return lost & ~found.is_nan().fill_null(False) if found.dtype.is_float() else lost


def _kind(found: pl.Series) -> str:
    return "a text" if found.dtype == pl.String else f"a value of type {found.dtype}"


def _article(column: Column) -> str:
    words = {"int": "a whole number within 64 bits", "float": "a number", "bool": "true or false", "string": "a text"}
    words |= {"key": "a text or a whole number", "time": "a date and time (ISO 8601) or a number"}
    return words.get(column.dtype) or f"a date that exists, {wanted_dates(column.written or DateFormat())}"


def _is_float(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def _hint(column: Column, found: pl.Series, values: list[str], form: NumberFormat | None) -> str:
    if column.dtype == "int" and all(v.strip().lstrip("+-").isdigit() for v in values):
        return "numbers that name something: dtype string in the contract keeps every digit; amounts: dtype float"
    if column.dtype == "int" and form is None and all(_is_float(v) for v in values):
        return "correct the values, or give the column dtype float in the contract"
    if found.dtype == pl.String and column.dtype in ("int", "float"):
        if form is not None:
            return "write the values the same way, or change `numbers` in the contract (`number_formats` of the source)"
        if any(re.search(r"\d", value) for value in values):
            return "if they are numbers, say how they are written: `numbers` in the contract (decimal, thousands, unit)"
        return "correct the values, add the text to the source's `null_values` if it means missing, or use dtype string"
    if column.dtype == "int":
        return "correct the values, or give the column dtype float in the contract"
    if column.dtype == "key" and found.dtype.is_float():
        return "write the column as whole numbers or as text; floats lose the last digits of long numbers"
    if column.dtype in ("datetime", "time"):
        return advice(column.name, found, values, column.sensitive)
    return "correct the values, or change the dtype in the contract"
