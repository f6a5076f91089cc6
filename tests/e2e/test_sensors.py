"""The pipeline ``sensors``: better than the baseline after a few epochs, and its full result every night."""

import json
from pathlib import Path

import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.chains import ROOT

pytestmark = pytest.mark.e2e


def results(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict:
    """The evaluation of one run in a new store."""
    monkeypatch.setenv("KILNWORKS_STORE", str(folder / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert main(["run", "sensors", "--run-id", "one", *more]) == 0
    return json.loads((folder / "store/runs/sensors/one/evaluation/evaluation.json").read_text())


def test_a_few_epochs_are_better_than_the_baseline(tmp_path, monkeypatch) -> None:
    found = results(tmp_path, monkeypatch, "--set", "model.epochs=8")
    ours, forest = found["metrics"]["average_precision"], found["baselines"]["isolation forest"]
    assert ours["low"] > found["baselines"]["isolation forest"]["average_precision"] > 0
    assert ours["value"] > found["baseline"]["metrics"]["average_precision"] > forest["average_precision"]
    assert {one["feature"] for one in found["errors_by_feature"]} == {"humidity", "temperature"}


@pytest.mark.nightly
def test_the_full_result(tmp_path, monkeypatch) -> None:
    found = results(tmp_path, monkeypatch)
    assert found["metrics"]["average_precision"]["value"] >= 0.94
    rows = pl.read_parquet(ROOT / "data/sensors.parquet").filter(pl.col("reading") >= 2200)
    rows.write_parquet(tmp_path / "later.parquet")
    assert main(["predict", "sensors", str(tmp_path / "later.parquet"), "--output", str(tmp_path / "out.csv")]) == 0
    told = pl.read_csv(tmp_path / "out.csv")
    caught = told.filter(rows["unusual"] == 1)["anomaly"]
    assert caught.mean() == pytest.approx(found["metrics"]["recall"]["value"])
