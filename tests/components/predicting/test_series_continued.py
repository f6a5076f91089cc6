"""A file that continues a series, against a loop over its rows; the model is a known rule."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from kilnworks.components.predicting.series import rolled
from kilnworks.schemas.errors import RequestInvalid
from tests.components.series.test_grid import contract, rows


def last_value(inputs):
    """The last value of the history, for all steps."""
    last = np.repeat(inputs["y"][:, -1:], 6, axis=1)
    return {"forecast": last, "low": last - 1, "high": last + 1}


def test_each_block_from_midnight_on_is_forecast_from_what_lay_before_it():
    whole = rows(148, start=datetime(2024, 1, 1))
    history, file = whole[:100], whole[100:].sample(fraction=1, shuffle=True, seed=1)
    found = rolled(contract(), history, file, last_value, labelled=True)
    assert found.columns == ["forecast", "low", "high"]
    for moment, forecast in zip(file["at"], found["forecast"], strict=True):
        hour = int((moment - datetime(2024, 1, 1)).total_seconds() // 3600)
        origin = max(100, hour // 6 * 6)
        assert forecast == origin - 1


def test_without_the_label_forecasts_go_on_from_forecasts_and_say_so():
    whole = rows(148)
    file = whole[100:].with_columns(y=pl.lit(None, pl.Float64))
    seen = []
    found = rolled(
        contract(), whole[:100], file, lambda i: (seen.append(i["y"].copy()), last_value(i))[1], labelled=False
    )
    assert found["forecast"].to_list() == [99.0] * 48
    assert found["from_forecasts"].to_list() == [0] * 2 + [1] * 46
    assert len(seen) == 9
    assert np.isfinite(seen[-1]).all()


def test_groups_are_forecast_each_for_itself():
    whole = pl.concat([rows(60, place=["a"] * 60), rows(60, place=["b"] * 60).with_columns(pl.col("y") + 1000)])
    first = whole.filter(pl.col("at") < datetime(2024, 1, 3))
    file = whole.filter(pl.col("at") >= datetime(2024, 1, 3)).sort("at")
    found = rolled(contract(group="place"), first, file, last_value, labelled=True)
    assert found.height == file.height
    assert ((found["forecast"] >= 1000) == (file["place"] == "b")).all()


def test_a_file_that_begins_long_after_is_refused():
    late = rows(10, start=datetime(2024, 1, 9))
    with pytest.raises(RequestInvalid, match="24 steps before 2024-01-09"):
        rolled(contract(), rows(100), late, last_value, labelled=True)
