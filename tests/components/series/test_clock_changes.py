"""Clocks that go forward leave a gap, clocks that go back repeat an hour: what becomes of it, in local time and not."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from kilnworks.components.series.grid import Grid
from kilnworks.components.starting.series import start_with_series
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataInvalid

BERLIN, UTC = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
HOURS = 40 * 24
SPRING, AUTUMN = datetime(2024, 3, 10, tzinfo=UTC), datetime(2024, 10, 6, tzinfo=UTC)
CONTRACT = Contract.model_validate(
    {"name": "s", "time": "at", "features": {"wind": {"dtype": "float"}}, "label": {"name": "y", "dtype": "float"},
     "series": {"step": "1h", "window": 24, "horizon": 6}}
)  # fmt: skip


def moments(start: datetime) -> list[datetime]:
    """What a clock in Berlin shows, hour by hour of true time."""
    return [(start + timedelta(hours=k)).astimezone(BERLIN) for k in range(HOURS)]


def frame(start: datetime, spelled) -> pl.DataFrame:
    """One row an hour; the label is the number of the hour in true time."""
    number = np.arange(HOURS, dtype=float)
    at = [spelled(moment) for moment in moments(start)]
    return pl.DataFrame({"at": at, "y": number + 0.5, "wind": np.sin(number)})


def local(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def test_clocks_that_go_forward_leave_one_step_without_a_value() -> None:
    grid = Grid.of(CONTRACT, [frame(SPRING, local)])
    missing = np.flatnonzero(np.isnan(grid.values[:, 0]))
    assert [datetime.fromtimestamp(grid.seconds[at], UTC).replace(tzinfo=None) for at in missing] == [
        datetime(2024, 3, 31, 2)
    ]
    assert not {at + step for at in grid.origins(0).tolist() for step in range(6)} & set(missing.tolist())
    assert grid.values[missing[0] + 1, 0] == grid.values[missing[0] - 1, 0] + 1


def test_clocks_that_go_back_repeat_an_hour_which_is_refused() -> None:
    with pytest.raises(DataInvalid, match=r"1 moments come twice in 'at', such as 2024-10-27 02:00:00") as caught:
        Grid.of(CONTRACT, [frame(AUTUMN, local)])
    assert "where clocks went back by an hour, write moments in UTC or with offset" in caught.value.fix


@pytest.mark.slow
@pytest.mark.parametrize("start", [SPRING, AUTUMN], ids=["forward", "back"])
@pytest.mark.parametrize(
    "spelled", [lambda m: m.isoformat(), lambda m: m.astimezone(UTC).isoformat()], ids=["offset", "UTC"]
)
def test_with_an_offset_or_in_utc_every_hour_has_its_place(tmp_path, start, spelled) -> None:
    frame(start, spelled).write_csv(tmp_path / "hours.csv")
    recipe = start_with_series("hours", str(tmp_path / "hours.csv"), "csv", horizon=24, label="y")
    assert recipe.contract.series is not None and recipe.contract.series.step == "1h"
    from kilnworks.components.sources.base import Wanted
    from kilnworks.components.sources.columns import contract_columns

    rows = pl.concat(list(recipe.source.frames(Wanted(contract_columns(recipe.contract)), None)))
    grid = Grid.of(recipe.contract, [rows])
    np.testing.assert_array_equal(grid.values[:, 0], np.arange(HOURS, dtype=np.float32) + 0.5)
    assert grid.seconds[0] == int(start.timestamp())


def test_new_says_what_to_do_with_an_hour_that_comes_twice(tmp_path) -> None:
    frame(AUTUMN, lambda m: local(m).isoformat()).write_csv(tmp_path / "hours.csv")
    with pytest.raises(ConfigError, match="2 rows share their moment in 'at'") as caught:
        start_with_series("hours", str(tmp_path / "hours.csv"), "csv", horizon=24, label="y")
    assert "where clocks went back by an hour, write moments in UTC or with offset" in caught.value.fix
