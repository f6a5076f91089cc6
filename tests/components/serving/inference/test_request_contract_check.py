"""The contract check of requests, against the rules that the rest of the project applies to frames."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.features.raw import raw_arrays
from kilnworks.components.predicting.champion import champion_contract
from kilnworks.components.quality.rows.row_rules import broken_rules
from kilnworks.components.serving.client import examples
from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.inference.request_check import ContractCheck
from kilnworks.components.serving.wire.moments import dates_of
from kilnworks.schemas.champion import ChampionRecord
from kilnworks.schemas.contract import Contract

CONTRACT = Contract.model_validate(
    {
        "name": "people",
        "features": {
            "age": {"dtype": "int", "min": 0, "max": 120, "unit": "years"},
            "income": {"dtype": "float", "nullable": True, "min": 0},
            "visits": {"dtype": "int", "nullable": True, "max": 9},
            "member": {"dtype": "bool"},
            "plan": {"dtype": "string", "allowed": ["basic", "gold"]},
            "code": {"dtype": "string", "nullable": True, "min_length": 2, "max_length": 3, "regex": "[a-z]+"},
            "pair": {"dtype": "float", "shape": [2], "max": 1},
            "hint": {"dtype": "int", "max": 5, "severity": "warning"},
            "secret": {"dtype": "string", "allowed": ["x"], "sensitive": True},
            "seen": {"dtype": "datetime"},
        },
    }
)
GOOD = {
    "age": 30,
    "income": 10.5,
    "visits": 2,
    "member": True,
    "plan": "gold",
    "code": "abc",
    "pair": [0.5, 1.0],
    "hint": 1,
    "secret": "x",
    "seen": 0,
}
SCHEMA = {
    "age": pl.Int64,
    "income": pl.Float64,
    "visits": pl.Int64,
    "member": pl.Boolean,
    "plan": pl.String,
    "code": pl.String,
    "pair": pl.List(pl.Float32),
    "hint": pl.Int64,
    "secret": pl.String,
    "seen": pl.Datetime("us"),
}


@pytest.fixture
def served(tmp_path: Path) -> Path:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "contract.json").write_text(json.dumps(CONTRACT.model_dump(mode="json")))
    return tmp_path


def frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, strict=False)


def inputs(rows: list[dict[str, object]]) -> dict[str, np.ndarray]:
    arrays = raw_arrays(CONTRACT, frame(rows))
    return {n: np.array([v.encode() for v in a], object) if a.dtype == object else a for n, a in arrays.items()}


def refusal(served: Path, arrays: dict[str, np.ndarray]) -> str:
    with pytest.raises(ServingError) as raised:
        ContractCheck()("m", 1, str(served), "serving_default", arrays)
    assert raised.value.code is Code.INVALID_ARGUMENT
    return raised.value.text


def test_good_rows_pass(served: Path) -> None:
    check = ContractCheck()
    missing = {**GOOD, "income": None, "visits": None, "code": None}
    for rows in ([GOOD], [GOOD, missing, {**GOOD, "hint": 99}]):
        check("m", 1, str(served), "serving_default", inputs(rows))


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("age", 150, "must be at most 120 years (got 150)"),
        ("age", 123456789, "must be at most 120 years (got 123456789)"),
        ("age", -1, "must be at least 0 years (got -1)"),
        ("income", -1234.5625, "must be at least 0 (got -1234.5625)"),
        ("income", -0.5, "must be at least 0 (got -0.5)"),
        ("income", float("inf"), "must be a finite number of at most 3.4e+38 (got inf)"),
        ("visits", 10, "must be at most 9 (got 10)"),
        ("plan", "silver", "must be one of basic, gold (got 'silver')"),
        ("plan", None, "must be present (got nothing)"),
        ("code", "a", "must be at least 2 characters (got 'a')"),
        ("code", "abcd", "must be at most 3 characters (got 'abcd')"),
        ("code", "12", "must be matching [a-z]+ (got '12')"),
        ("pair", [0.5, 1.5], "must be at most 1 (got values from 0.5 to 1.5)"),
        ("secret", "y", "must be one of x (got (masked))"),
    ],
)
def test_each_rule_names_column_row_rule_and_value(served: Path, column: str, value: object, text: str) -> None:
    rows = [GOOD, {**GOOD, column: value}]
    assert refusal(served, inputs(rows)) == f"The request breaks the contract: column {column!r}, row 1: {text}"
    broken = [b for b in broken_rules(CONTRACT, frame(rows)) if b.severity == "critical"]
    assert [(b.column, b.rows.to_list()) for b in broken] == [(column, [1])], "the frame's rules say the same"


def test_what_only_arrays_can_hold(served: Path) -> None:
    good = inputs([GOOD])
    assert "column 'visits', row 0: must be a whole number (got 1.5)" in refusal(
        served, {**good, "visits": np.array([1.5], np.float32)}
    )
    assert "column 'plan', row 0: must be UTF-8 text" in refusal(served, {**good, "plan": np.array([b"\xff"], object)})
    assert "column 'age': must have the shape [n] (got [1, 1])" in refusal(served, {**good, "age": np.array([[1]])})
    assert "column 'seen', row 0: must be present" in refusal(served, {**good, "seen": np.array([-(2**63)])})
    nan = np.array([[np.nan, 1]], np.float32)
    assert "column 'pair', row 0: must be present" in refusal(served, {**good, "pair": nan})


def test_a_wrong_dtype_is_left_to_the_signature(served: Path) -> None:
    good = inputs([GOOD])
    texts = np.array([b"x"], object)
    wrong = {**good, "age": texts, "pair": texts, "plan": np.array([5])}
    ContractCheck()("m", 1, str(served), "", wrong)
    text = refusal(served, {**wrong, "income": np.array([-1.0], np.float32)})
    assert "column 'income', row 0" in text and text.count("column ") == 1, "the other columns are checked"


def test_many_problems_are_counted(served: Path) -> None:
    bad = {**GOOD, "age": 150, "income": -1.0, "visits": 99, "plan": "?", "code": "1", "secret": "?"}
    text = refusal(served, inputs([bad]))
    assert text.count("column ") == 5 and text.endswith("; and 2 more")


def test_serialized_examples(served: Path) -> None:
    def row(**changes: object) -> bytes:
        values = {**GOOD, "visits": 2.0, **changes}
        return examples.serialize({k: v for k, v in values.items() if v is not None})

    def batch(*rows: bytes) -> dict[str, np.ndarray]:
        array = np.empty(len(rows), object)
        array[:] = rows
        return {"examples": array}

    ContractCheck()("m", 1, str(served), "serve_tf_example", batch(row(), row(code=None, income=None)))
    assert "column 'age', row 1: must be at most 120 years (got 150)" in refusal(served, batch(row(), row(age=150)))
    assert "column 'plan', row 0: must be present" in refusal(served, batch(row(plan=None)))
    ContractCheck()("m", 1, str(served), "serve_tf_example", batch(b"\xff\xff"))


def test_without_a_contract_nothing_is_checked(tmp_path: Path) -> None:
    check = ContractCheck()
    for _ in range(2):
        check("m", 1, str(tmp_path), "serving_default", {"age": np.array([999])})


def test_a_broken_contract_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "contract.json").write_text("{")
    with pytest.raises(ServingError) as raised:
        ContractCheck()("m", 1, str(tmp_path), "serving_default", {})
    assert raised.value.code is Code.INTERNAL


def test_a_pattern_of_an_earlier_release_is_not_checked_and_that_is_logged(tmp_path: Path, caplog) -> None:
    """Python's look-ahead and ``\\Z`` beside a model that answers already: every other rule holds as before."""
    features = {
        "code": {"dtype": "string", "regex": "(?=a)[a-z]+\\Z", "max_length": 3},
        "plan": {"dtype": "string", "regex": "[a-z]+$"},
    }
    (tmp_path / "assets.extra").mkdir()
    path = tmp_path / "assets.extra" / "contract.json"
    path.write_text(json.dumps({"name": "old", "features": features, "label": None}))
    check = ContractCheck()

    def ask(code: bytes, plan: bytes) -> None:
        inputs = {n: np.array([v], dtype=object) for n, v in (("code", code), ("plan", plan))}
        check("old", 1, str(tmp_path), "serving_default", inputs)

    ask(b"zzz", b"gold")
    told = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(told) == 1 and "old version 1: column 'code': the pattern" in told[0] and "is not checked" in told[0]
    for code, plan, words in ((b"long", b"gold", "'code', row 0"), (b"abc", b"GOLD", "'plan', row 0")):
        with pytest.raises(ServingError, match=words) as raised:
            ask(code, plan)
        assert raised.value.code is Code.INVALID_ARGUMENT
    moments = dates_of(str(tmp_path))
    assert moments == {}
    record = ChampionRecord("old", "r1", "old", 1, str(tmp_path), "2026-01-01T00:00:00+00:00")
    contract = champion_contract(record)
    assert contract.features["code"].regex is None and contract.features["plan"].regex == "[a-z]+$"


