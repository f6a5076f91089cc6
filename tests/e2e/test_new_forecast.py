"""``new --horizon`` on a raw file of hourly counts, then ``run`` and ``predict`` of a file that goes on."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.files import read_json

pytestmark = pytest.mark.e2e

HOURS = 3000


def counts(hours: int) -> pl.DataFrame:
    """Counts that follow the hour and the temperature, with a gap of a day."""
    rng = np.random.default_rng(4)
    at = [datetime(2024, 1, 1) + timedelta(hours=h) for h in range(hours)]
    temperature = 10 + np.cumsum(rng.normal(0, 0.5, hours)) * 0.3
    day = 1 + np.sin(2 * np.pi * (np.arange(hours) % 24) / 24)
    rides = rng.poisson(np.maximum(1, 200 * day * np.exp(0.08 * (temperature - 10))))
    frame = pl.DataFrame({"hour": at, "rides": rides, "temperature": temperature.round(2)})
    return pl.concat([frame[:300], frame[324:]])


def test_counts_are_forecast_from_a_raw_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    rows = counts(HOURS)
    rows[:-48].write_csv(tmp_path / "hours.csv")
    asked = ["--label", "rides", "--horizon", "24", "--known-ahead", "temperature"]
    assert main(["new", "bikes", "--data", str(tmp_path / "hours.csv"), *asked]) == 0, capsys.readouterr().err
    written = (tmp_path / "pipelines/bikes.py").read_text()
    assert all(
        part in written
        for part in (
            'EvaluateConfig(max={"relative_mae": 1.0}, use="low")',
            "members=6",
            "View(around=1)",
            "View(days=(1, 2, 7), around=1, before=False)",
            "root=True",
        )
    ), written
    assert main(["run", "bikes", "--run-id", "one", "--set", "model.epochs=3", "--promote"]) == 0
    found = read_json(tmp_path / "store/runs/bikes/one/evaluation/evaluation.json")
    assert found["metrics"]["relative_mae"]["high"] < 1, "better than the value of a season before"
    assert found["gate"]["rule"].startswith("relative_mae at most 1 on test, judged by the worse end")
    rows[-48:].write_csv(tmp_path / "next.csv")
    assert main(["predict", "bikes", str(tmp_path / "next.csv"), "--output", str(tmp_path / "out.csv")]) == 0
    told = pl.read_csv(tmp_path / "out.csv")
    assert told.columns[-3:] == ["forecast", "low", "high"] and told.height == 48
    assert (told["low"] <= told["forecast"]).all() and (told["low"] >= 0).all()
    apart = (told["forecast"] - rows[-48:]["rides"]).abs().mean()
    assert apart < (rows["rides"][-48:] - rows["rides"][-48 - 168 : -168]).abs().mean()


def test_a_forecast_of_its_own_past_alone_goes_live_where_last_week_does_not_beat_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    rng = np.random.default_rng(4)
    week = rng.normal(100, 30, 168)  # every week is as the one before
    at = [datetime(2024, 1, 1) + timedelta(hours=h) for h in range(1000)]
    load = np.resize(week, 1000) + rng.normal(0, 0.5, 1000)
    pl.DataFrame({"hour": at, "load": load}).write_csv(tmp_path / "hours.csv")
    assert main(["new", "town", "--data", str(tmp_path / "hours.csv"), "--label", "load", "--horizon", "24"]) == 0
    assert "better than the value of a season before" in capsys.readouterr().out
    main(["run", "town", "--run-id", "one", "--set", "model.epochs=1", "--promote"])
    assert "evaluation gate closed: relative_mae" in capsys.readouterr().out
    assert not (tmp_path / "store/serving/town").exists()
    loose = ["--set", "evaluation.max.relative_mae=100", "--promote"]
    assert main(["run", "town", "--set", "model.epochs=1", *loose]) == 0
    times = [at[-1] + timedelta(hours=h) for h in range(1, 25)]
    pl.DataFrame({"hour": times}).write_csv(tmp_path / "next.csv")
    assert main(["predict", "town", str(tmp_path / "next.csv"), "--output", str(tmp_path / "out.csv")]) == 0
    right = np.resize(week, 1024)[1000:]
    assert np.abs(pl.read_csv(tmp_path / "out.csv")["forecast"].to_numpy() - right).mean() < 10
