"""A file that continues a series, against a loop over its rows; the model is a known rule."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kilnworks.components.predicting.series import continued, rolled
from kilnworks.schemas.contract import dump_contract
from kilnworks.schemas.errors import DataInvalid, RequestInvalid
from kilnworks.schemas.wire import HISTORY_FILE, SERIES_FILE
from tests.components.series.test_grid import contract, rows


def last_value(inputs):
    """The last value of the history, for all steps."""
    last = np.repeat(inputs["y"][:, -1:], 6, axis=1)
    return {"forecast": last, "low": last - 1, "high": last + 1}


def test_each_block_from_midnight_on_is_forecast_from_what_lay_before_it():
    whole = rows(148, start=datetime(2024, 1, 1))
    history, file = whole[:100], whole[100:].sample(fraction=1, shuffle=True, seed=1)
    found = rolled(contract(), history, file, last_value)
    assert found.columns == ["forecast", "low", "high"]
    for moment, forecast in zip(file["at"], found["forecast"], strict=True):
        hour = int((moment - datetime(2024, 1, 1)).total_seconds() // 3600)
        origin = max(100, hour // 6 * 6)
        assert forecast == origin - 1


def test_without_the_label_forecasts_go_on_from_forecasts_and_say_so():
    whole = rows(148)
    file = whole[100:].with_columns(y=pl.lit(None, pl.Float64))
    seen = []
    found = rolled(contract(), whole[:100], file, lambda i: (seen.append(i["y"].copy()), last_value(i))[1])
    assert found["forecast"].to_list() == [99.0] * 48
    assert found["from_forecasts"].to_list() == [0] * 6 + [1] * 42, "as far as the model looks ahead nothing is assumed"
    assert len(seen) == 8
    assert np.isfinite(seen[-1]).all()


def test_behind_the_last_label_forecasts_go_on_from_it():
    whole = rows(148)
    file = whole[100:].with_columns(y=pl.when(pl.col("y") < 121).then(pl.col("y")))
    found = rolled(contract(), whole[:100], file, last_value)
    origins = [max(100, hour // 6 * 6) for hour in range(100, 121)] + [121] * 27
    assert found["forecast"].to_list() == [origin - 1 for origin in origins]
    assert found["from_forecasts"].to_list() == [0] * 27 + [1] * 21


def test_steps_that_are_missing_before_the_file_are_told(caplog):
    whole = rows(148)
    rolled(contract(), whole[:96], whole[100:], last_value)
    assert "No value in the 4 steps before 2024-01-05 04:00:00" in caplog.text
    caplog.clear()
    rolled(contract(), whole[:100], whole[100:], last_value)
    assert not caplog.text


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["wind"], None),
        (["wind", "rain", "y"], None),
        (["rain"], "wind"),
        (["wind", "y"], "rain"),
    ],
    ids=["known ahead alone", "all", "known ahead is gone", "past is gone beside a label"],
)
def test_a_file_holds_what_is_known_of_its_rows(tmp_path, given, told):
    whole = rows(148)
    (tmp_path / HISTORY_FILE).parent.mkdir()
    whole[:100].write_parquet(tmp_path / HISTORY_FILE)
    (tmp_path / SERIES_FILE).write_text(dump_contract(contract()))
    whole[100:].select("at", *given).write_csv(tmp_path / "next.csv")
    if told:
        with pytest.raises(DataInvalid, match=told):
            continued(tmp_path / "next.csv", tmp_path, last_value)
        return
    found = continued(tmp_path / "next.csv", tmp_path, last_value)
    assert ("from_forecasts" in found.columns) == ("y" not in given)
    told = continued(tmp_path / "next.csv", tmp_path, last_value, apart=True)
    assert told.columns == ["at", *found.columns], "which row an answer is of"
    assert told["at"].to_list() == whole["at"][100:].to_list()
    assert found["forecast"].to_list()[:6] == [99.0] * 2 + ([99.0] * 4 if "y" not in given else [101.0] * 4)


def test_groups_are_forecast_each_for_itself():
    whole = pl.concat([rows(60, place=["a"] * 60), rows(60, place=["b"] * 60).with_columns(pl.col("y") + 1000)])
    first = whole.filter(pl.col("at") < datetime(2024, 1, 3))
    file = whole.filter(pl.col("at") >= datetime(2024, 1, 3)).sort("at")
    found = rolled(contract(group="place"), first, file, last_value)
    assert found.height == file.height
    assert ((found["forecast"] >= 1000) == (file["place"] == "b")).all()


def test_answers_of_days_and_groups_say_which_they_are_of(tmp_path):
    """A file of answers held three numbers a row and nothing to join them by."""
    hourly = contract(group="place", horizon=2, window=6)
    assert hourly.series is not None
    daily = hourly.model_copy(update={"series": hourly.series.model_copy(update={"step": "1d"})})
    days = [datetime(2024, 1, 1) + timedelta(days=i) for i in range(20)]
    whole = pl.concat([rows(20, place=[place] * 20).with_columns(at=pl.Series(days)) for place in "ab"])
    later = pl.col("at") >= days[16]
    (tmp_path / HISTORY_FILE).parent.mkdir()
    whole.filter(~later).write_parquet(tmp_path / HISTORY_FILE)
    (tmp_path / SERIES_FILE).write_text(dump_contract(daily))
    whole.filter(later).write_csv(tmp_path / "next.csv")
    ask = lambda sent: {name: np.zeros((len(sent["y"]), 2)) for name in ("forecast", "low", "high")}  # noqa: E731
    told = continued(tmp_path / "next.csv", tmp_path, ask, apart=True)
    assert told.columns == ["place", "at", "forecast", "low", "high"]
    assert told["place"].to_list() == ["a"] * 4 + ["b"] * 4
    assert told["at"].to_list() == [day.date() for day in days[16:]] * 2


def test_a_file_that_begins_long_after_is_refused():
    late = rows(10, start=datetime(2024, 1, 9))
    with pytest.raises(RequestInvalid, match="24 steps before 2024-01-09"):
        rolled(contract(), rows(100), late, last_value)
