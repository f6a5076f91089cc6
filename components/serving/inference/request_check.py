"""``--contract_check``: requests must keep the contract of the data that the model was trained on.

The contract lies beside the SavedModel (``assets.extra/contract.json``); a model without one is not checked. The rules
are those that a single row can break, of features with severity ``critical``; whole columns are looked at with numpy.
How a missing value is sent: NaN, an empty string, or for times and long whole numbers the smallest int64.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from google.protobuf.message import DecodeError

from kilnworks.components.dates.wire import Span, off_unit, unit_of
from kilnworks.components.serving.errors import Code, ServingError, invalid_argument
from kilnworks.components.serving.wire.values import VERSIONS_KEPT
from kilnworks.schemas.contract import Feature
from kilnworks.schemas.dates import WIRE_UNIT
from kilnworks.schemas.files import read_json
from kilnworks.schemas.magnitudes import FINITE, FLOAT32_MAX, fits_int64
from kilnworks.schemas.rules import (
    AtLeast,
    AtMost,
    Finite,
    LongEnough,
    Matches,
    OneOf,
    Present,
    ShortEnough,
    ValueRule,
    value_rules,
    words,
)
from kilnworks.schemas.saved_contract import read_saved
from kilnworks.schemas.wire import CONTRACT_FILE, INPUTS_FILE, MASK, MISSING_INT
from kilnworks_client import messages

Array = np.ndarray[Any, Any]
Rule = tuple[str, Callable[[Array], Array]]
"""What a value must be, in words, and which values (``True``) are not, ``[n]`` from ``[n, size]``."""

_SHOWN = 5

log = logging.getLogger(__name__)


class ContractCheck:
    """Finds and keeps the contract of each version, and checks inputs against it."""

    def __init__(self) -> None:
        self._features = lru_cache(VERSIONS_KEPT)(_load)

    def __call__(self, model: str, version: int, path: str, signature_name: str, inputs: Mapping[str, Array]) -> None:
        """Check the inputs of one request.

        Raises:
            ServingError: INVALID_ARGUMENT naming columns, rows, rules and values; INTERNAL when the contract that
                lies beside the model cannot be read.
        """
        features = self._features(path, f"{model} version {version}")
        if features is None:
            return
        problems: list[str] = []
        for name, values in _columns(features, inputs):
            problems.extend(features[name].problems(values))
        if problems:
            more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
            raise invalid_argument(f"The request breaks the contract: {'; '.join(problems[:_SHOWN])}{more}")


class _Checked:
    """One feature with its rules."""

    def __init__(self, name: str, feature: Feature, span: Span | None = None) -> None:
        self.name, self.feature, self.span = name, feature, span
        self.rules: list[Rule] = list(_rules(feature))

    def problems(self, values: Array) -> Iterator[str]:
        """What is wrong with a column ``[n, *shape]``, one text a broken rule. The shape, and the unit of dates, are no
        rules but how values are sent: they are checked whatever the severity.

        Texts for numbers, or the other way round, are left to the signature, which words that error.
        """
        if self.feature.dtype == "datetime" and values.dtype.kind in "iu":
            yield from self._unit(values)
        if (values.dtype == object) != (self.feature.dtype == "string"):
            return
        critical = self.feature.severity == "critical"
        if values.shape[1:] != self.feature.shape and (self.feature.shape or critical):
            yield self._shape(values)
            return
        flat = values.reshape(len(values), -1)
        missing = _missing(flat, self.feature) if critical else np.zeros(len(flat), bool)
        if not self.feature.nullable and missing.any():
            yield self._text(missing, flat, "present", "nothing")
        yield from self._broken(flat, missing)

    def _shape(self, values: Array) -> str:
        wanted = ", ".join(map(str, ("n", *self.feature.shape)))
        return f"column {self.name!r}: must have the shape [{wanted}] (got {list(values.shape)})"

    def _broken(self, flat: Array, missing: Array) -> Iterator[str]:
        for asked, breaks in self.rules:
            with np.errstate(over="ignore"):  # a bound beyond float32 is infinite among float32 values
                bad = breaks(flat) & ~missing
            if bad.any():
                yield self._text(bad, flat, asked, None)

    def _unit(self, values: Array) -> Iterator[str]:
        """Numbers that are no seconds since 1970."""
        flat = values.reshape(len(values), -1)
        bad = _any(off_unit(flat, self.span) & (flat != MISSING_INT))
        if bad.any():
            value = flat[int(np.argmax(bad))][0]
            other = "" if self.feature.sensitive else unit_of(float(value), self.span)
            yield self._text(bad, flat, f"{WIRE_UNIT}{f', and looks like {other}' if other else ''}", None)

    def _text(self, bad: Array, flat: Array, words: str, got: str | None) -> str:
        row = int(np.argmax(bad))
        if got is None:
            got = MASK if self.feature.sensitive else _shown(flat[row])
        return f"column {self.name!r}, row {row}: must be {words} (got {got})"


def _load(path: str, who: str) -> dict[str, _Checked] | None:
    """The checked features of the model in a version directory; None when it has no contract."""
    file = Path(path) / CONTRACT_FILE
    if not file.is_file():
        log.info("%s has no contract: its requests are not checked", who)
        return None
    try:
        contract, dropped = read_saved(read_json(file))
    except (OSError, ValueError, AttributeError) as error:
        raise ServingError(Code.INTERNAL, f"The contract saved with {who} cannot be read: {error}") from None
    for line in dropped:
        log.warning("The contract saved with %s: %s; train the model again under a corrected contract", who, line)
    spans = _spans(Path(path), who)
    return {name: _Checked(name, feature, spans.get(name)) for name, feature in contract.features.items()}


def _spans(path: Path, who: str) -> dict[str, Span]:
    """First and last training moment of each date, where the export wrote them."""
    file = path / INPUTS_FILE
    if not file.is_file():
        return {}
    try:
        told = read_json(file)
        return {name: Span(int(one["first"]), int(one["last"])) for name, one in told.items() if "first" in one}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ServingError(Code.INTERNAL, f"The inputs described with {who} cannot be read: {error}") from None


def _columns(features: Mapping[str, _Checked], inputs: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """The features in a request, by name: its inputs, or what its serialized Examples hold."""
    named = [name for name in features if name in inputs]
    if named or len(inputs) != 1:
        for name in named:
            values = inputs[name]
            yield name, values if values.ndim else values.reshape(1)
        return
    (serialized,) = inputs.values()
    if serialized.dtype != object or serialized.ndim != 1:
        return
    rows = _parse_examples(serialized.tolist())
    for name, checked in features.items():
        column = _example_column([row.get(name) for row in rows], checked.feature)
        if column is not None:
            yield name, column


def _parse_examples(serialized: Sequence[bytes]) -> list[Mapping[str, Any]]:
    """Features by name of each Example; one that cannot be read is left to the graph, which words that error."""
    rows: list[Mapping[str, Any]] = []
    for one in serialized:
        try:
            rows.append(messages.Example.FromString(one).features.feature)
        except DecodeError:
            return []
    return rows


def _example_column(found: Sequence[Any], feature: Feature) -> Array | None:
    """``[n, *shape]`` from tf.Example features; None where a row has another number of values than the contract."""
    size = int(np.prod(feature.shape, dtype=np.int64))
    rows = [_example_values(one, feature, size) for one in found]
    if not rows or any(len(row) != size for row in rows):
        return None
    if feature.dtype == "string":
        column = np.empty(len(rows), object)
        column[:] = [row[0] for row in rows]
        return column
    return np.array(rows).reshape(len(rows), *feature.shape)


def _example_values(one: Any, feature: Feature, size: int) -> Any:
    kind = None if one is None else one.WhichOneof("kind")
    if kind is None:
        missing: Any = {"string": b"", "datetime": MISSING_INT, "image": 0}.get(feature.dtype, float("nan"))
        return [MISSING_INT if feature.wide else missing] * size
    values = list(getattr(one, kind).value)
    if feature.dtype == "image" and kind == "bytes_list":
        return np.frombuffer(b"".join(values), np.uint8)
    return values


def _missing(flat: Array, feature: Feature) -> Array:
    """Rows whose value is missing."""
    if feature.dtype == "string":
        return np.array([v in (b"", "") for v in flat[:, 0].tolist()], bool)
    if flat.dtype.kind == "f":
        return _any(np.isnan(flat)) if not feature.nullable else ~_any(~np.isnan(flat))
    if feature.dtype == "datetime" or (feature.nullable and feature.wide):
        return _any(flat == MISSING_INT)
    if feature.dtype == "image" and feature.nullable:
        return ~_any(flat != 0)
    return np.zeros(len(flat), bool)


def _any(mask: Any) -> Array:
    """``[n]`` from ``[n, size]``: rows in which something is true."""
    found: Array = np.any(mask, axis=1)
    return found


def _endless(flat: Array) -> Array:
    return _any(np.abs(flat) > FLOAT32_MAX) if flat.dtype.kind == "f" else np.zeros(len(flat), bool)


def _rules(feature: Feature) -> Iterator[Rule]:
    """What the wire allows and the dtype does not, then the rules of the contract; ``Present`` is apart.

    That a number is finite holds whatever the severity: a model cannot answer for an infinite one.
    """
    if feature.dtype != "string":
        yield FINITE, _endless
    if feature.severity != "critical":
        return
    if feature.dtype == "string":
        yield "UTF-8 text", lambda flat: np.array([_is_no_text(v) for v in flat[:, 0].tolist()], bool)
    if feature.dtype == "int":
        yield "a whole number", _fractions
    if feature.dtype == "bool":
        yield "0 or 1", lambda flat: _any((flat != 0) & (flat != 1))
    for rule in value_rules(feature):
        if not isinstance(rule, Present | Finite):
            yield words(rule), _breaks(rule)


def _breaks(rule: ValueRule) -> Callable[[Array], Array]:
    """Which rows break a rule, ``[n]`` from ``[n, size]``."""
    match rule:
        case Present():
            return lambda flat: np.zeros(len(flat), bool)
        case Finite():
            return _endless
        case AtLeast(low):
            return lambda flat: _any(flat < _end(math.ceil(low), low, flat))
        case AtMost(high):
            return lambda flat: _any(flat > _end(math.floor(high), high, flat))
        case OneOf(values):
            return lambda flat: _outside(flat, values)
        case LongEnough(fewest):
            return lambda flat: _each(flat, lambda text: len(text) < fewest)
        case ShortEnough(most):
            return lambda flat: _each(flat, lambda text: len(text) > most)
        case Matches(pattern):
            return lambda flat: ~_matches(flat, pattern)
        case _:
            assert_never(rule)


def _end(whole: int, bound: float, flat: Array) -> float:
    """The end of a range in the kind of the values, so that whole numbers are compared as such."""
    return whole if flat.dtype.kind in "iu" else bound


def _outside(flat: Array, values: Sequence[Any]) -> Array:
    """Values that are none of those allowed; numbers are compared in the precision in which they came."""
    if flat.dtype == object:
        allowed = frozenset(values)
        return _each(flat, lambda text: text not in allowed)
    if flat.dtype.kind in "iu":
        known = np.array([v for v in values if v == int(v) and fits_int64(int(v))], np.int64)
        return _any(~np.isin(flat, known))
    return _any(~np.isin(flat, np.array(values, flat.dtype)))


def _matches(flat: Array, pattern: str) -> Array:
    """Texts that match a pattern; Polars is imported only where a contract has one."""
    import polars as pl

    from kilnworks.schemas.patterns import matches

    found: Array = matches(pl.Series([_decoded(v) for v in flat[:, 0].tolist()], dtype=pl.String), pattern).to_numpy()
    return found


def _fractions(flat: Array) -> Array:
    if flat.dtype.kind != "f":
        return np.zeros(len(flat), bool)
    return _any(np.isfinite(flat) & (flat != np.floor(flat)))


def _is_no_text(value: Any) -> bool:
    """Whether bytes are no UTF-8."""
    if not isinstance(value, bytes):
        return False
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _each(flat: Array, breaks: Callable[[str], bool]) -> Array:
    return np.array([breaks(_decoded(v)) for v in flat[:, 0].tolist()], bool)


def _decoded(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _shown(row: Array) -> str:
    if row.size > 1:
        return f"values from {_digits(row.min())} to {_digits(row.max())}"
    value = row[0]
    return repr(_decoded(value))[:80] if isinstance(value, bytes | str) else _digits(value)


def _digits(number: Any) -> str:
    """A number with all its digits: what was sent must be found again in the data."""
    return str(number).removesuffix(".0")
