"""Whether the moment of a row stays a feature where later rows lie behind every moment that was learned."""

import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from kilnworks.components.sources import ByTime
from kilnworks.components.starting.moments.level import level_of
from kilnworks.components.starting.moments.overlap import without_what_runs_out
from kilnworks.components.starting.moments.trees import answers
from kilnworks.schemas.contract import Contract
from tests.components.starting.frame_source import FrameSource

PARTS = ("month", "day", "weekday", "time of day")


def seasons(start: str, days: int, per_day: int = 8) -> pl.DataFrame:
    """Prices that follow the season, highest in July, and the size of a room."""
    r = np.random.default_rng(0)
    first = datetime.datetime.fromisoformat(start)
    on = [first + datetime.timedelta(days=day) for day in range(days) for _ in range(per_day)]
    of_year = np.array([moment.timetuple().tm_yday for moment in on])
    size = r.random(len(on))
    season = 30 * np.cos((of_year - 196) / 365 * 2 * np.pi)
    return pl.DataFrame({"on": on, "size": size, "y": 100 + season + 40 * size + r.normal(0, 3, len(on))})


def jumps(days: int, *, classes: bool) -> pl.DataFrame:
    """Every day has a level of its own, of which the next one knows nothing."""
    r = np.random.default_rng(0)
    on = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=day) for day in range(days) for _ in range(40)]
    level, size = np.repeat(r.normal(0, 1, days), 40), r.random(40 * days)
    y = level + 4 * size + r.normal(0, 0.5, len(on))
    label = pl.Series("y", np.where(y > 2, "yes", "no")) if classes else pl.Series("y", y)
    return pl.DataFrame({"on": on, "size": size}).with_columns(label)


def contract(*names: str, classes: bool = False) -> Contract:
    features: dict[str, Any] = {"on": {"dtype": "datetime"}, **{name: {"dtype": "float"} for name in names}}
    label = {"name": "y", "dtype": "string", "classes": ["no", "yes"]} if classes else {"name": "y", "dtype": "float"}
    return Contract.model_validate({"name": "x", "time": "on", "features": features, "label": label})


def kept(frame: pl.DataFrame, rules: Contract) -> tuple[tuple[str, ...] | None, dict[str, str]]:
    """The parts of the date that stay, None for all of them, and what is said of those that do not."""
    found = without_what_runs_out(rules, FrameSource(frame=frame), {None: frame}, ByTime())
    settings = found.features.get("on")
    return settings and settings.parts, {d.choice: d.why for d in found.decisions}


def test_a_season_that_nobody_has_seen_again_is_not_answered_by_the_latest_level():
    """Rows from July to May, as those of ``hotel``; the promise of a model is kept by rows of the summer after them."""
    shown = seasons("2023-07-01", 330)
    parts, lines = kept(shown, contract("size"))
    assert parts == ("weekday", "time of day")
    assert lines["moment of on"].endswith("`moment` in `parts` of the definition takes it back")
    assert "latest rows" not in lines["month of on"]
    later = seasons("2024-05-26", 90)
    cut, size = int(0.8 * shown.height), np.concatenate([shown["size"], later["size"]])
    y, on = (np.concatenate([shown[name], later[name]]) for name in ("y", "on"))
    both = [np.column_stack([size, on.astype(float)]), size[:, None]]
    error = [float(((answers(x, y, cut, classes=False) - y[cut:])[-later.height :] ** 2).mean()) for x in both]
    assert error[1] < 0.7 * error[0]


def test_within_half_a_year_the_latest_level_stays_where_it_tells_the_next_rows():
    parts, lines = kept(seasons("2023-07-25", 120), contract("size"))
    assert parts == ("moment", "weekday", "time of day")
    assert list(lines) == ["month of on", "day of on"] and lines["month of on"].endswith(
        "unless `parts` goes without `moment`"
    )