def long_numbers(tmp_path: Path) -> Path:
    """A model with columns that only warn, and a list of long codes that may be missing."""
    features = {
        "size": {"dtype": "float", "nullable": True, "severity": "warning"},
        "grid": {"dtype": "float", "shape": [2], "severity": "warning"},
        "shop": {"dtype": "int", "nullable": True, "allowed": [2**53, 2**53 + 1]},
    }
    contract = Contract.model_validate({"name": "long", "features": features})
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "contract.json").write_text(json.dumps(contract.model_dump(mode="json")))
    return tmp_path


def asked(size: float, shop: int, grid: float = 0.0) -> dict[str, np.ndarray]:
    """One good row, and one with these values."""
    with np.errstate(over="ignore"):
        return {
            "size": np.array([1.0, size], np.float32),
            "grid": np.array([[0, 0], [0, grid]], np.float32),
            "shop": np.array([2**53, shop], np.int64),
        }


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 1e39])
def test_infinite_numbers_are_refused_even_where_a_column_only_warns(tmp_path: Path, value: float) -> None:
    path = long_numbers(tmp_path)
    for column, request in (("size", asked(value, 2**53)), ("grid", asked(1, 2**53, value))):
        text = refusal(path, request)
        assert f"column {column!r}, row 1: must be a finite number of at most 3.4e+38" in text


