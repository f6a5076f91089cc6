"""Answers say which row they are of, and a bad file is told before TensorFlow is there."""

import os
import subprocess
import sys
from dataclasses import asdict

import polars as pl
import pytest

from kilnworks.components.predicting.told_apart import told_apart
from kilnworks.schemas.champion import ChampionRecord
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.files import write_json
from kilnworks.schemas.wire import CONTRACT_FILE

CONTRACT = parse_contract("""
name: c
key: id
features: {age: {dtype: int, min: 0, max: 120}}
label: {name: y, dtype: float}
""")
DEFINITION = """
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.sources import CsvSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.schemas.contract import parse_contract

CONTRACT = parse_contract("{name: c, features: {age: {dtype: int, max: 120}}, label: {name: y, dtype: float}}")
C = supervised("c", IngestConfig(contract=CONTRACT, source=CsvSource(path="rows.csv")), TrainConfig(model=Mlp()))
"""
BAD = """
import sys
from kilnworks.pipelines.cli.app import main

print(main(["predict", "c", "rows.csv"]), "tensorflow" in sys.modules)
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
def test_predict_tells_what_is_wrong_with_a_file_before_tensorflow_is_loaded(tmp_path):
    model, contract = tmp_path / "store/serving/c/1", {"name": "c", "features": {"age": {"dtype": "int", "max": 120}}}
    (model / CONTRACT_FILE).parent.mkdir(parents=True)
    (tmp_path / "store/champions").mkdir()
    (model / "saved_model.pb").write_bytes(b"never opened")
    write_json(model / CONTRACT_FILE, {**contract, "label": {"name": "y", "dtype": "float"}})
    write_json(tmp_path / "store/champions/c.json", asdict(ChampionRecord("c", "r", "c", 1, str(model), "now")))
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/c.py").write_text(DEFINITION)
    pl.DataFrame({"age": [30, 150]}).write_csv(tmp_path / "rows.csv")
    env = {**os.environ, "KILNWORKS_ROOT": str(tmp_path), "KILNWORKS_STORE": str(tmp_path / "store")}
    command = [sys.executable, "-c", BAD]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
    assert "column 'age', row 2 (got 150): must be at most 120" in done.stderr