def shocked(start: str, days: int, seed: int) -> pl.DataFrame:
    """40 rows a day, each day with a level of its own that nothing tells before."""
    rng = np.random.default_rng(seed)
    on = np.datetime64(start, "s") + np.repeat(np.arange(days), 40) * np.timedelta64(1, "D")
    size, level = rng.normal(size=40 * days), np.repeat(rng.normal(0, 2, days), 40)
    dated = pl.Series(on.astype("datetime64[us]"))
    return pl.DataFrame({"on": dated, "date": dated.dt.day().cast(pl.Int64), "size": size, "y": size + level})


def test_the_day_of_the_month_is_left_out_where_it_stands_for_single_days():
    """A column that says the same goes with it; in rows of two years both stay."""
    features = {"on": {"dtype": "datetime"}, "date": {"dtype": "int"}, "size": {"dtype": "float"}}
    label = {"name": "y", "dtype": "float"}
    rules = Contract.model_validate({"name": "x", "time": "on", "features": features, "label": label})
    shown = shocked("2023-01-01", 240, 0)
    found = without_what_runs_out(rules, FrameSource(frame=shown), {None: shown}, ByTime())
    assert found.features["on"].parts == ("weekday", "time of day")
    assert set(found.contract.features) == {"on", "size"} and "date" in found.contract.ignore
    lines = {d.choice: d for d in found.decisions}
    assert lines["date"].flagged and "single days" in lines["date"].why and "single days" in lines["day of on"].why
    later = shocked("2023-08-29", 900, 1)
    cut, size = shown.height, np.concatenate([shown["size"], later["size"]])
    y, day = (np.concatenate([shown[name], later[name]]) for name in ("y", "date"))
    both = [np.column_stack([size, day]), size[:, None]]
    error = [float(((answers(x, y, cut, classes=False) - y[cut:]) ** 2).mean()) for x in both]
    assert error[1] < 0.95 * error[0]
    years = shocked("2022-01-01", 730, 0)
    found = without_what_runs_out(rules, FrameSource(frame=years), {None: years}, ByTime())
    assert "date" in found.contract.features and "day of on" not in {d.choice for d in found.decisions}


@pytest.mark.parametrize("classes", [False, True])
def test_a_level_that_the_next_rows_do_not_keep_is_left_out(classes):
    parts, lines = kept(jumps(100, classes=classes), contract("size", classes=classes))
    assert parts is not None and "moment" not in parts
    what = "log loss" if classes else "root mean squared error"
    words = lines["moment of on"]
    assert words.startswith("trees on 3,200 rows tell the next ones better without it ") and f"({what} " in words
    without, with_it = (float(words.split(mark)[1].split(",")[0].split(")")[0]) for mark in (f"({what} ", "with it "))
    assert without < with_it


def test_where_every_part_comes_again_it_takes_more_than_chance():
    """More than two years, once with a level that lasts and once with one that was over before the next rows."""
    trend = seasons("2021-01-01", 900, 3)
    trend = trend.with_columns(y=pl.col("y") + pl.int_range(trend.height) / 20)
    assert kept(trend, contract("size")) == (None, {})
    spell = pl.int_range(trend.height).is_between(2070, 2150) * 60
    parts, lines = kept(seasons("2021-01-01", 900, 3).with_columns(y=pl.col("y") + spell), contract("size"))
    assert parts == PARTS and "better without it" in lines["moment of on"]


def test_a_moment_that_is_all_there_is_stays():
    days = seasons("2023-07-01", 330, 1).with_columns(size=pl.lit(1.0))
    early, rest = days[:260].with_columns(on=pl.col("on").dt.truncate("1mo")), days[260:]
    assert level_of(contract(), early, rest, ("time of day",), 330).stays
    assert not level_of(contract(), early, rest, ("weekday", "time of day"), 330).stays


def test_too_few_rows_say_nothing():
    frame = jumps(4, classes=False)
    assert level_of(contract("size"), frame[:120], frame[120:], PARTS, 4).stays


def test_a_class_that_was_not_learned_has_no_probability():
    x, target = np.random.default_rng(0).random((60, 1)), np.array([0, 1] * 25 + [2] * 10)
    said = answers(x, target, 50, classes=True)
    assert said.shape == (10, 3) and (said[:, 2] == 0).all() and np.allclose(said.sum(axis=1), 1)
