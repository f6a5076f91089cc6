"""A first pipeline for rows without a label: what is unlike the others, or which rows belong together.

::

    open -> label to judge by, if one is named -> contract -> columns to leave out -> split -> model
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.learning.optimizers import Adam, Schedule
from kilnworks.components.modeling.autoencoder import Autoencoder
from kilnworks.components.modeling.clusters import Clusters
from kilnworks.components.modeling.generative.boltzmann import Rbm
from kilnworks.components.starting.moments.times import is_none
from kilnworks.components.starting.open_data import Kind, Opened, open_table
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.components.starting.settling import settle
from kilnworks.components.starting.table import inferred_contract, typed_parts, without_columns
from kilnworks.components.tasks.asked import ANOMALY, CLASSES, CLUSTERS, CODES, NO_LABEL, UNLABELLED, Asked
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.words import listed, named

STEPS = 2500
"""Steps of a training, about."""
NOISE = 0.1
"""Of the autoencoder, in spreads: without it, trained on nothing but usual rows, it learns to copy strange ones."""
MOST_VALUES = 64
"""Texts with more values than this are left out: each value is a column of 0 and 1."""
COMPARED = (CLUSTERS, CODES)
"""Tasks whose answers are compared with a label of classes, where there is one."""
FEWEST_ROWS = 50
"""Fewer rows than this do not show what is usual."""


def is_asked(label: str | None, task: Asked | None) -> bool:
    """Whether nothing is to be predicted: by ``--label none``, or by the task."""
    return label == NO_LABEL or task in UNLABELLED


def start_unlabelled(
    name: str,
    data: str,
    kind: Kind,
    *,
    label: str | None = None,
    task: Asked | None = None,
    time: str | None = None,
    query: str | None = None,
    decimals: Mapping[str, str] | None = None,
) -> Recipe:
    """Look at a table and decide on a first pipeline that learns from its rows alone.

    Args:
        name: of the contract.
        data: path, URL or name.
        kind: what ``data`` is.
        label: column of classes that the model is judged by and never learns from, two for anomalies; ``none``, or
            left out, for none.
        task: ``anomaly``, by default, ``clusters`` or ``codes``.
        time: column that says when a row was made; found where left out. No feature of the model.
        query: SELECT or table, for a database.
        decimals: the decimal sign of columns, ``,`` or ``.``; seen from the values where left out.

    Raises:
        DataUnreadable: the data cannot be read, or has too few rows.
        UnknownName: a column that does not exist.
        ConfigError: a task that has a label, a label of other classes than the task's, or fewer than two columns.
    """
    judge = None if label == NO_LABEL else label
    if task is not None and task not in UNLABELLED:
        raise ConfigError(
            f"--label none and --task {task}", "a column to be predicted", "name it with --label, or leave --task out"
        )
    opened = open_table(data, kind, query, decimals)
    asked = None if is_none(time, opened.frame) else time
    for column in (judge, asked):
        if column is not None and column not in opened.frame.columns:
            raise UnknownName("column", column, opened.frame.columns)
    if judge is not None and task in COMPARED:
        _refuse_measures(judge, opened.frame[judge])
    inferred, moment = inferred_contract(name, opened, judge, CLASSES if judge else None, time)
    if judge is not None:
        inferred = _judging(inferred) if task in COMPARED else _rare_second(inferred, opened.frame[judge])
    contract, columns = without_columns(inferred, opened, moment)
    contract, others = _without_moments_and_texts(contract, opened)
    _refuse_few(contract, [*columns, *others], opened.frame.height)
    parts = typed_parts(opened, contract)
    settled = settle(contract, opened.source, parts)
    contract, rows = settled.contract, sum(part.height for part in parts.values())
    model, training = _model(task, rows)
    decisions = [
        Decision("rows", f"{opened.frame.height:,} rows, {len(opened.frame.columns)} columns"),
        _compared(contract, task) if task in COMPARED else _task(contract, task),
        Decision("features", f"{len(contract.features)}: {listed(contract.features)}"),
        *columns,
        *others,
        *settled.decisions,
        Decision("model", *_model_words(model, training)),
    ]
    transform = PreprocessConfig(one_hot_up_to=MOST_VALUES) if _has_texts(contract) else PreprocessConfig()
    if task == CODES:
        transform = transform.model_copy(update={"features": _between_0_and_1(contract)})
    return Recipe(contract, opened.source, rows, model, training, settled.split, transform, tuple(decisions))


def autoencoder(rows: int) -> tuple[Autoencoder, dict[str, Any]]:
    """Architecture, and settings of the training by field name."""
    batch = 64 if rows < 5_000 else 256
    epochs = int(min(200, max(10, STEPS * batch / max(1, 0.7 * rows))))
    return Autoencoder(noise=NOISE), {
        "epochs": epochs,
        "batch": batch,
        "optimizer": Adam(learning_rate=3e-3),
        "schedule": Schedule(),
        "early_stopping": None,
    }


def clusters() -> tuple[Clusters, dict[str, Any]]:
    """Architecture, and settings of the training by field name."""
    return Clusters(), {"early_stopping": None}


def codes(rows: int) -> tuple[Rbm, dict[str, Any]]:
    """Architecture, and settings of the training by field name."""
    epochs = int(min(100, max(5, STEPS * 32 / max(1, 0.7 * rows))))
    return Rbm(units=(32,), divergence_epochs=epochs), {"batch": 32}


def _model(task: Asked | None, rows: int) -> tuple[Autoencoder | Clusters | Rbm, dict[str, Any]]:
    if task == CLUSTERS:
        return clusters()
    return codes(rows) if task == CODES else autoencoder(rows)


def _between_0_and_1(contract: Contract) -> dict[str, FeatureSettings]:
    """Settings of every number: hidden units are on or off, and so are those that they see."""
    numbers = (n for n, f in contract.features.items() if f.dtype in ("float", "int", "bool") and f.allowed is None)
    return {name: FeatureSettings(scale="minmax") for name in numbers}


def _compared(contract: Contract, task: Asked | None) -> Decision:
    label = contract.label
    judged = f"; compared with {named(label.name)}, never learned from" if label is not None else ""
    what = "which rows belong together" if task == CLUSTERS else "what goes together in the rows"
    return Decision("task", str(task), f"as asked: {what}{judged}")


def _refuse_measures(label: str, series: pl.Series) -> None:
    """Raise ``ConfigError`` where a label to compare with holds fractions: they are no classes."""
    numbers = series.cast(pl.Float64, strict=False)
    if bool(((numbers % 1) != 0).fill_null(False).any()):
        raise ConfigError(f"--label {label} holds fractions", "classes to compare with", "use --label none")


def _judging(contract: Contract) -> Contract:
    """The contract with a label that is only compared with."""
    label = contract.label
    assert label is not None
    return contract.model_copy(update={"label": label.model_copy(update={"learned": False})})


def _task(contract: Contract, task: Asked | None) -> Decision:
    why = "as asked" if task else "no label: rows unlike the others are looked for"
    if contract.label is None:
        return Decision("task", ANOMALY, why)
    rare = contract.label.classes[1] if contract.label.classes else ""
    return Decision("task", ANOMALY, f"{why}; judged by {named(contract.label.name)} = {rare}, never learned from")


def _model_words(model: Autoencoder | Clusters | Rbm, training: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(model, Clusters):
        return "clusters", f"k-means; of 2 to {model.most} clusters, the number with the largest silhouette"
    if isinstance(model, Rbm):
        return "rbm", f"{model.units[0]} hidden units that are on or off; {model.divergence_epochs} epochs"
    aside = f"the strangest {model.contamination:.0%} of the training rows are not learned from"
    above = f"a row is an anomaly above the score of {model.quantile:.0%} of the validation rows"
    return "autoencoder", f"{aside}; {above}; {training['epochs']} epochs in batches of {training['batch']}"


def _rare_second(contract: Contract, series: pl.Series) -> Contract:
    """The contract with the rarer of the two classes last: that of the anomalies.

    Raises:
        ConfigError: the label has not two classes.
    """
    label = contract.label
    assert label is not None
    classes = label.classes or ()
    if len(classes) != 2:
        what = f"{len(classes)} classes" if classes else "numbers"
        raise ConfigError(
            f"--label {label.name} holds {what}", "two values, the rarer one for anomalies", "use --label none"
        )
    counts = [int((series.cast(pl.String) == str(value)).sum()) for value in classes]
    ordered = classes if counts[1] <= counts[0] else (classes[1], classes[0])
    return contract.model_copy(update={"label": label.model_copy(update={"classes": ordered, "learned": False})})


def _without_moments_and_texts(contract: Contract, opened: Opened) -> tuple[Contract, list[Decision]]:
    """The contract without features that move on for ever, and without texts of many values."""
    gone: dict[str, str] = {}
    for name, feature in contract.features.items():
        if feature.dtype == "datetime" or feature.advances is not None or name == contract.time:
            gone[name] = "it moves on: every later row would be strange"
        elif feature.dtype == "string" and opened.frame[name].n_unique() > MOST_VALUES:
            gone[name] = f"{opened.frame[name].n_unique()} different texts; up to {MOST_VALUES} are taken"
    kept = {n: f for n, f in contract.features.items() if n not in gone}
    if not kept:
        reasons = "; ".join(f"{named(n)}: {why}" for n, why in [*gone.items(), *opened.left_out.items()])
        raise ConfigError(f"no feature is left ({reasons})", "a column that varies", "give other data")
    ignore = (*contract.ignore, *(n for n in gone if n != contract.time))
    changed = contract.model_copy(update={"features": kept, "ignore": ignore})
    return changed, [Decision("left out", named(n), why) for n, why in gone.items()]


def _refuse_few(contract: Contract, decisions: list[Decision], rows: int) -> None:
    if rows < FEWEST_ROWS:
        raise ConfigError(f"{rows} rows", f"at least {FEWEST_ROWS}, to see what is usual", "give more rows")
    if len(contract.features) > 1 or any(feature.shape for feature in contract.features.values()):
        return
    out = "; ".join(f"{one.choice}: {one.why}" for one in decisions if one.what == "left out")
    raise ConfigError(
        f"one column, {listed(contract.features)}" + (f" (left out: {out})" if out else ""),
        "at least two columns, of which one tells about the other",
        "give more columns; `min` and `max` of the contract guard a single number",
    )


def _has_texts(contract: Contract) -> bool:
    return any(f.dtype == "string" or f.allowed is not None for f in contract.features.values())
