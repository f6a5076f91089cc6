"""Ranges by what a column is, and bounds that a fault of factor ten breaks."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.quality.contracts.closed_ranges import closed_range, guarded
from kilnworks.components.quality.contracts.infer import infer_contract

R = np.random.default_rng(0)
MINUTES = R.integers(0, 1440, 500)


@pytest.mark.parametrize(
    ("name", "values", "wanted"),
    [
        ("Month", R.integers(2, 11, 300), (1, 12)),
        ("birth_month", R.integers(0, 12, 300), (0, 11)),
        ("DayOfWeek", R.integers(1, 8, 300), (1, 7)),
        ("weekday", R.integers(0, 7, 300), (0, 6)),
        ("DayofMonth", R.integers(1, 32, 300), (1, 31)),
        ("hour", R.integers(5, 24, 300), (0, 23)),
        ("hour", R.uniform(11, 20.9, 300), (0, 24)),
        ("hours", R.uniform(1, 12, 300), None),
        ("Quarter", R.integers(1, 5, 300), (1, 4)),
        ("CRSDepTime", MINUTES // 60 * 100 + MINUTES % 60, (0, 2359)),
        ("humidity_pct", R.uniform(30, 99, 300), (0, 100)),
        ("latitude", R.uniform(46, 55, 300), (-90, 90)),
        ("months", R.integers(0, 73, 300), None),
        ("tenure_month", R.integers(1, 4, 300), (1, 12)),
        ("time", R.integers(0, 2400, 900), None),
        ("amount", R.integers(1, 12, 300), None),
        ("day", R.integers(1, 4, 300), None),
    ],
)
def test_what_a_column_is_tells_its_range(name, values, wanted):
    values = np.asarray(values, np.float64)
    whole = bool((values == np.round(values)).all())
    assert closed_range(name, np.append(values, np.nan), whole=whole) == wanted


@pytest.mark.parametrize(
    "draw", [R.lognormal, R.standard_normal, R.random, R.exponential, lambda size: 3 + R.random(size)]
)
def test_a_fault_of_factor_ten_is_out_of_the_range(tmp_path, draw):
    values = np.round(draw(size=800) * 37, 3)
    frame = pl.DataFrame({"load": values, "y": R.choice(["a", "b"], 800)})
    frame.write_csv(tmp_path / "rows.csv")
    rule = infer_contract(tmp_path / "rows.csv", "y").features["load"]
    assert rule.min is not None and rule.max is not None
    assert ((values >= rule.min) & (values <= rule.max)).all()
    wrong = values * 10
    assert ((wrong < rule.min) | (wrong > rule.max)).any()


def test_ends_that_say_nothing_are_drawn_in():
    values = np.array([5.0, 900.0, 2300.0, np.nan])
    assert guarded((-15_000.0, 30_000.0), values) == (-2300.0, 12_000.0)
    assert guarded((0.0, None), values) == (0.0, None)
    assert guarded((-40.0, 30.0), np.array([-3.0, 8.0])) == (-40.0, 30.0)


@pytest.mark.slow
def test_months_that_go_on_have_their_range(tmp_path):
    days = np.arange(np.datetime64("2023-01-01"), np.datetime64("2023-12-01"))
    frame = pl.DataFrame({"on": days, "load": R.normal(size=len(days)), "y": R.choice(["a", "b"], len(days))})
    frame = frame.with_columns(month=pl.col("on").dt.month(), day=pl.col("on").dt.day())
    frame.write_csv(tmp_path / "rows.csv")
    features = infer_contract(tmp_path / "rows.csv", "y").features
    assert (features["month"].min, features["month"].max) == (1, 12)
    assert (features["day"].min, features["day"].max) == (1, 31)
