"""JSON lines, read exactly: one pass says which fields there are and what they hold, another hands the rows out.

Python's own reader is used: numbers keep every digit, a field may first appear in the last line, and what a reader of
columns would guess from the first rows is known of all.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from kilnworks.components.sources.files.content import MARKS, cut_off, read_head, refuse_empty, refuse_other
from kilnworks.components.sources.files.endings import gzipped
from kilnworks.schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import polars as pl

Holds = Literal["nothing", "bool", "int", "wide int", "float", "text", "numbers", "objects"]
"""What a field holds: ``wide int`` beyond 64 bits with sign, ``numbers`` in lists, ``objects`` all else that nests."""
Row = dict[str, Any]

INT64, UINT64 = (-(2**63), 2**63 - 1), (0, 2**64 - 1)
EXACT = 2**53
"""Largest whole number up to which every one is a float64."""
_WANTED = "one JSON object a line"


def rows(file: Path) -> Iterator[tuple[int, Row]]:
    """The objects of a file, each with the number of its line; blank lines are passed over.

    Raises:
        DataUnreadable: the file is missing, empty or cut off, or a line is not one JSON object; names the line.
    """
    head = read_head(file)
    refuse_empty(file, head)
    if next((name for mark, name in MARKS.items() if head.startswith(mark)), "utf-8-sig") != "utf-8-sig":
        raise DataUnreadable(f"{file} is UTF-16", "UTF-8, as JSON is", "save it as UTF-8")
    refuse_other(file, head, "jsonl")
    with _opened(file) as handle:
        for number, line in enumerate(handle, 1):
            row = _row(file, number, line)
            if row is not None:
                yield number, row


def _row(file: Path, number: int, line: bytes) -> Row | None:
    """The object of a line; None where it is blank."""
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        value = json.loads(text, object_pairs_hook=_pairs) if text else None
    except UnicodeDecodeError:
        raise DataUnreadable(
            f"{file}: line {number} holds bytes that are not utf-8", "UTF-8, as JSON is", "save it so"
        ) from None
    except _Twice as error:
        raise DataUnreadable(
            f"{file}: line {number} has the field {error.args[0]!r} twice", "every field once", "correct the line"
        ) from None
    except (ValueError, RecursionError) as error:
        raise _no_json(file, number, text, line.endswith(b"\n"), error) from None
    if value is None and not text:
        return None
    if not isinstance(value, dict):
        raise _no_object(file, number, value)
    return value


class _Twice(Exception):
    """A field that an object has twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> Row:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for at, name in enumerate(names) if name in names[:at]))
    return found


def _no_json(file: Path, number: int, text: str, ended: bool, error: Exception) -> DataUnreadable:
    """The error for a line that is no JSON: one document over many lines, a file that is cut off, or a slip."""
    if number == 1 and text in ("{", "["):
        return _one_document(file, "one JSON array" if text == "[" else "one JSON document over many lines")
    if number == 1 and text.startswith("["):
        return _one_document(file, "one JSON array")
    if not ended and number > 1:
        return DataUnreadable(f"{file} is cut off in line {number}", _WANTED, "copy or write the file again")
    reason = "it nests too deep" if isinstance(error, RecursionError) else str(error)
    return DataUnreadable(f"{file}: line {number} is not JSON: {reason}", _WANTED, "correct the line")


def _no_object(file: Path, number: int, value: Any) -> DataUnreadable:
    if number == 1 and isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return _one_document(file, "one JSON array")
    kind = type(value).__name__
    return DataUnreadable(f"{file}: line {number} is {kind}, not an object", _WANTED, "correct the line")


def _one_document(file: Path, what: str) -> DataUnreadable:
    query = "'.[]'" if "array" in what else "."
    target = f"{file.name.partition('.')[0]}.jsonl"
    return DataUnreadable(f"{file} is {what}", _WANTED, f"convert it: jq -c {query} '{file.name}' > '{target}'")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        with gzip.open(file) if gzipped(file.name) else file.open("rb") as handle:
            yield handle  # type: ignore[misc]
    except (EOFError, zlib.error, OSError) as error:
        raise cut_off(file, error) from None


