"""Parts of a date whose round is not complete in the rows to learn from, and columns that say the same."""

import datetime

import numpy as np
import polars as pl
import pytest

from kilnworks.components.sources import ByTime
from kilnworks.components.starting.moments.overlap import Kept, without_what_runs_out
from kilnworks.components.starting.moments.trees import errors
from kilnworks.schemas.contract import Contract
from tests.components.starting.frame_source import FrameSource

SAID = ("month", "week", "quarter", "hour")


def calendar(start: str, days: int, seed: int = 0) -> pl.DataFrame:
    """80 rows a day; ``y`` goes with the size, and with a level of its own of each month of each year."""
    rng = np.random.default_rng(1)
    n = 80 * days
    on = np.datetime64(start, "s") + np.arange(n) * np.timedelta64(86_400 // 80, "s")
    dated, size = pl.Series(on.astype("datetime64[us]")), rng.normal(size=n)
    whole = {"month": dated.dt.month(), "week": dated.dt.week(), "quarter": dated.dt.quarter(), "hour": dated.dt.hour()}
    level = np.random.default_rng(seed).normal(0, 2, 120)[(12 * (dated.dt.year() - 2020) + whole["month"]).to_numpy()]
    numbers = {name: whole[name].cast(pl.Int64) for name in SAID}
    return pl.DataFrame({"on": dated, **numbers, "size": size, "y": size + level + rng.normal(0, 0.2, n)})


def looked_at(shown: pl.DataFrame) -> Kept:
    kinds = {pl.Int64: "int", pl.Float64: "float", pl.Datetime: "datetime"}
    features = {n: {"dtype": kinds[shown[n].dtype.base_type()]} for n in shown.columns if n != "y"}
    rules = {"name": "x", "time": "on", "features": features, "label": {"name": "y", "dtype": "float"}}
    return without_what_runs_out(Contract.model_validate(rules), FrameSource(frame=shown), {None: shown}, ByTime())


def parts_of(found: Kept) -> tuple[str, ...]:
    settings = found.features.get("on")
    return settings.parts if settings is not None and settings.parts else ("month", "day", "weekday", "time of day")


def test_a_month_that_has_only_begun_runs_out():
    """All but two days of later rows are in May, which the training rows begin on three: no month comes again."""
    shown = calendar("2023-01-04", 150)
    cut = int(0.8 * shown.height)
    early, late = shown["month"][:cut], shown["month"][cut:]
    assert late.is_in(early.unique().implode()).mean() > 0.9
    found = looked_at(shown)
    lines = {d.choice: d for d in found.decisions}
    assert set(found.contract.ignore) == {"month", "week"}
    assert "month" not in parts_of(found) and "day" not in parts_of(found)
    assert lines["month"].flagged and lines["month"].why == (
        "the month of on does not come again in later rows; "
        "move it from `ignore` to `features` of the contract to keep it"
    )
    assert "runs out" in lines["week"].why or lines["week"].why.startswith("it only ever grows with on: ")


def test_the_months_that_follow_are_told_better_without_a_month_that_has_only_begun():
    def error(names: list[str], seed: int) -> float:
        rows = pl.concat([calendar("2023-01-04", 150, seed), calendar("2023-06-03", 120, seed)])
        x, y = rows.select(names).cast(pl.Float64).to_numpy(), rows["y"].to_numpy()
        return float(errors(x, y, 150 * 80, classes=False).mean())

    with_it, without = (sum(error(names, seed) for seed in range(6)) for names in (["size", "month"], ["size"]))
    assert without < 0.8 * with_it


def test_months_of_more_than_a_year_stay_and_so_do_columns_that_say_them():
    found = looked_at(calendar("2022-01-01", 900))
    assert not found.contract.ignore and "month" in parts_of(found)


def test_a_column_that_only_grows_with_the_time_is_left_out():
    """The number of the quarter: most later rows are in the one that training rows begin. One that falls stays."""
    shown = calendar("2021-01-01", 572)
    quarters = 4 * (shown["on"].dt.year() - 2021) + shown["quarter"]
    steps = pl.Series(np.random.default_rng(0).permutation(np.arange(shown.height) % 12))
    found = looked_at(shown.select("on", "size", "y").with_columns(wave=quarters.cast(pl.Int64), other=steps))
    (line,) = [d for d in found.decisions if d.choice == "wave"]
    assert found.contract.ignore == ("wave",) and line.flagged
    assert line.why.startswith("it only ever grows with on: what it tells of the rows to learn from does not come")
    assert "move it from `ignore` to `features`" in line.why


@pytest.mark.parametrize(
    ("hours", "out"),
    [
        (20, {"month", "day", "weekday", "time of day"}),
        (31, {"month", "day", "weekday"}),
        (5 * 24, {"month", "day", "weekday"}),
        (9 * 24, {"month", "day"}),
    ],
)
def test_a_part_comes_again_once_its_round_is_complete(hours, out):
    """Four fifths of the rows are learned from: 16 hours, a day and a bit, four days, a week and a bit."""
    start = datetime.datetime(2024, 3, 4)
    on = pl.datetime_range(start, start + datetime.timedelta(hours=hours), "2m", eager=True)
    r = np.random.default_rng(0)
    found = looked_at(pl.DataFrame({"on": on, "size": r.normal(size=len(on)), "y": r.normal(size=len(on))}))
    settings = found.features["on"]
    left = set() if settings.encode == "drop" else set(settings.parts)
    assert {"month", "day", "weekday", "time of day"} - left == out
