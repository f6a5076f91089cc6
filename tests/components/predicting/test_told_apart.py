"""Answers say which row they are of, and a bad file is told before TensorFlow is there."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from kilnworks.components.predicting.told_apart import told_apart
from kilnworks.schemas.contract import parse_contract

CONTRACT = parse_contract("""
name: c
key: id
features: {age: {dtype: int, min: 0, max: 120}}
label: {name: y, dtype: float}
""")
ROOT = Path(__file__).parents[3]
BAD = """
import sys
from pathlib import Path
from kilnworks.components.predicting.champion import in_process, predictions
from kilnworks.schemas.champion import ChampionRecord
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import RequestInvalid

contract = parse_contract(sys.argv[2])
champion = ChampionRecord("c", "r", "c", 1, sys.argv[1], "now")
try:
    list(predictions(Path(sys.argv[1]) / "rows.csv", contract, in_process(champion)))
except RequestInvalid as error:
    print("must be at most 120" in str(error), "tensorflow" in sys.modules)
"""


def answers(*heights: int):
    return [pl.DataFrame({"value": [0.5] * height}) for height in heights]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_key_of_a_file_is_the_first_column_in_its_order(tmp_path, ending):
    rows = pl.DataFrame({"id": [f"k{7 * i % 5}" for i in range(5)], "age": [30] * 5})
    path = tmp_path / f"rows.{ending}"
    (rows.write_csv if ending == "csv" else rows.write_parquet)(path)
    found = pl.concat(told_apart(answers(2, 3), path, CONTRACT))
    assert found.columns == ["id", "value"] and found["id"].to_list() == rows["id"].to_list()


def test_without_a_key_rows_are_numbered_on_over_batches(tmp_path):
    pl.DataFrame({"age": [30] * 5}).write_csv(tmp_path / "rows.csv")
    found = pl.concat(told_apart(answers(2, 3), tmp_path / "rows.csv", CONTRACT))
    assert found.columns == ["row", "value"] and found["row"].to_list() == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_a_bad_file_is_told_before_tensorflow_is_loaded(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"never opened")
    pl.DataFrame({"age": [30, 150]}).write_csv(tmp_path / "rows.csv")
    text = "name: c\nfeatures: {age: {dtype: int, max: 120}}\nlabel: {name: y, dtype: float}\n"
    command = [sys.executable, "-c", BAD, str(tmp_path), text]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
