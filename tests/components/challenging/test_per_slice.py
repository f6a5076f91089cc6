"""Slices of the rows, each with its own bounds, and Holm's correction over all of them."""

from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from kilnworks.components.challenging.gain import Gain
from kilnworks.components.challenging.paired import share_gain
from kilnworks.components.challenging.per_slice import judged, measured, shown_worse
from kilnworks.components.judging.slices import check_columns
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError

CONTRACT = Contract.model_validate({
    "name": "made",
    "features": {"plan": {"dtype": "string"}, "town": {"dtype": "string", "sensitive": True}},
    "label": {"name": "y", "dtype": "float"},
})  # fmt: skip


def normal(value, error, level):
    """Bounds of a gain whose estimate is normal."""
    half = norm.ppf(level) * error
    return Gain(value, value - half, value + half, "")


def holm(p_values, alpha):
    """Places of the hypotheses that are rejected, by the definition: sorted p-values against alpha / (m - i)."""
    order = np.argsort(p_values, kind="stable")
    rejected = set()
    for i, place in enumerate(order):
        if p_values[place] >= alpha / (len(order) - i):
            break
        rejected.add(int(place))
    return rejected


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.05, 2)), min_size=1, max_size=12),
    st.floats(0, 0.5),
    st.floats(0.6, 0.99),
)
def test_the_slices_called_worse_are_those_of_holms_procedure(gains, margin, level):
    p_values = [norm.cdf((value + margin) / error) for value, error in gains]
    expected = holm(p_values, 1 - level)
    nearly = [abs(p - (1 - level) / k) < 1e-9 for p in p_values for k in range(1, len(gains) + 1)]
    if not any(nearly):
        assert shown_worse([partial(normal, *gain) for gain in gains], margin, level) == expected


def test_a_slice_that_is_served_worse_is_found_in_a_better_mean():
    rng = np.random.default_rng(0)
    plan = np.repeat(["basic", "plus", "pro", "tiny"], [200, 600, 600, 10])
    before = rng.random(len(plan)) < 0.7
    now = np.where(plan == "basic", rng.random(len(plan)) < 0.4, before | (rng.random(len(plan)) < 0.5))
    assert now.mean() > before.mean()
    frame = pl.DataFrame({"plan": plan})

    def measure(rows):
        return (before[rows].mean(), now[rows].mean()), partial(share_gain, before[rows], now[rows])

    slices = measured(frame, ["plan"], CONTRACT, 30, measure)
    assert [(one.value, one.rows) for one in slices] == [("plus", 600), ("pro", 600), ("basic", 200)]
    found = judged(slices, 0.005, 0.95, 1)
    assert [one["value"] for one in found if one["verdict"] == "worse"] == ["basic"] == [found[0]["value"]]
    assert {one["verdict"] for one in found[1:]} == {"better"}
    assert found[0]["difference"] == pytest.approx(now[:200].mean() - before[:200].mean())
    strict = 1 - 0.05 / 3
    whole = share_gain(before[:200], now[:200], strict)
    assert (found[0]["low"], found[0]["high"]) == (whole.low, whole.high)
    error = (whole.high - whole.low) / 2 / norm.ppf(strict)
    assert found[0]["shows"] == pytest.approx(0.005 + (norm.ppf(strict) + norm.ppf(0.8)) * error)


def test_where_small_is_better_bounds_are_those_of_the_difference():
    slices = measured(
        pl.DataFrame({"plan": ["a"] * 40}), ["plan"], CONTRACT, 30,
        lambda rows: ((1.0, 1.5), partial(normal, -0.5, 0.1)),
    )  # fmt: skip
    [found] = judged(slices, 0.01, 0.95, -1)
    assert (found["verdict"], found["difference"]) == ("worse", 0.5)
    assert (found["low"], found["high"]) == pytest.approx((0.5 - 0.1 * norm.ppf(0.95), 0.5 + 0.1 * norm.ppf(0.95)))


SERIES = Contract.model_validate({
    "name": "made",
    "time": "at",
    "features": {"meter": {"dtype": "string"}, "holiday": {"dtype": "int"}},
    "label": {"name": "y", "dtype": "float"},
    "series": {"step": "1h", "window": 24, "horizon": 6, "group": "meter"},
})  # fmt: skip


def test_windows_of_a_series_are_sliced_by_the_group_alone():
    """A window has many values of every other column, in a list that is no slice."""
    check_columns(("meter",), SERIES)
    with pytest.raises(ConfigError, match=r"'holiday': a window of a series has many values of it"):
        check_columns(("holiday",), SERIES)


@pytest.mark.parametrize(
    ("values", "named"),
    [([True] * 40 + [False] * 30 + [None] * 31, ["true", "(missing)", "false"]), ([3] * 50 + [-1] * 35, ["3", "-1"])],
)
def test_slices_of_a_column_that_is_no_text(values, named):
    contract = Contract.model_validate({
        "name": "made",
        "features": {"v": {"dtype": "bool" if None in values else "int", "nullable": True}},
        "label": {"name": "y", "dtype": "float"},
    })  # fmt: skip
    found = measured(pl.DataFrame({"v": values}), ["v"], contract, 30, lambda r: ((0.5, 0.5), partial(normal, 0, 0.1)))
    assert [one.value for one in found] == named


def test_values_of_sensitive_columns_are_masked_and_undefined_slices_left_out():
    frame = pl.DataFrame({"town": ["Wien"] * 40 + ["Linz"] * 35})

    def measure(rows):
        return ((0.5, 0.6 if len(rows) == 40 else float("nan")), partial(normal, 0.1, 0.1))

    [found] = measured(frame, ["town"], CONTRACT, 30, measure)
    assert found.rows == 40 and "Wien" not in found.value
    assert judged([], 0.0, 0.95, 1) == [] and shown_worse([], 0.0, 0.95) == set()
