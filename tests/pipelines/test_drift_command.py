"""``kilnworks drift``: a file against the data of the live model, on a light project of its own."""

import numpy as np
import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.champion import ChampionRecord, write_champion

CONTRACT = """
name: small
features:
  a: {dtype: float}
  c: {dtype: string}
label: {name: y, dtype: int, classes: [0, 1]}
"""
DEFINITION = """
from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import CsvSource
from kilnworks.pipelines.core.graph import Pipeline, Step

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
        monkeypatch.setattr(f"kilnworks.pipelines.cli.{place}.finish_run", lambda run: run.path / "report.html")
    assert main(["run", "small", "--run-id", "r1"]) == 0
    write_champion(
        tmp_path / "store", ChampionRecord("small", "r1", "small", 1, "nowhere", "2026-01-01T00:00:00+00:00")
    )
    return tmp_path


@pytest.mark.slow
def test_what_moved_is_named_and_can_close_a_gate(project, capsys):
    rows(1, shift=1.0).drop("y").write_csv(project / "new.csv")
    assert main(["drift", "small", "--data", str(project / "new.csv")]) == 0
    out = capsys.readouterr().out
    assert "1 of 2 features have moved" in out and "kolmogorov smirnov" in out and "report.html" in out
    assert main(["drift", "small", "--data", str(project / "new.csv"), "--most", "0"]) == 99
    assert main(["runs", "small_drift"]) == 0
    assert "skipped" in capsys.readouterr().out


@pytest.mark.slow
def test_rows_of_the_same_source_have_not_moved(project, capsys):
    rows(2).write_csv(project / "new.csv")
    assert main(["drift", "small", "--data", str(project / "new.csv"), "--most", "0"]) == 0
    assert "0 of 3 features have moved" in capsys.readouterr().out


@pytest.mark.slow
def test_a_file_that_changed_is_read_again(project, capsys):
    rows(2).write_csv(project / "new.csv")
    main(["drift", "small", "--data", str(project / "new.csv")])
    rows(3, shift=1.0).write_csv(project / "new.csv")
    main(["drift", "small", "--data", str(project / "new.csv")])
    out = capsys.readouterr().out
    assert "0 of 3 features" in out and "1 of 3 features" in out


@pytest.mark.slow
def test_what_share_of_the_requests_a_log_holds_is_said(project, capsys):
    from kilnworks.components.serving.prediction_log.records import describe, predict_record
    from kilnworks.components.serving.wire.values import Predicted

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


@pytest.mark.slow
@pytest.mark.parametrize("argv", [[], ["--data", "a.csv", "--log", "log"]])
def test_a_file_or_a_log_is_wanted(project, capsys, argv):
    assert main(["drift", "small", *argv]) == 2
    assert "--data and --log" in capsys.readouterr().err


FORMATS = """
name: sold
features:
  day: {dtype: datetime}
  price: {dtype: float}
label: null
dates: {day: {format: "%d.%m.%Y"}}
numbers: {price: {decimal: ",", thousands: ".", unit: "€"}}
"""


def sold(path, seed: int, factor: float = 1.0) -> pl.DataFrame:
    """Write prices such as ``1.234,50 €`` on days of 2024; returns the same as numbers and moments."""
    r = np.random.default_rng(seed)
    prices = np.round(r.normal(3000, 500, 1500) * factor, 2)
    days = np.datetime64("2024-01-01") + r.integers(0, 366, 1500)
    marks = str.maketrans(",.", ".,")
    lines = [f"{d.item():%d.%m.%Y};{f'{p:,.2f}'.translate(marks)} €\n" for d, p in zip(days, prices, strict=True)]
    path.write_text("day;price\n" + "".join(lines), encoding="utf-8")
    return pl.DataFrame({"day": days.astype("datetime64[us]"), "price": prices})


def log_of(folder, frame: pl.DataFrame) -> None:
    """What a server would log of these rows: seconds since 1970, and numbers."""
    from kilnworks.components.serving.prediction_log.records import describe, predict_record
    from kilnworks.components.serving.wire.values import Predicted

    answer = Predicted("sold", 1, "serving_default", {"score": np.zeros(1)})
    folder.mkdir()
    inputs = {"day": frame["day"].dt.epoch("s").to_numpy(), "price": frame["price"].to_numpy().astype(np.float32)}
    record = predict_record(inputs, answer)
    describe(record, answer, 1.0, 1)
    data = record.SerializeToString()
    (folder / "a.tfrecord").write_bytes(len(data).to_bytes(8, "little") + b"\0" * 4 + data + b"\0" * 4)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["pr [1]", "pr*", "Büro {a,b}, 2#%20"])
def test_formats_and_odd_names_in_a_file_and_in_a_log(tmp_path, monkeypatch, capsys, place):
    folder = tmp_path / place
    (folder / "pipelines").mkdir(parents=True)
    monkeypatch.setenv("KILNWORKS_ROOT", str(folder))
    monkeypatch.setenv("KILNWORKS_STORE", str(folder / f"store {place}"))
    monkeypatch.setenv("COLUMNS", "200")
    for command in ("running", "drift"):
        monkeypatch.setattr(f"kilnworks.pipelines.cli.{command}.finish_run", lambda run: run.path / "report.html")
    data = folder / f"{place}.csv"
    sold(data, 0)
    (folder / "sold.yaml").write_text(FORMATS, encoding="utf-8")
    given = {"contract": str(folder / "sold.yaml"), "source": {"kind": "csv", "path": str(data), "separator": ";"}}
    (folder / "pipelines" / "sold.py").write_text(
        "from kilnworks.components.ingest import IngestConfig, ingest\n"
        "from kilnworks.pipelines.core.graph import Pipeline, Step\n"
        f"SOLD = Pipeline('sold', (Step('examples', ingest, IngestConfig.model_validate({given!r})),))\n",
        encoding="utf-8",
    )
    assert main(["run", "sold", "--run-id", "r1"]) == 0
    record = ChampionRecord("sold", "r1", "sold", 1, "nowhere", "2026-01-01T00:00:00+00:00")
    write_champion(folder / f"store {place}", record)
    for factor, moved in ((1.0, "0 of 2 features"), (1.3, "1 of 2 features")):
        new = folder / f"new {factor} [2]*.csv"
        frame = sold(new, 1, factor)
        log_of(folder / f"log {factor} {place}", frame)
        for asked in (("--data", str(new)), ("--log", str(folder / f"log {factor} {place}"))):
            capsys.readouterr()
            assert main(["drift", "sold", *asked]) == 0
            assert moved in capsys.readouterr().out, asked
