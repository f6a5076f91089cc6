"""Values with a shape: arrays, lists and images, brought to one fixed-size list a row in C order."""

import math
from collections.abc import Callable

import polars as pl

from kilnworks.components.sources.columns import Column
from kilnworks.schemas.errors import DataUnreadable

ELEMENT = {"float": pl.Float32, "int": pl.Int64, "image": pl.UInt8}


def cast_tensor(found: pl.Series, column: Column, place: Callable[[int, str], str]) -> list[pl.Series]:
    """A list, array, or (images) encoded-bytes column as ``Array(element, product of the shape)``.

    Behind it, for encoded images, the columns of what the files held.

    Raises:
        DataUnreadable: another number of elements, a dtype that is not numeric, pixels that are not whole
            numbers from 0 to 255, or bytes that are no image.
    """
    if column.dtype == "image" and (found.dtype == pl.Binary or isinstance(found.dtype, pl.Struct)):
        return _decoded(found, column, place)
    flat, inner = _flat(found, column)
    _refuse_lengths(found, flat, column, place)
    if flat.null_count():
        row = int(flat.is_null().arg_true()[0])
        raise DataUnreadable(
            f"column {column.name!r}: no value at {place(row, column.name)}", _wanted(column), "remove the row"
        )
    values = flat.explode(empty_as_null=False, keep_nulls=False) if len(flat) else pl.Series(flat.name, [], inner)
    cast = values.cast(ELEMENT[column.dtype], strict=False)
    lost = cast.is_null()
    if inner.is_float() and column.dtype != "float":
        lost |= (cast.cast(pl.Float64) != values.cast(pl.Float64)).fill_null(True)
    if lost.any():
        element = int(lost.arg_true()[0])
        where = place(element // column.size, column.name)
        raise DataUnreadable(
            f"column {column.name!r}: {values[element]!r} at {where} is not {_element_words(column)}",
            _wanted(column),
            "correct the values, or change the dtype in the contract",
        )
    return [cast.reshape((len(flat), column.size)).rename(column.name) if len(flat) else _empty(column)]


def _empty(column: Column) -> pl.Series:
    return pl.Series(column.name, [], dtype=pl.Array(ELEMENT[column.dtype], column.size))


def _flat(found: pl.Series, column: Column) -> tuple[pl.Series, pl.DataType]:
    """Nested lists made flat, one list a row; and the dtype of an element."""
    if isinstance(found.dtype, pl.Array):
        shape, (inner, _) = found.dtype.shape, _innermost(found.dtype)
        flat = found.reshape((len(found), math.prod(shape))) if len(shape) > 1 and len(found) else found
        return flat.cast(pl.List(inner)), inner
    inner, depth = _innermost(found.dtype)
    if depth == 0 or not (inner.is_numeric() or inner in (pl.Boolean, pl.Null)):
        raise DataUnreadable(
            f"column {column.name!r} holds {found.dtype}",
            _wanted(column),
            "store tensors as (fixed-size) lists in Parquet, or as arrays in .npz",
        )
    for _ in range(depth - 1):
        found = found.list.eval(pl.element().explode())
    return found, inner


def _innermost(dtype: pl.DataType) -> tuple[pl.DataType, int]:
    """The dtype inside nested lists, and how deep it lies."""
    depth = 0
    while isinstance(dtype, pl.List | pl.Array):
        dtype, depth = dtype.inner, depth + 1  # type: ignore[assignment]
    return dtype, depth


def _refuse_lengths(found: pl.Series, flat: pl.Series, column: Column, place: Callable[[int, str], str]) -> None:
    wrong = (flat.list.len() != column.size).fill_null(False)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise DataUnreadable(
            f"column {column.name!r}: {flat.list.len()[row]} elements at {place(row, column.name)}",
            _wanted(column),
            "correct the data, or the shape in the contract",
        )


def _decoded(found: pl.Series, column: Column, place: Callable[[int, str], str]) -> list[pl.Series]:
    """Encoded images (bytes, or a struct with a field ``bytes``) as pixels, and what the files held."""
    from kilnworks.components.sources.images import image_columns

    encoded = found.struct.field("bytes") if isinstance(found.dtype, pl.Struct) else found
    contents = ((c or b"", f"{place(row, column.name)} ({column.name})") for row, c in enumerate(encoded))
    return image_columns(column, contents, len(encoded))


def _wanted(column: Column) -> str:
    sizes = " x ".join(map(str, column.shape))
    return f"{column.size} elements a row (shape {sizes}), each {_element_words(column)}"


def _element_words(column: Column) -> str:
    return {"image": "a pixel from 0 to 255", "int": "a whole number"}.get(column.dtype, "a number")
