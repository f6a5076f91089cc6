"""What is decided about series of two columns, whose past alone is known."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kilnworks.components.starting.open_data import kind_of
from kilnworks.components.starting.series import start_with_series


@pytest.mark.parametrize(("hours", "back"), [(1, "days"), (24, "steps"), (168, "steps")])
def test_what_lies_back_is_told_in_days_or_in_steps(tmp_path, hours, back):
    path = tmp_path / "sold.csv"
    at = [datetime(2015, 1, 1) + timedelta(hours=hours * i) for i in range(600)]
    sold = np.random.default_rng(0).normal(100, 8, 600).round(1)
    pl.DataFrame({"at": at, "sold": sold}).write_csv(path)
    recipe = start_with_series("sold", str(path), kind_of(str(path)), horizon=7, label="sold")
    assert recipe.contract.features == {} and recipe.contract.time == "at"
    told = {one.what: one for one in recipe.decisions}
    assert told["views"].choice.startswith(f"half of them see all {back}, half 1, 2 and 7 {back} before")
    assert told["model"].choice.endswith(f"over the last {back}")
