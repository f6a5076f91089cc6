"""Rows that a model cannot answer: named with their line, before or after the model is asked."""

from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.predicting.champion import predictions
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import RequestInvalid

CONTRACT = Contract.model_validate(
    {
        "name": "c",
        "features": {
            "x": {"dtype": "float", "nullable": True, "severity": "warning"},
            "shop": {"dtype": "int", "nullable": True, "allowed": [2**53, 2**53 + 1], "severity": "warning"},
        },
        "label": {"name": "y", "dtype": "float"},
    }
)


def doubled(inputs):
    """A model that overflows as a network does."""
    with np.errstate(over="ignore"):
        return {"score": inputs["x"] * np.float32(1e10)}


def rows(folder: Path, values: list[str]) -> Path:
    """A file with these values of ``x``; the line below the header is empty."""
    (folder / "rows.csv").write_text("x,shop\n\n" + "".join(f"{v},9007199254740993\n" for v in values))
    return folder / "rows.csv"


@pytest.mark.parametrize("value", ["inf", "-inf", "1e39", "1e308", "1e400"])
def test_what_float32_cannot_hold_is_refused_before_the_model_is_asked(tmp_path, value):
    """Although the column's own rules only warn."""
    with pytest.raises(RequestInvalid) as refused:
        list(predictions(rows(tmp_path, ["1", "2", value]), CONTRACT, doubled))
    assert "column 'x', row 3" in str(refused.value)
    assert "must be a finite number of at most 3.4e+38" in str(refused.value)
    assert f"row 3 is line 5 of {tmp_path / 'rows.csv'}" in str(refused.value)


def test_an_answer_that_is_no_number_is_an_error(tmp_path):
    """The row, its line, and the number that did it."""
    file = rows(tmp_path, ["1"] * 1500 + ["3e38"] + ["2"])
    with pytest.raises(RequestInvalid, match="not a finite number for 1 of 478 rows") as refused:
        list(predictions(file, CONTRACT, doubled))
    assert f"row 1501, line 1503 of {file}; its largest number is 'x' = 3e+38" in str(refused.value)


def test_the_advice_helps(tmp_path):
    """A limit in the contract refuses such a row before it is asked."""
    features = {**CONTRACT.model_dump()["features"], "x": {"dtype": "float", "max": 1e6}}
    limited = Contract.model_validate({**CONTRACT.model_dump(), "features": features})
    with pytest.raises(RequestInvalid, match="at most 1000000"):
        list(predictions(rows(tmp_path, ["1", "3e38"]), limited, doubled))
    (answers,) = predictions(rows(tmp_path, ["1", "2"]), limited, doubled)
    assert answers.height == 2


def test_missing_and_long_numbers_are_asked_as_they_are(tmp_path):
    """NaN for the one, every digit for the other."""
    asked = {}

    def keep(inputs):
        asked.update(inputs)
        return {"score": np.zeros(len(inputs["x"]), np.float32)}

    (tmp_path / "rows.csv").write_text("x,shop\n,9007199254740993\n1,\n")
    list(predictions(tmp_path / "rows.csv", CONTRACT, keep))
    assert np.isnan(asked["x"][0])
    assert asked["shop"].tolist() == [9007199254740993, -(2**63)]