def fields(files: Iterable[Path]) -> dict[str, Holds]:
    """Every field of every file, in the order in which they appear, and what it holds."""
    found: dict[str, Holds] = {}
    for file in files:
        place = file.stat()
        for name, holds in _fields(file, place.st_size, place.st_mtime_ns).items():
            found[name] = _both(found.get(name, "nothing"), holds)
    return found


@lru_cache(maxsize=64)
def _fields(file: Path, _size: int, _changed: int) -> Mapping[str, Holds]:
    """The fields of one file, as long as it stays the same."""
    found: dict[str, Holds] = {}
    pieces = rows(file)
    while some := [row for _, row in islice(pieces, 10_000)]:
        names = dict.fromkeys(name for row in some for name in row)
        for name in names:
            found[name] = _both(found.get(name, "nothing"), holds_of([row.get(name) for row in some]))
    return found


def holds_of(values: Sequence[Any]) -> Holds:
    """What values of one field hold."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return "nothing"
    if kinds == {bool}:
        return "bool"
    if kinds <= {int, float}:
        return _numbers([v for v in values if type(v) is int], float in kinds)
    if kinds & {list, dict}:
        lists = kinds == {list} and all(_plain_list(value) for value in values if value is not None)
        return "numbers" if lists else "objects"
    return "text"


def _numbers(whole: list[int], fractions: bool) -> Holds:
    low, high = min(whole, default=0), max(whole, default=0)
    if fractions:
        return "float" if low >= -EXACT and high <= EXACT else "text"
    if INT64[0] <= low and high <= INT64[1]:
        return "int"
    return "wide int" if low >= 0 and high <= UINT64[1] else "text"


def _plain_list(value: Any) -> bool:
    """Whether nested lists hold numbers alone."""
    if isinstance(value, list):
        return all(map(_plain_list, value))
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _both(one: Holds, other: Holds) -> Holds:
    """What a field holds that holds the one in some rows and the other in others."""
    pair = {one, other} - {"nothing"}
    if len(pair) < 2:
        return pair.pop() if pair else "nothing"
    if pair & {"numbers", "objects"}:
        return "objects"
    return "float" if pair == {"int", "float"} else "text"


def column(name: str, values: Sequence[Any], holds: Holds) -> pl.Series:
    """Values of one field as a column of one dtype, whatever rows they are; NaN is missing.

    Raises:
        DataUnreadable: a text that is no Unicode.
    """
    import polars as pl

    dtypes = {"nothing": pl.Null, "bool": pl.Boolean, "int": pl.Int64, "wide int": pl.UInt64, "float": pl.Float64}
    if holds in dtypes:
        series = pl.Series(name, values, dtype=dtypes[holds], strict=False)
        return series.fill_nan(None) if holds == "float" else series
    if holds == "numbers":
        return _lists(name, values)
    texts = [None if value is None else _text(value) for value in values]
    if holds == "objects":
        return pl.Series(name, [None if text is None else {"json": text} for text in texts])
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:
        raise DataUnreadable(
            f"field {name!r} holds half of a character (a lone surrogate)",
            "text in whole characters of Unicode",
            "correct the text",
        ) from None


def _lists(name: str, values: Sequence[Any]) -> pl.Series:
    import polars as pl

    depth = max((_depth(value) for value in values), default=1)
    dtype: Any = pl.Float64
    for _ in range(depth):
        dtype = pl.List(dtype)
    whole = all(isinstance(leaf, int) and INT64[0] <= leaf <= INT64[1] for value in values for leaf in _leaves(value))
    return pl.Series(name, values, dtype=_whole(dtype) if whole else dtype, strict=False)


def _whole(dtype: Any) -> Any:
    import polars as pl

    return pl.List(_whole(dtype.inner)) if isinstance(dtype, pl.List) else pl.Int64()


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None:
        yield value


def _text(value: Any) -> str:
    """As JSON writes it, texts without their quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
