"""Requests with windows, sequences and texts that do not fit, against the contract of what is served."""

import numpy as np
import pytest

from kilnworks.components.series.served import windowed
from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.inference.request_check import ContractCheck
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import write_json
from kilnworks.schemas.wire import CONTRACT_FILE

SERIES = windowed(
    Contract.model_validate(
        {
            "name": "bikes",
            "features": {"temp": {"dtype": "float", "nullable": True, "severity": "warning"}},
            "label": {"name": "count", "dtype": "float"},
            "time": "hour",
            "series": {"step": "1h", "window": 6, "horizon": 3, "ahead": ["temp"]},
        }
    )
)
ROWS = Contract.model_validate(
    {
        "name": "rows",
        "features": {
            "course": {"dtype": "float", "shape": [4, 2]},
            "holes": {"dtype": "float", "shape": [4, 2], "nullable": True},
            "review": {"dtype": "string", "text": True, "nullable": True},
        },
        "label": {"name": "y", "dtype": "string", "classes": ["a", "b"]},
    }
)
WINDOW = {
    "count": np.ones((1, 6), np.float32),
    "temp": np.ones((1, 9), np.float32),
    "hour": np.array([1_700_000_000], np.int64),
}
ROW = {
    "course": np.ones((2, 4, 2), np.float32),
    "holes": np.ones((2, 4, 2), np.float32),
    "review": np.array([b"good", b"bad"], object),
}


def _with(values, at, value):
    changed = values.copy()
    changed[at] = value
    return changed


NAN, INF = float("nan"), float("inf")
REFUSED = {
    "window too short": (
        SERIES,
        WINDOW,
        "count",
        np.ones((1, 5), np.float32),
        "'count': must have the shape [n, 6] (got [1, 5])",
    ),
    "horizon too long": (
        SERIES,
        WINDOW,
        "temp",
        np.ones((1, 12), np.float32),
        "'temp': must have the shape [n, 9] (got [1, 12])",
    ),
    "infinite in a window": (
        SERIES,
        WINDOW,
        "count",
        _with(WINDOW["count"], (0, 2), INF),
        "'count', row 0: must be a finite number",
    ),
    "sequence too short": (
        ROWS,
        ROW,
        "course",
        ROW["course"][:, :3],
        "'course': must have the shape [n, 4, 2] (got [2, 3, 2])",
    ),
    "sequence too wide": (
        ROWS,
        ROW,
        "course",
        np.ones((2, 4, 3), np.float32),
        "'course': must have the shape [n, 4, 2]",
    ),
    "NaN where none may be": (
        ROWS,
        ROW,
        "course",
        _with(ROW["course"], (1, 2), NAN),
        "'course', row 1: must be present",
    ),
    "no UTF-8": (ROWS, ROW, "review", np.array([b"good", b"\xff"], object), "'review', row 1: must be UTF-8 text"),
}
ANSWERED = {
    "NaN in a window": (SERIES, WINDOW, "count", _with(WINDOW["count"], (0, slice(1, 4)), NAN)),
    "a window without a value": (SERIES, WINDOW, "count", np.full((1, 6), NAN, np.float32)),
    "a missing step": (ROWS, ROW, "holes", _with(ROW["holes"], (0, 3), NAN)),
    "a sequence without a step": (ROWS, ROW, "holes", np.full((2, 4, 2), NAN, np.float32)),
    "an empty text": (ROWS, ROW, "review", np.array([b"", b"bad"], object)),
    "10 MB of text": (ROWS, ROW, "review", np.array([b"good film " * 1_000_000, b"bad"], object)),
}


def _check(folder, contract, good, name, value):
    (folder / CONTRACT_FILE).parent.mkdir(parents=True)
    write_json(folder / CONTRACT_FILE, contract.model_dump(mode="json"))
    check = ContractCheck()
    check("m", 1, str(folder), "serving_default", good)
    check("m", 1, str(folder), "serving_default", {**good, name: value})


@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_fit_is_refused_by_name_whatever_the_severity(tmp_path, kind) -> None:
    *given, said = REFUSED[kind]
    with pytest.raises(ServingError) as raised:
        _check(tmp_path, *given)
    assert raised.value.code == Code.INVALID_ARGUMENT and f"column {said}" in raised.value.text


@pytest.mark.parametrize("kind", ANSWERED)
def test_what_stands_for_nothing_is_let_through(tmp_path, kind) -> None:
    _check(tmp_path, *ANSWERED[kind])
