"""A series on its regular grid, held once: windows are places in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kilnworks.components.series.served import AHEAD, BEFORE, HOUR
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.series import DAY

if TYPE_CHECKING:
    import polars as pl

MOST_EMPTY = 20
"""A grid may have this many places for each row: a longer gap is a mistake in the times."""


@dataclass(frozen=True)
class Grid:
    """Every group one after the other, each from its first to its last moment, one step apart.

    Attributes:
        contract: of the rows.
        names: columns of ``values``: the label, then the numbers among the features.
        values: float32 [places, columns]; NaN where there is no row, or no value.
        seconds: moment of each place, int64 [places], seconds since 1970.
        group: text of the group of each place, object [places]; empty without groups.
        first: first place of the group of each place, int64 [places].
        last: last place of it, int64 [places].
        split: number of the part that a place's row came from, int8 [places]; that of the row before it in a gap.
    """

    contract: Contract
    names: tuple[str, ...]
    values: np.ndarray
    seconds: np.ndarray
    group: np.ndarray
    first: np.ndarray
    last: np.ndarray
    split: np.ndarray

    @classmethod
    def of(cls, contract: Contract, parts: list[pl.DataFrame]) -> Grid:
        """The grid of rows that came in several parts, such as splits.

        Raises:
            DataInvalid: a moment is missing, lies beside the grid, or comes twice.
        """
        import polars as pl

        series, label, time = _of(contract)
        names = (label, *(n for n in contract.features if n != series.group))
        group = pl.col(series.group).fill_null("") if series.group else pl.lit("")
        rows = pl.concat(
            [
                part.select(
                    pl.col(time).cast(pl.Datetime("us")).dt.epoch("s").alias("(at)"),
                    group.cast(pl.String).alias("(group)"),
                    pl.lit(i, pl.Int8).alias("(part)"),
                    *(pl.col(n).cast(pl.Float32).alias(f"={n}") for n in names),
                )
                for i, part in enumerate(parts)
            ]
        ).sort("(group)", "(at)", maintain_order=True)
        _refuse_no_time(time, rows)
        made = [_regular(contract, one) for one in rows.partition_by("(group)", maintain_order=True)]
        ends = np.cumsum([0, *(m.height for m in made)])
        sizes = np.diff(ends)
        whole = pl.concat(made)
        return cls(
            contract,
            names,
            np.ascontiguousarray(whole.select(f"={n}" for n in names).to_numpy().astype(np.float32)),
            whole["(at)"].to_numpy(),
            whole["(group)"].to_numpy().astype(object),
            np.repeat(ends[:-1], sizes),
            np.repeat(ends[1:] - 1, sizes),
            whole["(part)"].to_numpy(),
        )

    def origins(self, part: int, every: int = 1) -> np.ndarray:
        """Places of first forecast steps whose whole horizon lies in a part, int64 [origins].

        A whole window lies before each, of whichever part. With ``every`` above 1 the origins are that many steps
        apart, from midnight on where the step divides a day.
        """
        series = _of(self.contract)[0]
        place = np.arange(len(self.values))
        ends = place + series.horizon - 1
        inside = (place - series.window >= self.first) & (ends <= self.last)
        inside &= (self.split == part) & (self.split[np.minimum(ends, len(place) - 1)] == part)
        found = place[inside]
        label = np.isnan(self.values[:, 0])
        missing = np.concatenate([[0], np.cumsum(label)])
        found = found[missing[found + series.horizon] == missing[found]]
        if every > 1:
            found = found[(self.seconds[found] // series.seconds) % every == 0]
        return found

    def seasonal_error(self, part: int) -> float:
        """Mean absolute difference of a label from that of a season before, in a part; 0 where there is none."""
        season = _of(self.contract)[0].season
        later, label = np.arange(season, len(self.values)), self.values[:, 0].astype(np.float64)
        later = later[(later - season >= self.first[later]) & (self.split[later] == part)]
        apart = np.abs(label[later] - label[later - season])
        apart = apart[np.isfinite(apart)]
        return float(apart.mean()) if len(apart) else 0.0

    def view(self) -> np.ndarray:
        """Every window with its horizon, float32 [places - window - horizon + 1, window + horizon, columns].

        A view: nothing is copied.
        """
        series = _of(self.contract)[0]
        wide = np.lib.stride_tricks.sliding_window_view(self.values, series.window + series.horizon, axis=0)
        return wide.swapaxes(1, 2)

    def windows(self, origins: np.ndarray, rows: int) -> Iterator[pl.DataFrame]:
        """The windows of some origins as rows that a client would send, at most ``rows`` at a time."""
        for start in range(0, len(origins), rows):
            yield self._frame(origins[start : start + rows])

    def _frame(self, origins: np.ndarray) -> pl.DataFrame:
        import polars as pl

        series, _, time = _of(self.contract)
        taken = self.view()[origins - series.window] if len(origins) else np.zeros(
            (0, series.window + series.horizon, len(self.names)), np.float32
        )  # fmt: skip
        columns = {time: pl.from_epoch(pl.Series(self.seconds[origins], dtype=pl.Int64), "s").cast(pl.Datetime("us"))}
        for at, name in enumerate(self.names):
            steps = series.window + series.horizon if name in series.ahead else series.window
            columns[name] = _lists(taken[:, :steps, at])
        if series.group:
            columns[series.group] = pl.Series(self.group[origins].tolist(), dtype=pl.String)
        before = season_before(series.window, series.horizon, series.season)
        hours = (self.seconds[origins][:, None] + np.arange(series.horizon) * series.seconds) % DAY // 3600
        columns[AHEAD] = _lists(taken[:, series.window :, 0])
        columns[BEFORE] = _lists(taken[:, before, 0])
        columns[HOUR] = _lists(hours.astype(np.float32))
        return pl.DataFrame(columns)


def season_before(window: int, horizon: int, season: int) -> np.ndarray:
    """For each forecast step the place in the window that lies whole seasons before it, int64 [horizon]."""
    steps = np.arange(horizon)
    return window + steps - season * (steps // season + 1)


def _lists(values: np.ndarray) -> pl.Series:
    import polars as pl

    return pl.Series(np.ascontiguousarray(values), dtype=pl.Array(pl.Float32, values.shape[1])).arr.to_list()


def _of(contract: Contract) -> tuple:  # type: ignore[type-arg]
    assert contract.series is not None and contract.label is not None and contract.time is not None
    return contract.series, contract.label.name, contract.time


def _refuse_no_time(time: str, rows: pl.DataFrame) -> None:
    missing = rows["(at)"].null_count()
    if missing:
        raise DataInvalid(f"{missing} rows have no {time!r}", "a moment in every row of a series", "correct the rows")


def _regular(contract: Contract, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of one group with an empty one in every gap."""
    import polars as pl

    series, _, time = _of(contract)
    at, step = rows["(at)"].to_numpy(), series.seconds
    where = f" of group {rows['(group)'][0]!r}" if series.group else ""
    apart = np.diff(at)
    if (apart == 0).any():
        twice = pl.from_epoch(pl.Series([int(at[1:][apart == 0][0])]), "s")[0]
        raise DataInvalid(
            f"{int((apart == 0).sum())} moments{where} come twice in {time!r}, such as {twice}",
            f"one row every {series.step}" + ("" if series.group else ", or a group that tells them apart"),
            "take them out, or name the group; where clocks went back by an hour, write moments in UTC or with offset",
        )
    beside = (at - at[0]) % step != 0
    if beside.any():
        one = pl.from_epoch(pl.Series([int(at[beside][0])]), "s")[0]
        raise DataInvalid(
            f"{int(beside.sum())} moments{where} in {time!r} lie beside the step of {series.step}, such as {one}",
            f"moments that are whole steps of {series.step} apart",
            "correct `series.step` in the contract, or the rows",
        )
    places = int((at[-1] - at[0]) // step) + 1
    if places > MOST_EMPTY * len(at):
        raise DataInvalid(
            f"{len(at)} rows{where} on {places:,} steps of {series.step}",
            f"at least one row in {MOST_EMPTY} steps",
            "correct `series.step` in the contract, or the moments",
        )
    if places == len(at):
        return rows
    every = pl.DataFrame({"(at)": at[0] + step * np.arange(places, dtype=np.int64)})
    return every.join(rows, on="(at)", how="left", maintain_order="left").with_columns(
        pl.col("(group)").forward_fill(), pl.col("(part)").forward_fill()
    )
