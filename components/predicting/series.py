"""A file that continues a series: one answer a row, each block of steps from what lay before it (rolling origin)."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import polars as pl

from kilnworks.components.predicting.pieces import Ask
from kilnworks.components.predicting.rows import file_source
from kilnworks.components.quality.rows.row_rules import breaks
from kilnworks.components.series.grid import Grid
from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.schemas.contract import Contract, load_contract
from kilnworks.schemas.errors import RequestInvalid, StoreError
from kilnworks.schemas.magnitudes import FINITE
from kilnworks.schemas.rules import Finite
from kilnworks.schemas.series import DAY, Series
from kilnworks.schemas.wire import HISTORY_FILE, SERIES_FILE

ANSWERS = ("forecast", "low", "high")
AT_ONCE = 256
"""Windows that the model is asked for at once."""

log = logging.getLogger(__name__)


def continued(path: Path, version: Path, ask: Ask, like: Source | None = None, *, apart: bool = False) -> pl.DataFrame:
    """Answers for the rows of a file that goes on where the training data end, in order.

    Columns ``forecast``, ``low`` and ``high``; where the label is not known up to the end, ``from_forecasts`` says by 1
    which rows are forecast from forecasts: all that lie more than ``horizon`` steps behind the last known value.

    Args:
        path: of the rows; as far as the label is known, each block of ``horizon`` rows is forecast from the values
            before it.
        version: the published model.
        ask: the model.
        like: how the training data were read.
        apart: the moment and the group of each row come first; moments that are days as dates.

    Raises:
        RequestInvalid: the file does not continue the training data, or a number in it is infinite.
        DataInvalid: its moments lie beside the step, or come twice, or a column is missing.
        StoreError: the model was published without its history.
    """
    if not (version / HISTORY_FILE).is_file():
        raise StoreError(
            f"{version / HISTORY_FILE} is gone", "a published model that forecasts", "run the pipeline again"
        )
    contract, history = load_contract(version / SERIES_FILE), pl.read_parquet(version / HISTORY_FILE, glob=False)
    rows = _read(path, contract, like)
    _refuse_endless(path, contract, rows)
    answers = rolled(contract, history, rows, ask)
    return pl.concat([_keys(contract, rows, answers.columns), answers], how="horizontal") if apart else answers


def _keys(contract: Contract, rows: pl.DataFrame, taken: list[str]) -> pl.DataFrame:
    """What tells the rows apart: their moments, and the groups where there are some."""
    assert contract.series is not None and contract.time is not None
    keys = rows.select(name for name in (contract.series.group, contract.time) if name and name not in taken)
    days = contract.time in keys.columns and bool((keys[contract.time].dt.truncate("1d") == keys[contract.time]).all())
    return keys.with_columns(pl.col(contract.time).cast(pl.Date)) if days else keys


def _read(path: Path, contract: Contract, like: Source | None) -> pl.DataFrame:
    """The rows of a file in the dtypes of the contract.

    Where it lacks the label it may lack, too, what is known of the past alone.
    """
    assert contract.label is not None and contract.series is not None
    source, label = file_source(path, like, list(contract.features)), contract.label.name
    needed = (contract.time, contract.series.group, *contract.series.ahead)
    past = [name for name in contract.features if name not in needed]
    columns = contract_columns(contract, () if label in source.column_names() else (label, *past))
    rows = pl.concat(list(source.frames(Wanted(columns, any_extra=True))))
    absent = [name for name in columns if name not in rows.columns]
    return rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in absent)


def _refuse_endless(path: Path, contract: Contract, rows: pl.DataFrame) -> None:
    """Raise where a number is infinite: in a series a missing value is a step without one, an infinite one a fault."""
    for name in rows.columns:
        if not rows[name].dtype.is_float():
            continue
        bad = breaks(Finite(), rows[name].fill_nan(None)).arg_true()
        if len(bad):
            places = ", ".join(str(row + 1) for row in bad.head(3))
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            raise RequestInvalid(
                f"{path}: column {name!r}, row {places}{more}: must be {FINITE}",
                "numbers, and nothing where a value is missing",
                "correct these rows, or leave the values out",
            )


def rolled(contract: Contract, history: pl.DataFrame, rows: pl.DataFrame, ask: Ask) -> pl.DataFrame:
    """``continued`` from frames: ``history`` and ``rows`` hold the columns of the contract."""
    assert contract.series is not None and contract.label is not None and contract.time is not None
    series, time, group = contract.series, contract.time, contract.series.group
    first = rows[time].min()
    if first is None:
        raise RequestInvalid("no row with a moment", f"rows that go on with {time!r}", "give a file with rows")
    keys = [c for c in (group, time) if c]
    grid = Grid.of(
        contract, [history.filter(pl.col(time) < first).select(contract.columns), rows.select(contract.columns)]
    )
    values, answers = grid.values.copy(), np.full((len(grid.values), 3), np.nan)
    marks = np.zeros(len(values), np.int64)
    known = [_forecast(grid, series, values, answers, marks, int(start), ask) for start in np.unique(grid.first)]
    found = pl.DataFrame({
        time: pl.from_epoch(pl.Series(grid.seconds), "s").cast(pl.Datetime("us")),
        **({group: pl.Series(grid.group.tolist(), dtype=pl.String)} if group else {}),
        **{name: answers[:, at] for at, name in enumerate(ANSWERS)},
        **({} if all(known) else {"from_forecasts": marks}),
    })  # fmt: skip
    asked = rows.select(pl.col(time).cast(pl.Datetime("us")), *([pl.col(group).fill_null("")] if group else []))
    return asked.join(found, on=keys, how="left", maintain_order="left").drop(keys)


def _forecast(
    grid: Grid, series: Series, values: np.ndarray, answers: np.ndarray, marks: np.ndarray, start: int, ask: Ask
) -> bool:
    """The answers of one group; ``values`` take in forecasts behind the last label. Whether that is the last row's."""
    end = int(grid.last[start]) + 1
    places = np.arange(start, end)
    origin = int(places[grid.split[start:end] == 1][0])
    before = np.isfinite(values[max(start, origin - series.window) : origin, 0])
    if not before.any():
        raise RequestInvalid(
            f"no value in the {series.window} steps before {_moment(grid, origin)}",
            "a file that goes on where the training data end",
            "put the rows between them into the file, with their labels",
        )
    if not before[-1]:
        gap = int(np.argmax(before[::-1]))
        log.warning(
            "No value in the %d steps before %s: they are missing in what the forecast looks back on; put rows with "
            "their labels into the file where you have them", gap, _moment(grid, origin),
        )  # fmt: skip
    labelled = np.flatnonzero(np.isfinite(values[origin:end, 0]))
    unknown = origin + (int(labelled[-1]) + 1 if len(labelled) else 0)
    blocks = _blocks(grid, series, origin, unknown)
    for at in range(0, len(blocks), AT_ONCE):
        _answer(grid, series, values, answers, blocks[at : at + AT_ONCE], start, end, ask)
    for at in range(unknown, end, series.horizon):
        last = min(end, at + series.horizon)
        _answer(grid, series, values, answers, [(at, last)], start, end, ask)
        values[at:last, 0] = answers[at:last, 0]
        marks[at:last] = int(at > unknown)
    return unknown == end


