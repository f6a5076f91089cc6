"""Dates in JSON requests: ISO 8601 text for an input that is a datetime of the model's contract becomes its seconds.

Everything else in a request is left as it is, also a text for another input: the signature words that error. A model
without a contract beside it takes numbers alone, as in TensorFlow Serving.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilnworks.components.dates.iso import iso_seconds
from kilnworks.components.serving.errors import invalid_argument
from kilnworks.schemas.dates import WIRE_UNIT
from kilnworks.schemas.files import read_json
from kilnworks.schemas.saved_contract import read_saved
from kilnworks.schemas.wire import CONTRACT_FILE, MASK, MISSING_INT

Dates = Mapping[str, bool]
"""Inputs that are datetimes, and whether their values are personal."""

log = logging.getLogger(__name__)


def dates_of(path: str) -> Dates:
    """The datetimes of the model in a version directory; none where no contract can be read there."""
    file = Path(path) / CONTRACT_FILE
    if not file.is_file():
        return {}
    try:
        contract, _ = read_saved(read_json(file))
    except (OSError, ValueError, AttributeError) as error:
        log.warning("%s cannot be read, so dates are taken as numbers alone: %s", file, error)
        return {}
    return {name: feature.sensitive for name, feature in contract.features.items() if feature.dtype == "datetime"}


def with_seconds(tree: dict[str, Any], dates: Dates, only: str | None) -> dict[str, Any]:
    """The body of a predict request with seconds in place of the texts of its datetimes; what came in is not changed.

    Args:
        tree: the JSON object.
        dates: the inputs that are datetimes.
        only: the one input of a signature, whose values may come without its name.

    Raises:
        ServingError: INVALID_ARGUMENT for a text that is no moment, with input, row and text.
    """
    if isinstance(tree.get("instances"), list):
        rows = [_row(row, dates, only, f"row {number}") for number, row in enumerate(tree["instances"])]
        return {**tree, "instances": rows}
    if "inputs" in tree:
        return {**tree, "inputs": _columns(tree["inputs"], dates, only)}
    return tree


def examples_with_seconds(tree: dict[str, Any], dates: Dates) -> dict[str, Any]:
    """The body of a classify or regress request with seconds in place of the texts of its datetimes.

    Args:
        tree: the JSON object, with ``examples`` and perhaps a ``context``.
        dates: the features that are datetimes.

    Raises:
        ServingError: INVALID_ARGUMENT for a text that is no moment, with feature, row and text.
    """
    rows = [_row(row, dates, None, f"row {number}") for number, row in enumerate(tree["examples"])]
    context = {"context": _row(tree["context"], dates, None, "context")} if "context" in tree else {}
    return {**tree, **context, "examples": rows}


def _row(row: Any, dates: Dates, only: str | None, where: str) -> Any:
    if isinstance(row, dict):
        return {name: _seconds(v, name, dates[name], where) if name in dates else v for name, v in row.items()}
    return _seconds(row, only, dates[only], where) if only is not None and only in dates else row


def _columns(inputs: Any, dates: Dates, only: str | None) -> Any:
    if isinstance(inputs, dict):
        return {name: _column(v, name, dates[name]) if name in dates else v for name, v in inputs.items()}
    return _column(inputs, only, dates[only]) if only is not None and only in dates else inputs


def _column(values: Any, name: str, sensitive: bool) -> Any:
    if not isinstance(values, list):
        return _seconds(values, name, sensitive, "row 0")
    return [_seconds(value, name, sensitive, f"row {number}") for number, value in enumerate(values)]


def _seconds(value: Any, name: str, sensitive: bool, where: str) -> Any:
    """A text as seconds, an empty one as the number for missing; lists item by item, other values as they are."""
    if isinstance(value, list):
        return [_seconds(one, name, sensitive, where) for one in value]
    if not isinstance(value, str):
        return value
    if not value.strip():
        return MISSING_INT
    seconds = iso_seconds(value)
    if seconds is None:
        got = MASK if sensitive else repr(value)[:80]
        raise invalid_argument(
            f"The request breaks the contract: column {name!r}, {where}: must be a moment as ISO 8601 text "
            f"(2024-01-31T05:00:00Z), or {WIRE_UNIT} (got {got})"
        )
    return seconds
