"""``contract infer``: a clean file becomes a contract, with the statistics that later batches are judged by."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.quality.contracts.infer_rules import absent_classes, advancing_feature, feature_of, label_of
from kilnworks.components.quality.screening.columns.column_specs import describe_read
from kilnworks.components.quality.screening.columns.table import Spec, Table
from kilnworks.components.quality.screening.files.reading import read_file
from kilnworks.components.quality.screening.judgement import advances_of, learn
from kilnworks.components.tasks.asked import CLASSES, NUMBERS, Asked
from kilnworks.schemas.contract import Contract, Feature, Label, RowCount
from kilnworks.schemas.dates import DateFormat
from kilnworks.schemas.errors import ConfigError, DataUnreadable, UnknownName
from kilnworks.schemas.number_format import NumberFormat
from kilnworks.schemas.reference import Reference, pack_statistics
from kilnworks.schemas.words import listed, named

SENSITIVE = {"sensitive": True, "allowed": None, "min": None, "max": None}
LEAST_ROWS = 20
"""Fewer rows than this say nothing about a source."""


def infer_contract(
    path: Path,
    label: str | None = None,
    task: Asked | None = None,
    time: str | None = None,
    name: str | None = None,
    sensitive: Collection[str] = (),
    specs: Mapping[str, Spec] | None = None,
    decimals: Mapping[str, str] | None = None,
) -> Contract:
    """Read a clean CSV, Parquet or JSON lines file and write down what it looks like.

    Args:
        path: the file.
        label: the column to be predicted.
        task: what kind of prediction; by default texts, true/false and up to 20 whole numbers are classes.
        time: the column that says when a row was made; by default a datetime column that the rows are sorted by.
        name: name of the contract; by default that of the file.
        sensitive: features with personal values: no statistic of them is kept and no value is shown.
        specs: what each column holds, see ``describe_columns``; by default it is seen from the rows.
        decimals: the decimal sign of columns, ``,`` or ``.``, where a person says it.

    Raises:
        DataUnreadable: the file cannot be read or has fewer than ``LEAST_ROWS`` rows.
        UnknownName: a column that is named does not exist.
        ConfigError: the label does not fit the task, no column can be a feature, or a column is not written with the
            decimal sign that is said.
    """
    frame, facts = read_file(path)
    if frame.height < LEAST_ROWS:
        raise DataUnreadable(f"{path.name} has {frame.height} rows", f"at least {LEAST_ROWS} clean rows", "give more")
    for column in (label, time, *sensitive):
        if column is not None and column not in frame.columns:
            raise UnknownName(f"column in {path.name}:", column, frame.columns)
    known = dict(specs or describe_read(frame, facts, decimals))
    if label is not None:
        known[label] = _label_spec(known[label], frame[label], task)
    if time is not None and known[time].kind != "datetime" and known[time].kind != "number":
        raise ConfigError(f"column {time!r} does not hold moments", "dates or numbers", "name another --time column")
    table = Table(frame, known)
    open_table = Table(frame, {n: s for n, s in known.items() if n not in sensitive})
    statistics = learn(open_table, facts, label, time)
    contract = _contract(table, statistics, label, task, time or statistics["stream"], name or contract_name(path))
    return hide(contract, sensitive)


def hide(contract: Contract, sensitive: Collection[str]) -> Contract:
    """The contract with these features marked as personal, and without values of theirs."""
    hidden = {n: f.model_copy(update=SENSITIVE) if n in sensitive else f for n, f in contract.features.items()}
    return contract.model_copy(update={"features": hidden})


def _label_spec(spec: Spec, series: pl.Series, task: Asked | None) -> Spec:
    """A label is compared as what it is used for: classes or numbers."""
    few = series.n_unique() <= 20
    if spec.kind == "number" or spec.integer:
        if task == CLASSES or (task is None and spec.integer and few):
            return replace(spec, kind="category", integer=True)
        return replace(spec, kind="number")
    if spec.kind in ("text", "key") and task == NUMBERS:
        return Spec("text")
    return replace(spec, kind="category", tokens=absent_classes(series)) if spec.kind != "datetime" else spec


def _contract(
    table: Table, statistics: dict[str, Any], label: str | None, task: Asked | None, time: str | None, name: str
) -> Contract:
    keys = table.names("key")
    key = _best_key(table, keys)
    features: dict[str, Feature] = {}
    ignore: list[str] = [k for k in keys if k != key]
    for column in table.everything:
        if column in (label, key, time) or column in keys:
            continue
        if _constant(table, column):
            ignore.append(column)
        else:
            features[column] = _feature(table, column, statistics)
    if not features and time is not None and time in table.specs and table.specs[time].kind == "datetime":
        features[time] = _feature(table, time, statistics)
    if not features:
        raise _nothing_to_learn(table, label, key, time)
    made: Label | None = label_of(table, label, task) if label else None
    reference = Reference(rows=table.rows, sketch=pack_statistics(statistics))
    return Contract(
        name=name,
        description=f"Inferred from {table.rows} rows; read it, correct it, and add units and descriptions.",
        key=key,
        time=time,
        features=features,
        label=made,
        dates={n: s.written for n, s in table.specs.items() if n in (*features, time) and _is_own(s)},
        ignore=tuple(ignore),
        numbers=_written_otherwise(table, [*features, *([made.name] if made else [])]),
        rows=RowCount(min=1),
        reference=reference,
    )


def _nothing_to_learn(table: Table, label: str | None, key: str | None, time: str | None) -> ConfigError:
    """The error for a table all of whose other columns are keys or always the same."""
    others = [name for name in table.everything if name not in (label, key, time)]
    apart = [f"{named(name)} is the {what}" for what, name in (("label", label), ("key", key), ("time", time)) if name]
    told = f"; {', '.join(apart)}" if apart else ""
    return ConfigError(
        f"no column can be a feature: {listed(others, 8) if others else 'there is no other column'}{told}",
        "at least one more column whose values differ from row to row and come again",
        "add such columns to the data" + (", or name another --label" if label else ""),
    )


def _is_own(spec: Spec) -> bool:
    """Whether a column writes its dates in a way of its own."""
    return spec.kind == "datetime" and spec.written != DateFormat()


def _written_otherwise(table: Table, columns: Collection[str]) -> dict[str, NumberFormat]:
    """How numbers are written, by column, where not plainly."""
    forms = {name: table.specs[name].number for name in columns}
    return {name: form for name, form in forms.items() if form is not None}


def _feature(table: Table, column: str, statistics: dict[str, Any]) -> Feature:
    """The rules of a column by what it does in time: it advances, it drifts, or it stays."""
    kept = statistics["probes"]["advance"]["columns"].get(column)
    if kept is not None:
        return advancing_feature(table, column, advances_of(statistics)[column], kept.get("step"))
    return feature_of(table, column, drifts=column in statistics["drifts"], grows=column in statistics["grow"])


def _best_key(table: Table, keys: list[str]) -> str | None:
    """A key is there in every row; one that is named so comes first."""
    whole = [k for k in keys if not table.missing(k).any()]
    named = [k for k in whole if re.search(r"(id|key|uuid)$", k, re.I)]
    return (named or whole or [None])[0]  # type: ignore[list-item]


def _constant(table: Table, column: str) -> bool:
    if table.specs[column].kind in ("number", "datetime"):
        values = table.numbers(column)
        return bool(np.unique(values[~np.isnan(values)]).size < 2 and not table.endless(column).any())
    return table.texts(column).drop_nulls().n_unique() < 2


def contract_name(path: Path) -> str:
    """The name of a file or folder as a name of a contract."""
    words = re.sub(r"[^A-Za-z0-9_]+", "_", path.stem).strip("_")
    return words if words[:1].isalpha() else f"data_{words}".rstrip("_")
