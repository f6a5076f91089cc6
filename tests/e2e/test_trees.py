"""The pipeline ``trees`` from photographs to boxes of whole photographs; they are fetched by data/make_trees.py."""

import json
from pathlib import Path

import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.trees import TREES

pytestmark = pytest.mark.e2e

DATA = Path(__file__).parents[2] / "data/trees"
fetched = pytest.mark.skipif(not (DATA / "boxes.csv").is_file(), reason="fetch them: python data/make_trees.py")


def test_without_photographs_it_is_said_what_is_missing(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert main(["run", TREES.name, "--set", f"examples.source.path={tmp_path / 'boxes.csv'}"]) != 0
    assert "boxes.csv" in capsys.readouterr().err


@fetched
@pytest.mark.nightly
def test_trees_in_full(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert main(["run", TREES.name, "--run-id", "one"]) == 0
    found = json.loads((tmp_path / "store/runs/trees/one/evaluation/evaluation.json").read_text())
    assert found["metrics"]["map50"]["low"] > found["baseline"]["metrics"]["map50"]
    assert sum(one["rows"] for one in found["by_class"]) == 279  # each crown once, however many tiles see it
    photos = DATA / "test"
    assert main(["predict", TREES.name, str(photos), "--output", str(tmp_path / "answers.csv")]) == 0
    table = pl.read_csv(tmp_path / "answers.csv")
    assert table["file"].to_list() == [file.name for file in photos.iterdir()]
    assert len(json.loads(table["boxes"][0])) == table["count"][0] > 50
