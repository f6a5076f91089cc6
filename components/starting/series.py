"""A first pipeline for a series: what comes next, ``horizon`` steps ahead.

::

    open -> label -> time column -> group, where moments repeat -> step -> window -> what is known ahead -> model
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.learning.optimizers import Adam, Schedule
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.modeling.forecasts.settings import View
from kilnworks.components.sources.splitting.splits import ByTime, Shares
from kilnworks.components.starting.label import find_label, refuse_magnitude
from kilnworks.components.starting.open_data import Kind, open_table
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.components.starting.table import inferred_contract, typed_parts, without_columns
from kilnworks.components.tasks.asked import NUMBERS
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.series import DAY, SECONDS, WEEK, Series
from kilnworks.schemas.words import listed, named

SHARES = Shares(train=0.8, val=0.1, test=0.1)
LONGEST_WINDOW = 672
"""Steps of history at most, unless the horizon is longer."""
STEPS = 450
"""Steps of a training, about."""
SHORT = (1, 2, 7)
"""Days back that some of the members see."""


def start_with_series(
    name: str,
    data: str,
    kind: Kind,
    *,
    horizon: int,
    ahead: tuple[str, ...] = (),
    label: str | None = None,
    time: str | None = None,
    query: str | None = None,
    decimals: Mapping[str, str] | None = None,
) -> Recipe:
    """Look at a table of moments and decide on a first pipeline that forecasts.

    Args:
        name: of the contract.
        data: path, URL or name.
        kind: what ``data`` is.
        horizon: steps to be forecast.
        ahead: columns that are known for these steps beforehand.
        label: column to be forecast; guessed where left out.
        time: column that says when a row was measured; found where left out.
        query: SELECT or table, for a database.
        decimals: the decimal sign of columns, ``,`` or ``.``; seen from the values where left out.

    Raises:
        DataUnreadable: the data cannot be read, or has too few rows.
        UnknownName: a column that does not exist.
        ConfigError: no time column, no regular step, a label that is no number, or too few rows.
    """
    opened = open_table(data, kind, query, decimals)
    for column in (*ahead, *([time] if time else [])):
        if column not in opened.frame.columns:
            raise UnknownName("column", column, opened.frame.columns)
    label, guess = find_label(opened.frame, opened.specs, label)
    inferred, why_time = inferred_contract(name, opened, label, NUMBERS, time)
    _refuse_unfit(inferred, label, horizon)
    contract, columns = without_columns(inferred, opened, why_time)
    typed = pl.concat(list(typed_parts(opened, contract).values()))
    refuse_magnitude(typed[label])
    spare = [inferred.key] if inferred.key and inferred.key != inferred.time else []
    contract, left = _as_series(contract, typed, horizon, ahead, spare)
    model, training = _model(typed.height, _counts(typed[label]), bool(ahead))
    back = "days" if contract.series is not None and contract.series.day > 1 else "steps"
    decisions = [
        *([guess] if guess else []),
        Decision("rows", f"{typed.height:,} rows, {len(opened.frame.columns)} columns"),
        *_decided(contract),
        *columns,
        *left,
        Decision("split", f"by {named(contract.time or '')}", f"the latest rows judge; {SHARES.words}"),
        Decision("model", f"forecast by {model.members} networks over the last {back}", _words_of(training)),
        Decision("views", _seen(bool(ahead), back), "who sees other things errs otherwise"),
        Decision("gate", "better than the value of a season before, beyond chance", "relative_mae at most 1"),
        *([Decision("roots", named(label), "whole numbers from 0 on: square roots vary alike at all levels")]
          if model.root else []),
    ]  # fmt: skip
    return Recipe(
        contract, opened.source, typed.height, model, training, ByTime(shares=SHARES), decisions=tuple(decisions)
    )


def _refuse_unfit(inferred: Contract, label: str, horizon: int) -> None:
    if inferred.time is None or inferred.label is None or inferred.label.classes is not None:
        raise ConfigError(
            f"--horizon {horizon}, and no column of moments" if inferred.time is None else f"{label!r} is no number",
            "a column that says when each row was measured, and a number to forecast",
            "name them with --time and --label",
        )


def _as_series(
    contract: Contract, typed: pl.DataFrame, horizon: int, ahead: tuple[str, ...], spare: list[str]
) -> tuple[Contract, list[Decision]]:
    """The contract of a series, and what it leaves out besides the columns ``spare``."""
    group = _group(contract, typed)
    step = _step(contract, typed, group)
    contract, left = _numbers_only(contract, group)
    lost = [one for one in ahead if one not in contract.features]
    if lost:
        raise ConfigError(f"--known-ahead {lost[0]}", f"one of {listed(contract.features)}", "correct the option")
    series = Series(step=_words(step), window=_window(step, horizon), horizon=horizon, group=group, ahead=ahead)
    _refuse_short(typed.height if group is None else typed[group].alias("value").value_counts()["count"].min(), series)
    changes = {"series": series.model_dump(), "key": None, "ignore": (*contract.ignore, *spare)}
    return Contract.model_validate({**contract.model_dump(), **changes}), left


def _decided(contract: Contract) -> list[Decision]:
    """What the series of a contract is."""
    series, label = contract.series, contract.label
    assert series is not None and label is not None
    ahead, group = series.ahead, series.group
    past = [n for n in contract.features if n not in (*ahead, group)]
    known = "as asked" if ahead else "columns that are known beforehand are named with --known-ahead"
    return [
        Decision("task", f"forecast of {named(label.name)}", f"{series.horizon} steps ahead, as asked"),
        Decision("step", series.step, "the most frequent distance between moments"),
        *([Decision("group", named(group), "moments repeat, and within it they do not")] if group else []),
        Decision("window", f"{series.window} steps", "the history that a forecast looks back on"),
        Decision("known ahead", listed(ahead) if ahead else "the calendar alone", known),
        *([Decision("known past", listed(past))] if past else []),
    ]


def _group(contract: Contract, typed: pl.DataFrame) -> str | None:
    """The column that tells series apart, where moments repeat."""
    time = str(contract.time)
    if not typed[time].is_duplicated().any():
        return None
    for name, feature in contract.features.items():
        if feature.dtype == "string" and not feature.text and not typed.select(name, time).is_duplicated().any():
            return name
    repeated = int(typed[time].is_duplicated().sum())
    raise ConfigError(
        f"{repeated} rows share their moment in {time!r}, and no column of texts tells them apart",
        "one row a moment, or a column that names the series of each row",
        "take the copies out; where clocks went back by an hour, write moments in UTC or with offset",
    )


def _step(contract: Contract, typed: pl.DataFrame, group: str | None) -> int:
    """The most frequent distance between moments, in seconds."""
    time = str(contract.time)
    if not typed[time].dtype.is_temporal():
        raise ConfigError(f"--time {time}, which holds numbers", "dates or moments", "write them in ISO 8601")
    at = pl.col(time).cast(pl.Datetime("us")).dt.epoch("s")
    apart = at.sort().diff() if group is None else at.sort().diff().over(group)
    found = typed.drop_nulls(time).select(apart.alias("apart"))["apart"].drop_nulls()
    found = found.filter(found > 0)
    if not len(found):
        raise ConfigError(f"one moment in {time!r}", "moments that go on", "name another column with --time")
    step = int(found.mode().min())  # type: ignore[arg-type]
    beside = int((found % step != 0).sum())
    if beside:
        raise ConfigError(
            f"{beside} of {len(found)} moments in {time!r} lie beside the most frequent step of {_words(step)}",
            "moments with one regular step; steps may be missing",
            "bring the rows onto a regular step, such as means of an hour",
        )
    return step


def _words(seconds: int) -> str:
    """``1h`` for 3600."""
    unit = next(u for u in ("d", "h", "min", "s") if seconds % SECONDS[u] == 0)
    return f"{seconds // SECONDS[unit]}{unit}"


def _window(step: int, horizon: int) -> int:
    """A week; of steps of a day and longer four weeks; a day where a week has too many steps."""
    if step >= DAY:
        return max(28, horizon)
    week = WEEK // step
    return max(horizon, week if week <= LONGEST_WINDOW else DAY // step)


def _numbers_only(contract: Contract, group: str | None) -> tuple[Contract, list[Decision]]:
    """The contract without what a forecast does not read."""
    gone: dict[str, str] = {}
    for name, feature in contract.features.items():
        if name in (contract.time, group):
            continue
        if feature.advances is not None or feature.dtype == "datetime":
            gone[name] = "it moves on for ever"
        elif feature.dtype not in ("float", "int", "bool") or feature.shape:
            gone[name] = "a forecast reads numbers; write it as numbers to have it looked at"
    kept = {n: f for n, f in contract.features.items() if n not in gone and n != contract.time}
    ignore = (*contract.ignore, *gone)
    decisions = [Decision("left out", named(n), why) for n, why in gone.items()]
    return contract.model_copy(update={"features": kept, "ignore": ignore}), decisions


def _refuse_short(rows: Any, series: Series) -> None:
    fewest = round((series.window + series.horizon) / SHARES.train) + 10 * series.horizon
    if int(rows) < fewest:
        raise ConfigError(
            f"{rows} rows for a window of {series.window} and a horizon of {series.horizon} steps",
            f"at least {fewest} of each series",
            "give more rows, or a smaller --horizon",
        )


def _words_of(training: Mapping[str, Any]) -> str:
    return f"{training['epochs']} epochs in batches of {training['batch']}"


def _counts(label: pl.Series) -> bool:
    """Whether a label counts something: whole numbers, none below 0."""
    values = label.drop_nulls().cast(pl.Float64)
    return bool(len(values) and values.min() >= 0 and (values == values.round()).all())  # type: ignore[operator]


def _seen(ahead: bool, back: str) -> str:
    """What the members see, in equal numbers; ``back``: days, or steps where these are as long."""
    some = f"{', '.join(map(str, SHORT[:-1]))} and {SHORT[-1]} {back} before alone"
    if not ahead:
        return f"half of them see all {back}, half {some}"
    return f"a third sees each step by itself, a third what lies around it, too, a third so {some}"


def _model(rows: int, counts: bool, ahead: bool) -> tuple[Forecast, dict[str, Any]]:
    """Architecture, and settings of the training by field name (decisions 272 and 355).

    ``ahead``: whether anything is known of the steps ahead.
    """
    views = (View(), View(around=1), View(days=SHORT, around=1, before=False)) if ahead else (View(), View(days=SHORT))
    batch = 64 if rows < 5_000 else 128
    epochs = int(np.clip(STEPS * batch / (SHARES.train * rows), 3, 60))
    model = Forecast(core="none", units=(96, 96), members=2 * len(views), views=views, root=counts)
    return model, {"epochs": epochs, "batch": batch, "optimizer": Adam(learning_rate=3e-3),
                   "schedule": Schedule(), "early_stopping": None}  # fmt: skip
