"""Moments made of their parts, as columns of a source and as what ``new`` finds."""

import datetime

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from kilnworks.components.dates.parts import moment_of
from kilnworks.components.sources import ByTime, CsvSource, ParquetSource
from kilnworks.components.sources.base import Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.starting.start import start

START = datetime.datetime(2013, 1, 1)


def test_numbers_and_names_of_months() -> None:
    parts = [pl.Series([2013, 2013, None, 2016, 2014]), pl.Series(["2", "July", "3", "2.0", "sept"])]
    found = moment_of("date", [*parts, pl.Series([30, 1, 3, 29, None])])
    assert found.to_list() == [None, datetime.datetime(2013, 7, 1), None, datetime.datetime(2016, 2, 29), None]
    assert moment_of("at", [pl.Series([2013])] * 1 + [pl.Series([4]), pl.Series([5]), pl.Series([23])]).to_list() == [
        datetime.datetime(2013, 4, 5, 23)
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_source_makes_them(tmp_path, ending: str) -> None:
    frame = pl.DataFrame({"year": [2013, 2014], "x": [1.5, 2.5], "month": [2, 3], "day": [4, 31]})
    path, made = tmp_path / f"rows.{ending}", {"date": ("year", "month", "day")}
    frame.write_csv(path) if ending == "csv" else frame.write_parquet(path)
    kind = CsvSource if ending == "csv" else ParquetSource
    wanted = {"date": Column("date", "time"), "x": Column("x", "float"), "month": Column("month", "int")}
    source = kind(path=str(path), moments=made)
    (rows,) = source.frames(Wanted(wanted, frozenset({"year", "day"})))
    assert rows.columns == ["date", "x", "month"]
    assert rows["date"].to_list() == [datetime.datetime(2013, 2, 4), datetime.datetime(2014, 3, 31)]
    assert source.identity() != kind(path=str(path)).identity()
    (rows,) = source.frames(Wanted({"x": wanted["x"]}, any_extra=True))
    assert rows.columns == ["x"]
    with pytest.raises(ValidationError, match="'date' of 2 columns"):
        kind(path=str(path), moments={"date": ("year", "month")})


def rows(names: tuple[str, ...], days: int = 400) -> pl.DataFrame:
    r = np.random.default_rng(0)
    moments = [START + datetime.timedelta(days=int(d), hours=int(h)) for d in range(days) for h in (7, 19)]
    parts = [[m.year for m in moments], [m.month for m in moments], [m.day for m in moments], [m.hour for m in moments]]
    x = r.normal(size=len(moments))
    named = dict(zip(names, parts, strict=False))
    return pl.DataFrame({**named, "x": x, "late": np.where(x + r.normal(size=len(x)) > 0, "yes", "no")})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("year", "month", "day", "hour"), True),
        (("Year", "Month", "DayofMonth"), True),
        (("arrival_date_year", "arrival_date_month", "arrival_date_day_of_month"), True),
        (("year_sold", "month_built", "day_seen"), False),
        (("year", "month"), False),
    ],
    ids=["hour", "airline", "arrival", "of several things", "no day"],
)
def test_new_finds_them(tmp_path, names: tuple[str, ...], found: bool) -> None:
    frame = rows(names)
    frame.sample(fraction=1.0, shuffle=True, seed=1).write_csv(tmp_path / "rows.csv")
    recipe = start("rows", str(tmp_path / "rows.csv"), label="late")
    assert isinstance(recipe.split, ByTime) is found
    assert dict(recipe.source.moments) == ({"date": names} if found else {})
    if found:
        assert recipe.contract.time == "date"
        assert "date" not in recipe.contract.features
        assert any(d.choice.startswith("date: made of ") for d in recipe.decisions)
        assert not start("rows", str(tmp_path / "rows.csv"), label="late", time="none").source.moments