@pytest.mark.parametrize("rule", [{"allowed": [0.0, 1e300]}, {"max": 1e300}, {"min": -1e300}])
def test_a_bound_beyond_float32_is_no_trouble(tmp_path: Path, rule: dict[str, object]) -> None:
    contract = Contract.model_validate({"name": "x", "features": {"size": {"dtype": "float", **rule}}})
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "contract.json").write_text(json.dumps(contract.model_dump(mode="json")))
    ContractCheck()("x", 1, str(tmp_path), "serving_default", {"size": np.zeros(2, np.float32)})
    if "allowed" in rule:
        assert "column 'size', row 1: must be one of" in refusal(tmp_path, {"size": np.array([0, 1], np.float32)})


def test_long_codes_are_compared_digit_by_digit_and_the_smallest_int64_is_missing(tmp_path: Path) -> None:
    path = long_numbers(tmp_path)
    assert "column 'shop', row 1: must be one of 9007199254740992, 9007199254740993 (got 9007199254740994)" in refusal(
        path, asked(1, 2**53 + 2)
    )
    check = ContractCheck()
    for shop in (2**53 + 1, -(2**63)):
        check("long", 1, str(path), "serving_default", asked(float("nan"), shop))


def test_long_codes_in_examples_keep_their_digits_beside_missing_ones(tmp_path: Path) -> None:
    path = long_numbers(tmp_path)
    rows = [{"size": [1.0], "grid": [0.0, 0.0]}, {"size": [1.0], "grid": [0.0, 0.0], "shop": [2**53 + 1]}]
    serialized = {"examples": np.array([examples.serialize(row) for row in rows], object)}
    ContractCheck()("long", 1, str(path), "serve_tf_example", serialized)
    rows[1]["shop"] = [2**53 + 3]
    serialized = {"examples": np.array([examples.serialize(row) for row in rows], object)}
    assert "got 9007199254740995" in refusal(path, serialized)
