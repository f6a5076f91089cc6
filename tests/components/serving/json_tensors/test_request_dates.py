"""Dates of requests: ISO text in both forms of JSON, and the unit of numbers in the request check."""

import json
from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.serving.client import examples
from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.inference.request_check import ContractCheck
from kilnworks.components.serving.json_tensors import predict
from kilnworks.components.serving.wire.moments import dates_of, with_seconds
from kilnworks.schemas.contract import Contract
from tests.components.serving.json_tensors.json_infos import infos

CONTRACT = Contract.model_validate(
    {
        "name": "visits",
        "features": {
            "when": {"dtype": "datetime", "severity": "warning", "nullable": True},
            "born": {"dtype": "datetime", "sensitive": True},
            "note": {"dtype": "string"},
        },
    }
)
JAN_31 = 1_706_677_200
"""2024-01-31T05:00:00Z."""
MISSING = -(2**63)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "contract.json").write_text(json.dumps(CONTRACT.model_dump(mode="json")))
    (tmp_path / "assets.extra" / "inputs.json").write_text(
        json.dumps({"when": {"first": 1_577_836_800, "last": JAN_31}, "born": {"dtype": "int64"}})
    )
    return tmp_path


def arrays(served: Path, body: object) -> dict[str, list[object]]:
    wanted = infos(when="int64", born="int64", note="string")
    dates = dates_of(str(served))
    found = predict.parse(json.dumps(body).encode()).arrays(wanted, lambda tree: with_seconds(tree, dates, None))[0]
    return {name: values.tolist() for name, values in found.items()}


def error(served: Path, body: object) -> str:
    with pytest.raises(ServingError) as raised:
        arrays(served, body)
    assert raised.value.code is Code.INVALID_ARGUMENT
    return raised.value.text


ROWS = [
    {"when": "2024-01-31T05:00:00Z", "born": "1969-12-31", "note": "2024-01-31"},
    {"when": JAN_31, "born": "1969-12-31T00:00:00+01:00", "note": "x"},
    {"when": "", "born": -86_400, "note": "y"},
]
WANTED = {
    "when": [JAN_31, JAN_31, MISSING],
    "born": [-86_400, -90_000, -86_400],
    "note": [b"2024-01-31", b"x", b"y"],
}


def test_rows_and_columns_take_iso_text_beside_numbers(served: Path) -> None:
    assert arrays(served, {"instances": ROWS}) == WANTED
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    assert arrays(served, {"inputs": columns}) == WANTED
    nested = {name: [[value] for value in values] for name, values in columns.items()}
    assert arrays(served, {"inputs": nested}) == {n: [[v] for v in values] for n, values in WANTED.items()}


def test_an_input_without_its_name(served: Path) -> None:
    for body in ({"instances": ["2024-01-31T05:00:00Z", 5]}, {"inputs": ["2024-01-31T05:00:00Z", 5]}):
        parsed = predict.parse(json.dumps(body).encode())
        found, _ = parsed.arrays(infos(when="int64"), lambda tree: with_seconds(tree, {"when": False}, "when"))
        assert found["when"].tolist() == [JAN_31, 5]


@pytest.mark.parametrize("text", ["31.01.2024", "2024-02-30", "soon", "01/02/24"])
def test_other_texts_are_refused_with_row_and_value(served: Path, text: str) -> None:
    words = "must be a moment as ISO 8601 text (2024-01-31T05:00:00Z), or seconds since 1970-01-01 UTC"
    for body in (
        {"instances": [ROWS[0], {**ROWS[1], "when": text}]},
        {"inputs": {"when": ["2024-01-31", text], "born": [0, 0], "note": ["", ""]}},
    ):
        assert error(served, body) == f"The request breaks the contract: column 'when', row 1: {words} (got {text!r})"
    assert "got (masked)" in error(served, {"instances": [{**ROWS[0], "born": text}]})


def test_texts_of_other_inputs_and_of_models_without_a_contract_stay_as_they_are(tmp_path: Path) -> None:
    assert dates_of(str(tmp_path)) == {}
    body = json.dumps({"instances": [{"when": "2024-01-31", "born": 0, "note": ""}]}).encode()
    with pytest.raises(ServingError, match="is not of expected type: int64"):
        predict.parse(body).arrays(infos(when="int64", born="int64", note="string"))


def refusal(served: Path, **inputs: np.ndarray) -> str:
    with pytest.raises(ServingError) as raised:
        ContractCheck()("m", 1, str(served), "serving_default", inputs)
    assert raised.value.code is Code.INVALID_ARGUMENT
    return raised.value.text


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (JAN_31 * 1000, "milliseconds"),
        (JAN_31 * 10**6, "microseconds"),
        (JAN_31 * 10**9, "nanoseconds"),
        (JAN_31 // 1000, "thousands of seconds"),
        (JAN_31 // 86_400, "days"),
    ],
)
def test_a_number_in_another_unit_is_refused_whatever_the_severity(served: Path, value: int, unit: str) -> None:
    text = refusal(served, when=np.array([JAN_31, MISSING, value]))
    words = f"must be seconds since 1970-01-01 UTC, and looks like {unit} (got {value})"
    assert text == f"The request breaks the contract: column 'when', row 2: {words}"
    serialized = [examples.serialize({"when": np.array([v]), "born": np.array([0])}) for v in (JAN_31, value)]
    assert f"'when', row 1: {words}" in refusal(served, inputs=np.array(serialized, object))


def test_a_personal_moment_is_masked_and_seconds_pass(served: Path) -> None:
    assert "'born', row 0: must be seconds since 1970-01-01 UTC (got (masked))" in refusal(
        served, born=np.array([JAN_31 * 1000])
    )
    good = {"when": np.array([JAN_31, MISSING, 0]), "born": np.array([-86_400, 0, JAN_31])}
    ContractCheck()("m", 1, str(served), "serving_default", good)
