"""``kilnworks drift``: a file against the data of the live model, on a light project of its own."""

import numpy as np
import polars as pl
import pytest

from pipelines.cli.app import main
from schemas.champion import ChampionRecord, write_champion

CONTRACT = """
name: small
features:
  a: {dtype: float}
  c: {dtype: string}
label: {name: y, dtype: int, classes: [0, 1]}
"""
DEFINITION = """
from components.ingest import IngestConfig, ingest
from components.sources import CsvSource
from pipelines.core.graph import Pipeline, Step

EXAMPLES = IngestConfig(contract="FOLDER/small.yaml", source=CsvSource(path="FOLDER/a.csv"))
SMALL = Pipeline("small", (Step("examples", ingest, EXAMPLES),))
"""


def rows(seed: int, shift: float = 0.0) -> pl.DataFrame:
    r = np.random.default_rng(seed)
    c = np.array(["x", "y"])[r.integers(0, 2, 2000)]
    return pl.DataFrame({"a": r.normal(size=2000) + shift, "c": c, "y": r.integers(0, 2, 2000)})


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder whose pipeline has a live model."""
    rows(0).write_csv(tmp_path / "a.csv")
    (tmp_path / "small.yaml").write_text(CONTRACT)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "small.py").write_text(DEFINITION.replace("FOLDER", str(tmp_path)))
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "200")
    for place in ("running", "drift"):
        monkeypatch.setattr(f"pipelines.cli.{place}.finish_run", lambda run: run.path / "report.html")
    assert main(["run", "small", "--run-id", "r1"]) == 0
    write_champion(
        tmp_path / "store", ChampionRecord("small", "r1", "small", 1, "nowhere", "2026-01-01T00:00:00+00:00")
    )
    return tmp_path


def test_what_moved_is_named_and_can_close_a_gate(project, capsys):
    rows(1, shift=1.0).drop("y").write_csv(project / "new.csv")
    assert main(["drift", "small", "--data", str(project / "new.csv")]) == 0
    out = capsys.readouterr().out
    assert "1 of 2 features have moved" in out and "kolmogorov smirnov" in out and "report.html" in out
    assert main(["drift", "small", "--data", str(project / "new.csv"), "--most", "0"]) == 99
    assert main(["runs", "small_drift"]) == 0
    assert "skipped" in capsys.readouterr().out


def test_rows_of_the_same_source_have_not_moved(project, capsys):
    rows(2).write_csv(project / "new.csv")
    assert main(["drift", "small", "--data", str(project / "new.csv"), "--most", "0"]) == 0
    assert "0 of 3 features have moved" in capsys.readouterr().out


def test_a_file_that_changed_is_read_again(project, capsys):
    rows(2).write_csv(project / "new.csv")
    main(["drift", "small", "--data", str(project / "new.csv")])
    rows(3, shift=1.0).write_csv(project / "new.csv")
    main(["drift", "small", "--data", str(project / "new.csv")])
    out = capsys.readouterr().out
    assert "0 of 3 features" in out and "1 of 3 features" in out


def test_what_share_of_the_requests_a_log_holds_is_said(project, capsys):
    from components.serving.prediction_records import describe, predict_record
    from components.serving.values import Predicted

    asked, answer = rows(1), Predicted("small", 1, "serving_default", {"score": np.zeros(1)})
    (project / "log").mkdir()
    with (project / "log" / "a.tfrecord").open("wb") as f:
        for part in asked.iter_slices(100):
            texts = np.array([v.encode() for v in part["c"]], dtype=object)
            record = predict_record({"a": part["a"].to_numpy().astype(np.float32), "c": texts}, answer)
            describe(record, answer, 0.01, 1)
            data = record.SerializeToString()
            f.write(len(data).to_bytes(8, "little") + b"\0" * 4 + data + b"\0" * 4)
    assert main(["drift", "small", "--log", str(project / "log")]) == 0
    assert "20 of about 2,000 requests, taken by chance at a rate of 0.01 of requests" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["--data", "a.csv", "--log", "log"]])
def test_a_file_or_a_log_is_wanted(project, capsys, argv):
    assert main(["drift", "small", *argv]) == 2
    assert "--data and --log" in capsys.readouterr().err
