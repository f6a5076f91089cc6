"""A first pipeline for a table.

::

    open -> label and task -> contract (inferred) -> columns to leave out -> leakage -> time and split -> model
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.sources.base import Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.splitting.assign import labelled
from kilnworks.components.sources.splitting.splits import ByTime
from kilnworks.components.starting import sizes
from kilnworks.components.starting.columns import LeftOut, codes, columns_like_dates, left_out
from kilnworks.components.starting.dated import date_decisions
from kilnworks.components.starting.label import asks_for_log, find_label, refuse_magnitude, task_of
from kilnworks.components.starting.leakage import Suspect, find_suspects
from kilnworks.components.starting.moments.both_splits import compare_splits
from kilnworks.components.starting.moments.overlap import without_what_runs_out
from kilnworks.components.starting.moments.parts import with_parts_joined
from kilnworks.components.starting.moments.times import NONE, TimeColumn, is_none, time_column
from kilnworks.components.starting.open_data import Kind, Opened, open_table
from kilnworks.components.starting.positive import with_positive
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.components.starting.sequences.numbered import numbered_decisions
from kilnworks.components.starting.settling import settle
from kilnworks.components.starting.spellings import refuse_broken_numbers, spelling_decisions
from kilnworks.components.starting.texts import (
    bag,
    bag_words,
    characters_of,
    text_columns,
    text_decisions,
    text_settings,
)
from kilnworks.components.starting.units import group_of
from kilnworks.components.starting.unsupported import refuse_label, refuse_many_classes, split_column
from kilnworks.components.tasks.asked import NUMBERS, Asked
from kilnworks.components.tasks.choose import choose
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.words import listed, named

MISSING = 0.02
"""Share of missing values from which on a column that had none is worth a warning."""
EMBEDDED = 16
"""Categories with more values than this are embedded, see ``PreprocessConfig.one_hot_up_to``."""
RARE = 3
"""Values in fewer training rows than this count as unknown."""


def start_with_table(
    name: str,
    data: str,
    kind: Kind,
    *,
    label: str | None = None,
    task: Asked | None = None,
    time: str | None = None,
    query: str | None = None,
    decimals: Mapping[str, str] | None = None,
    positive: str | None = None,
) -> Recipe:
    """Look at a table and decide on a first pipeline.

    Args:
        name: of the contract.
        data: path, URL or name.
        kind: what ``data`` is.
        label: column to be predicted; guessed where left out.
        task: kind of prediction; seen from the label where left out.
        time: column that says when a row was made; found where left out.
        query: SELECT or table, for a database.
        decimals: the decimal sign of columns, ``,`` or ``.``; seen from the values where left out.
        positive: of two classes the one that is looked for; the rarer one where left out.

    Raises:
        DataUnreadable: the data cannot be read, or has too few rows.
        UnknownName: a column that does not exist.
        ConfigError: label and task do not fit, or no feature is left.
    """
    opened = open_table(data, kind, query, decimals)
    if time is not None and time not in opened.frame.columns and not is_none(time, opened.frame):
        raise UnknownName("column", time, [*opened.frame.columns, NONE])
    label, guess = find_label(opened.frame, opened.specs, label)
    refuse_label(opened.frame, label)
    opened = with_parts_joined(opened, label) if time is None else opened
    refuse_broken_numbers(opened.frame[label], opened.specs[label])
    task, why = task_of(opened.specs[label], opened.frame[label], task)
    inferred, moment = inferred_contract(name, opened, label, task, time)
    _refuse_moments_alone(inferred, label)
    refuse_many_classes(inferred, opened.frame)
    inferred, told = with_positive(inferred, opened.frame, positive)
    contract, columns = without_columns(inferred, opened, moment)
    parts = typed_parts(opened, contract)
    typed = pl.concat(list(parts.values()))
    if task == NUMBERS:
        refuse_magnitude(typed[label])
    grouped = group_of(contract, typed) if contract.time is None and not opened.source.splits() else None
    contract, suspects = _without_copies(contract, typed, grouped)
    unread = columns_like_dates(opened.frame, opened.specs)
    others = [name for name in moment.others if name in contract.columns and name != label]
    settled = settle(contract, opened.source, parts, others=others, unread=unread, key=grouped)
    kept = without_what_runs_out(settled.contract, opened.source, parts, settled.split)
    contract = kept.contract
    known = labelled(typed, contract)
    kept_or_not = {**kept.features, **({grouped: FeatureSettings(encode="drop")} if grouped else {})}
    model, training, transform = _model(contract, known, kept_or_not)
    decisions = [guess] if guess else []
    decisions += [
        Decision("rows", f"{opened.frame.height:,} rows, {len(opened.frame.columns)} columns"),
        Decision("task", *_task_words(contract, typed, why)),
        *told,
        Decision("features", f"{len(contract.features)}: {listed(contract.features)}"),
        *(Decision("dates", f"{named(n)}: made of {listed(map(named, p))}") for n, p in opened.source.moments.items()),
        *date_decisions(opened.frame, opened.specs),
        *spelling_decisions(opened.frame, opened.specs, label, contract.columns),
        *columns,
        *([_of_groups(grouped, str(label))] if grouped else []),
        *text_decisions(contract, typed),
        *numbered_decisions(opened.specs, contract.features),
        *suspects,
        *kept.decisions,
        *settled.decisions,
        *_both_splits(settled.contract, typed, moment, by_time=isinstance(settled.split, ByTime)),
        Decision(
            "model", *(bag_words(contract, training) if text_columns(contract) else _model_words(model, training))
        ),
    ]
    read = characters_of(contract, known)
    return Recipe(
        contract, opened.source, known.height, model, training, settled.split, transform, tuple(decisions), read
    )


def _refuse_moments_alone(inferred: Contract, label: str) -> None:
    """Raise ``ConfigError`` where nothing but the moments of a label is known: that is a series, not a table."""
    if set(inferred.features) == {inferred.time}:
        raise ConfigError(
            f"nothing beside {named(label)} but {named(str(inferred.time))}, which says when each row was measured",
            "at least one more column to learn from, or a series",
            "--horizon N forecasts the next N steps from those before",
        )


def _both_splits(contract: Contract, typed: pl.DataFrame, moment: TimeColumn, *, by_time: bool) -> list[Decision]:
    """What a split by time and one by hash give, where there is a column of dates."""
    label = contract.label.name if contract.label is not None else None
    possible = [n for n in (moment.name, *moment.others) if n is not None and n in contract.columns and n != label]
    return compare_splits(contract, typed, possible[0], by_time=by_time) if possible else []


def inferred_contract(
    name: str, opened: Opened, label: str | None, task: Asked | None, time: str | None
) -> tuple[Contract, TimeColumn]:
    """The contract as ``contract infer`` would write it, with the time column that was asked for or found."""
    none = is_none(time, opened.frame)
    with opened.as_file() as path:
        contract = infer_contract(path, label, task, None if none else time, name, specs=opened.specs)
    found = time_column(opened.frame, opened.specs, time, contract.time)
    if found.name == contract.time:
        return contract, found
    changes: dict[str, Any] = {"time": found.name}
    if contract.time is not None and (moment := _moment(contract, opened)) is not None:
        changes["features"] = {contract.time: moment.model_copy(update={"advances": None}), **contract.features}
    return contract.model_copy(update=changes), found


def without_columns(contract: Contract, opened: Opened, time: TimeColumn) -> tuple[Contract, list[Decision]]:
    """The contract with rules that warn, and without the columns that a first model does not see."""
    out = left_out(contract, opened.frame, opened.specs)
    split = split_column(opened.frame)
    if split is not None and split in contract.features and all(o.name != split for o in out):
        out.append(
            LeftOut(split, "it names the split of a row; `split=AsGiven(column=...)` of the definition keeps it")
        )
    absent = {o.name for o in out} | opened.source.moments.keys()
    features = {n: _lenient(f) for n, f in contract.features.items() if n not in absent}
    moment = _moment(contract, opened)
    if contract.time is not None and moment is not None:
        features = {contract.time: moment, **features}
    if not features:
        told = {o.name: o.reason for o in out} | opened.left_out
        reasons = "; ".join(f"{named(n)}: {why}" for n, why in told.items())
        raise ConfigError(f"no feature is left ({reasons})", "a column that varies and repeats", "give other data")
    ignored = absent - opened.source.moments.keys() - {contract.key}
    ignore = tuple(n for n in opened.frame.columns if n in ignored) + tuple(opened.left_out)
    changes: dict[str, Any] = {
        "features": features,
        "ignore": ignore,
        "on_bad_rows": "quarantine",
        "description": f"{opened.frame.height:,} rows from {opened.source}. Look through it: what is known of a column "
        "(unit, meaning, hard limits) makes the guard better.",
    }
    unread = columns_like_dates(opened.frame, opened.specs)
    decisions = [
        Decision("left out", named(o.name), o.reason, flagged=o.name in unread)
        for o in out
        if o.name not in opened.source.moments
    ]
    decisions += [Decision("left out", named(n), why) for n, why in opened.left_out.items()]
    parts = {part for made in opened.source.moments.values() for part in made}
    moving = [n for n, f in features.items() if f.advances is not None and n not in parts]
    decisions += [Decision("advances", named(n), ADVANCES) for n in moving]
    if contract.time is not None:
        decisions.append(Decision("time", named(contract.time), time.why, flagged=time.flagged))
    if time.name is not None and time.others:
        why = f"dates, too; --time {named(time.others[0])} splits by another"
        decisions.append(Decision("time?", listed(map(named, time.others)), why, flagged=True))
    return Contract.model_validate({**contract.model_dump(), **changes}), decisions


ADVANCES = "it moves on from file to file: it is checked by its steps, and a model knows no later level of it"


def _lenient(feature: Feature) -> Feature:
    """Rules nobody has confirmed warn and do not refuse; any value may be missing one day."""
    missing = feature.max_missing if feature.nullable else MISSING
    return feature.model_copy(update={"severity": "warning", "nullable": True, "max_missing": missing})


def _moment(contract: Contract, opened: Opened) -> Feature | None:
    """The time column as a feature: the season and the hour matter; None where there is none, or its parts are."""
    if contract.time is None or contract.time in {*contract.features, *opened.source.moments}:
        return None
    spec = opened.specs[contract.time]
    if spec.kind == "key":
        return None
    dtype = "datetime" if spec.kind == "datetime" else "int" if spec.integer else "float"
    return Feature.model_validate(
        {"dtype": dtype, "nullable": True, "max_missing": MISSING, "severity": "warning", "advances": {"by": "time"},
         "description": "When the row was made."}
    )  # fmt: skip


def typed_parts(opened: Opened, contract: Contract) -> dict[str | None, pl.DataFrame]:
    """All rows as the pipeline will read them, by part: a source that cannot be read so is found out here."""
    wanted = Wanted(contract_columns(contract), frozenset(contract.ignore))
    parts = opened.source.splits() or (None,)
    return {part: pl.concat(list(opened.source.frames(wanted, part))) for part in parts}


def _of_groups(name: str, label: str) -> Decision:
    why = f"all rows of one have one {named(label)}: they go to one part of the split, so that others judge"
    back = "it is no feature; without `key` of the split and `drop` in the definition it is"
    return Decision("groups", named(name), f"{why}; {back}", flagged=True)


def _without_copies(contract: Contract, typed: pl.DataFrame, grouped: str | None) -> tuple[Contract, list[Decision]]:
    """Features that are the label in other words are left out, suspicious ones pointed out; not that of the groups."""
    assert contract.label is not None
    names = [n for n in contract.features if n not in (contract.time, grouped)]
    found = find_suspects(typed, contract.label.name, names, classes=contract.label.classes is not None)
    copies = [s for s in found if s.copy]
    if len(copies) == len(contract.features):
        copies = []
    gone = {s.name for s in copies}
    decisions = [_suspicion(s, s.name in gone, contract.label.name) for s in found]
    kept = {n: f for n, f in contract.features.items() if n not in gone}
    changes = {"features": kept, "ignore": (*contract.ignore, *gone)}
    return contract.model_copy(update=changes) if gone else contract, decisions


def _suspicion(suspect: Suspect, gone: bool, label: str) -> Decision:
    evidence = f"alone it tells {named(label)} with {suspect.measure} {suspect.power:.4f}"
    if gone:
        back = "move it from `ignore` to `features` of the contract if it is known before the label is"
        return Decision("leak, left out", named(suspect.name), f"{evidence}; {back}", flagged=True)
    return Decision("leak?", named(suspect.name), f"{evidence}; is it known before the label is?", flagged=True)


def _model(
    contract: Contract, typed: pl.DataFrame, dates_kept: Mapping[str, FeatureSettings]
) -> tuple[Any, dict[str, Any], PreprocessConfig]:
    """Architecture, training and preprocessing for these columns."""
    named = codes(contract, typed)
    texts = [n for n, f in contract.features.items() if f.dtype == "string" and not f.text]
    many = [n for n in (*texts, *named) if typed[n].n_unique() > EMBEDDED]
    rows, monitor, read = round(0.8 * typed.height), choose(contract).monitor, text_columns(contract)
    log = contract.label is not None and contract.label.classes is None and asks_for_log(typed[contract.label.name])
    tabular = sizes.tabular(rows, len(contract.features), monitor, categories=bool(many), log=log)
    model, training = bag(rows, monitor) if read else tabular
    features = {n: FeatureSettings(encode="embedding") for n in named} | text_settings(contract, typed)
    time = contract.features.get(contract.time or "")
    if time is not None and time.dtype in ("int", "float"):
        features[str(contract.time)] = FeatureSettings(scale="quantile")
    features |= dates_kept
    dates = any(f.dtype == "datetime" for f in contract.features.values())
    transform = PreprocessConfig(
        shares=not read,
        datetimes="moment" if dates else "numeric",
        min_frequency=RARE if many else 1,
        features=features,
    )
    return model, training, transform


def _task_words(contract: Contract, typed: pl.DataFrame, why: str) -> tuple[str, str]:
    label = contract.label
    assert label is not None
    if label.classes is None:
        values = typed[label.name].cast(pl.Float64).drop_nulls().to_numpy()
        finite = values[np.isfinite(values)]
        unit = f" {label.unit}" if label.unit else ""
        return f"regression of {named(label.name)}", f"{why}, from {finite.min():.15g} to {finite.max():.15g}{unit}"
    counts = {value: int((typed[label.name] == value).sum()) for value in label.classes}
    rarest = min(counts, key=lambda value: counts[value])
    return (
        f"{len(counts)} classes of {named(label.name)}: {listed(map(str, label.classes), 6)}",
        f"{why}; the rarest is {named(str(rarest))} with {counts[rarest]:,} rows",
    )


def _model_words(model: Any, training: dict[str, Any]) -> tuple[str, str]:
    words = f"{model.members} members x {len(model.units)} layers of {model.units[0]}, numbers in {model.bins} pieces"
    prior = f", prior {model.prior:g} on categories" if model.prior else ""
    again = f"; then {training['refit']} networks on all rows, whose mean answers" if "refit" in training else ""
    log = "; learns the logarithm of the label" if "label_scale" in training else ""
    return "tabular", f"{words}{prior}; batches of {training['batch']}, stops early{again}{log}"
