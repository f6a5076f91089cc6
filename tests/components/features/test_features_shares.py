"""Calendar parts against the standard library, and shares against the ranks of the training values."""

import datetime

import numpy as np
import polars as pl
import pytest

from kilnworks.components.features.calendar import calendar_part
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.schemas.errors import ConfigError
from tests.components.features import tabular

EPOCH = datetime.datetime(1970, 1, 1)


def moments(n: int = 3000) -> list[datetime.datetime]:
    """Random moments of 800 years, and days around leap days."""
    seconds = np.random.default_rng(0).integers(-400 * 31_557_600, 400 * 31_557_600, n)
    edges = [datetime.datetime(y, m, d) for y in (1900, 1969, 1972, 2000, 2023) for m, d in ((2, 28), (3, 1), (12, 31))]
    return [EPOCH + datetime.timedelta(seconds=int(s)) for s in seconds] + edges


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ("month", lambda t: t.month),
        ("day", lambda t: t.day),
        ("weekday", lambda t: t.weekday()),
        ("time of day", lambda t: t.hour * 3600 + t.minute * 60 + t.second),
    ],
)
def test_parts_are_those_of_datetime(part, wanted):
    times = moments()
    seconds = np.array([int((t - EPOCH).total_seconds()) for t in times])
    np.testing.assert_array_equal(calendar_part(seconds, part), [wanted(t) for t in times])


def fitted(tmp_path, kinds, frame, **settings):
    of = tabular.contract(features=kinds)
    label = pl.Series("label", ["no", "yes"] * (frame.height // 2) + ["no"] * (frame.height % 2))
    made = tabular.examples(tmp_path, of, {"train": [frame.with_columns(label)]})
    return FeatureTransform.fit(of, made.files("train"), PreprocessConfig(**settings))


def test_shares_are_ranks_and_a_missing_value_is_in_the_middle(tmp_path):
    values = np.random.default_rng(1).lognormal(0, 2, 5000)
    frame = pl.DataFrame({"x": values, "two": [0.0, 1.0] * 2500})
    features = {"x": {"dtype": "float", "nullable": True}, "two": {"dtype": "float"}}
    transform = fitted(tmp_path, features, frame, shares=True)
    shares = transform.encode(frame)["shares"]
    assert shares.shape == (5000, 1)
    ranks = np.argsort(np.argsort(values)) / 4999
    assert np.abs(shares[:, 0] - ranks).max() < 0.006
    odd = pl.DataFrame({"x": [None, -5.0, 1e9], "two": [0.0, 0.0, 0.0]})
    np.testing.assert_allclose(transform.encode(odd)["shares"][:, 0], [0.5, 0.0, 1.0], atol=1e-6)


def test_parts_that_never_vary_are_left_out_and_the_moment_only_where_asked(tmp_path):
    days = [datetime.datetime(2021, 1, 1) + datetime.timedelta(days=d) for d in range(700)]
    frame = pl.DataFrame({"when": days}, schema={"when": pl.Datetime("us")})
    features = {"when": {"dtype": "datetime", "nullable": True}}
    calendar = fitted(tmp_path / "a", features, frame, datetimes="calendar").plan
    assert calendar.block == ("when (month)", "when (day)", "when (weekday)")
    holes = frame.with_columns(pl.when(pl.int_range(pl.len()) > 9).then("when").alias("when"))
    both = fitted(tmp_path / "b", features, holes, features={"when": FeatureSettings(encode="moment")}).plan
    assert both.block == ("when", "when (month)", "when (day)", "when (weekday)", "when is missing")


def test_a_calendar_is_for_datetimes(tmp_path):
    frame = pl.DataFrame({"x": [1.0, 2.0]})
    with pytest.raises(ConfigError, match="'calendar', and 'x' is float"):
        fitted(tmp_path, {"x": {"dtype": "float"}}, frame, features={"x": FeatureSettings(encode="calendar")})
