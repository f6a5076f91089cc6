"""A series on its grid, against loops over rows."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kilnworks.components.series.grid import Grid, season_before
from kilnworks.components.series.served import AHEAD, BEFORE, windowed
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid

START = datetime(2024, 1, 1)


def contract(window=24, horizon=6, group=None, ahead=("wind",)) -> Contract:
    features = {"wind": {"dtype": "float"}, "rain": {"dtype": "float"}}
    if group:
        features[group] = {"dtype": "string"}
    return Contract.model_validate(
        {"name": "s", "time": "at", "features": features, "label": {"name": "y", "dtype": "float"},
         "series": {"step": "1h", "window": window, "horizon": horizon, "group": group, "ahead": ahead}}
    )  # fmt: skip


def rows(count=100, start=START, **columns) -> pl.DataFrame:
    i = np.arange(count)
    at = [start + timedelta(hours=int(k)) for k in i]
    return pl.DataFrame({"at": at, "y": i.astype(float), "wind": i * 10.0, "rain": -i * 1.0, **columns})


def test_windows_are_the_rows_before_and_behind_an_origin():
    grid = Grid.of(contract(), [rows()])
    origins = grid.origins(0)
    assert origins.tolist() == list(range(24, 95))
    frame = next(grid.windows(origins[:3], 10))
    for row, origin in enumerate(origins[:3]):
        assert frame["y"][row].to_list() == list(range(origin - 24, origin))
        assert frame["wind"][row].to_list() == [10.0 * k for k in range(origin - 24, origin + 6)]
        assert frame["rain"][row].to_list() == [-1.0 * k for k in range(origin - 24, origin)]
        assert frame[AHEAD][row].to_list() == list(range(origin, origin + 6))
        assert frame[BEFORE][row].to_list() == list(range(origin - 24, origin - 18))
        assert frame["at"][row] == START + timedelta(hours=int(origin))


def test_windows_are_views():
    grid = Grid.of(contract(), [rows()])
    assert np.shares_memory(grid.view(), grid.values)


def test_targets_of_a_split_are_its_own_and_history_may_be_of_the_one_before():
    whole = rows()
    grid = Grid.of(contract(), [whole[:60], whole[60:]])
    assert grid.origins(0).max() == 54
    assert grid.origins(1).min() == 60
    assert (np.diff(grid.origins(1, 6)) == 6).all()
    assert (grid.seconds[grid.origins(1, 6)] % (6 * 3600) == 0).all()


def test_a_gap_becomes_missing_steps_and_no_origin_of_them():
    whole = rows()
    grid = Grid.of(contract(), [pl.concat([whole[:50], whole[53:]])])
    assert len(grid.values) == 100
    assert np.isnan(grid.values[50:53]).all()
    assert not set(range(45, 53)) & set(grid.origins(0).tolist())
    assert 53 in grid.origins(0)


def test_groups_never_mix():
    frame = pl.concat([rows(40, place=["b"] * 40), rows(50, place=["a"] * 50)])
    grid = Grid.of(contract(group="place"), [frame])
    for origin in grid.origins(0):
        assert len(set(grid.group[origin - 24 : origin + 6])) == 1
    assert len(grid.origins(0)) == (40 - 29) + (50 - 29)


@pytest.mark.parametrize(
    ("moments", "words"),
    [([0, 1, 1, 2], "come twice"), ([0, 1, 1.5, 2], "beside the step"), ([0, 1, 2, 900], "on 901 steps")],
    ids=["twice", "beside", "far"],
)
def test_times_off_the_grid_are_refused(moments, words):
    at = [START + timedelta(hours=k) for k in moments]
    frame = pl.DataFrame({"at": at, "y": [1.0] * 4, "wind": [1.0] * 4, "rain": [1.0] * 4})
    with pytest.raises(DataInvalid, match=words):
        Grid.of(contract(), [frame])


def test_the_seasonal_error_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    y = rng.normal(size=100)
    grid = Grid.of(contract(), [rows().with_columns(y=pl.Series(y))])
    wanted = np.mean([abs(y[t] - y[t - 24]) for t in range(24, 100)])
    assert grid.seasonal_error(0) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(("window", "horizon", "season"), [(24, 6, 24), (48, 30, 24), (7, 9, 7)])
def test_season_before_is_the_last_whole_season(window, horizon, season):
    for k, place in enumerate(season_before(window, horizon, season)):
        seasons = 1
        while k - seasons * season >= 0:
            seasons += 1
        assert place == window + k - seasons * season


def test_what_is_served_has_the_shapes_of_a_window():
    served = windowed(contract(group="place"))
    shapes = {name: feature.shape for name, feature in served.features.items()}
    assert shapes == {"at": (), "y": (24,), "wind": (30,), "rain": (24,), "place": ()}
    assert windowed(served) == served
