"""Series, texts and sequences that a first look cannot take, or takes all the same: what is said of each."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kilnworks.components.starting.start import start
from kilnworks.schemas.errors import ConfigError, DataInvalid, DataUnreadable, UnknownName

HOURS = pl.DataFrame(
    {
        "hour": [datetime(2024, 1, 1) + timedelta(hours=i) for i in range(700)],
        "temp": np.random.default_rng(0).normal(10, 3, 700).round(2),
        "count": np.random.default_rng(1).integers(20, 90, 700),
    }
)
TWICE = pl.concat([HOURS, HOURS[10:12]])
BESIDE = (
    HOURS.with_row_index("i").with_columns(hour=pl.col("hour") + pl.duration(minutes=7 * (pl.col("i") == 5))).drop("i")
)


def series(folder, rows: pl.DataFrame, **options):
    rows.write_csv(folder / "hours.csv")
    return start("b", str(folder / "hours.csv"), label="count", **{"horizon": 24, **options})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "options", "error", "got", "wanted"),
    [
        (TWICE, {}, ConfigError, "4 rows share their moment in 'hour'", "one row a moment"),
        (BESIDE, {}, ConfigError, "2 of 699 moments in 'hour' lie beside the most frequent step of 1h", "regular step"),
        (HOURS, {"horizon": 600}, ConfigError, "a horizon of 600 steps", "of each series"),
        (HOURS, {"ahead": ("rain",)}, UnknownName, "no column 'rain'", "one of count, hour, temp"),
        (HOURS.drop("hour"), {}, ConfigError, "no column of moments", "when each row was measured"),
    ],
    ids=["twice", "beside the step", "horizon", "known ahead", "no moments"],
)
def test_a_series_that_is_none_is_refused(tmp_path, rows, options, error, got, wanted) -> None:
    with pytest.raises(error) as raised:
        series(tmp_path, rows, **options)
    assert got in str(raised.value) and wanted in str(raised.value) and "to do:" in str(raised.value)


def test_a_gap_in_time_is_steps_without_a_value(tmp_path) -> None:
    recipe = series(tmp_path, pl.concat([HOURS[:300], HOURS[350:]]))
    assert recipe.contract.series.step == "1h" and recipe.rows == 650


def _lists(folder, form: str) -> str:
    rows = [[[1.0, 2.0]] * (6 if i == 3 else 5) for i in range(60)]
    frame = pl.DataFrame({"course": rows, "y": [i % 2 for i in range(60)]})
    getattr(frame, {"parquet": "write_parquet", "jsonl": "write_ndjson"}[form])(folder / f"rows.{form}")
    return str(folder / f"rows.{form}")


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_sequences_of_unequal_length_are_refused_by_name(tmp_path, form) -> None:
    with pytest.raises(DataInvalid, match="column course: 5 steps in one row, 6 in another") as raised:
        start("u", _lists(tmp_path, form), label="y")
    assert "fill shorter sequences with NaN" in str(raised.value)


def test_arrays_of_unequal_length_are_refused_by_name(tmp_path) -> None:
    np.savez(tmp_path / "u.npz", course=np.zeros((5, 6, 2)), y=np.arange(7))
    with pytest.raises(DataUnreadable, match="rows by array: course: 5, y: 7"):
        start("u", str(tmp_path / "u.npz"), label="y")


def test_texts_that_are_all_empty_are_refused_and_a_few_are_not(tmp_path) -> None:
    draw = np.random.default_rng(0)
    words = np.array(["good", "bad", "fine", "poor", "film", "plot", "scene", "music", "camera", "story"])
    texts = [" ".join(draw.choice(words, 9)) for _ in range(300)]
    stars = [i % 2 for i in range(300)]
    pl.DataFrame({"review": ["", "", *texts[2:]], "stars": stars}).write_csv(tmp_path / "some.csv")
    assert start("e", str(tmp_path / "some.csv"), label="stars").contract.features["review"].text
    pl.DataFrame({"review": [""] * 300, "stars": stars}).write_csv(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="no column can be a feature: review"):
        start("e", str(tmp_path / "none.csv"), label="stars")