def _answer(
    grid: Grid, series: Series, values: np.ndarray, answers: np.ndarray, blocks: list[tuple[int, int]], start: int,
    end: int, ask: Ask,
) -> None:  # fmt: skip
    """The answers of some blocks, each from the values before it."""
    got = ask(_windows(grid, series, values, [first for first, _ in blocks], start, end))
    for row, (first, last) in enumerate(blocks):
        for column, name in enumerate(ANSWERS):
            answers[first:last, column] = got[name][row, : last - first]


def _blocks(grid: Grid, series: Series, origin: int, end: int) -> list[tuple[int, int]]:
    """First place and the one behind the last of each block: from midnight on, where the step divides a day."""
    found, at = [], origin
    while at < end:
        size = series.horizon
        if at == origin and DAY % series.seconds == 0:
            into = int(grid.seconds[at] % DAY) // series.seconds % series.horizon
            size -= into
        found.append((at, min(end, at + size)))
        at += size
    return found


def _windows(
    grid: Grid, series: Series, values: np.ndarray, origins: list[int], start: int, end: int
) -> dict[str, np.ndarray]:
    """Windows before some origins, as they are sent; NaN beyond the ends of the group."""
    contract = grid.contract
    places = np.array(origins)[:, None] + np.arange(-series.window, series.horizon)
    taken = values[np.clip(places, start, end - 1)]
    taken[(places < start) | (places >= end)] = np.nan
    sent = {str(contract.time): grid.seconds[origins]}
    for at, name in enumerate(grid.names):
        steps = None if name in series.ahead else series.window
        sent[name] = np.ascontiguousarray(taken[:, :steps, at])
    if series.group:
        sent[series.group] = grid.group[origins]
    return sent


def _moment(grid: Grid, place: int) -> str:
    return str(pl.from_epoch(pl.Series([int(grid.seconds[place])]), "s")[0])
