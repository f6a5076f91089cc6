"""A first pipeline for rows that hold a sequence, or an array of numbers, and a class or a number of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.features.raw import raw_array
from kilnworks.components.learning.optimizers import Adam, Schedule
from kilnworks.components.modeling.sequential.sequence import SequenceModel
from kilnworks.components.modeling.sequential.settings import SequenceAugmentation
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.sources import GivenSplits
from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import Column, contract_columns
from kilnworks.components.starting import sizes
from kilnworks.components.starting.label import FEW, NAMES, asks_for_log, refuse_one_class
from kilnworks.components.starting.open_data import Kind, open_table
from kilnworks.components.starting.positive import with_positive
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.components.starting.sequences.numbered import FEWEST, chosen_columns, typed_column
from kilnworks.components.starting.sequences.shapes import scalar_columns, source_of
from kilnworks.components.starting.settling import settle
from kilnworks.components.starting.unsupported import refuse_label, refuse_many_classes
from kilnworks.components.tasks.asked import CLASSES, NUMBERS, Asked
from kilnworks.components.tasks.choose import choose
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.words import listed, named

STEPS = 1_500
"""Steps of a training, about."""


def start_with_sequences(
    name: str,
    data: str,
    kind: Kind,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    label: str | None = None,
    task: Asked | None = None,
    positive: str | None = None,
) -> Recipe:
    """Look at rows with sequences or arrays of numbers and decide on a first pipeline.

    Args:
        name: of the contract.
        data: the file.
        kind: what ``data`` is.
        shapes: steps and channels of each column of sequences, or how many numbers a row has in an array.
        label: column of classes, or of a number; guessed where left out.
        task: classification or regression; seen from the label where left out.
        positive: of two classes the one that is looked for; the rarer one where left out.

    Raises:
        UnknownName: a label that is no column of single values, or no such class.
        ConfigError: no column but the sequences, or a label that nothing can be learned of.
    """
    source = source_of(data, kind)
    return _start(name, source, scalar_columns(data, kind), partial(_as_found, source), shapes, label, task, positive)


def start_with_steps(
    name: str,
    data: str,
    kind: Kind,
    asked: tuple[str, ...],
    *,
    label: str | None = None,
    task: Asked | None = None,
    query: str | None = None,
    decimals: Mapping[str, str] | None = None,
    positive: str | None = None,
) -> Recipe:
    """The same where each step of a sequence is a column of its own, ``t0`` to ``t28`` for the sequence ``t``.

    Args:
        name: of the contract.
        data: path, URL or name.
        kind: what ``data`` is.
        asked: names of the sequences: the word before the numbers of their columns.
        label: column of classes, or of a number; guessed where left out.
        task: classification or regression; seen from the label where left out.
        query: SELECT or table, for a database.
        decimals: the decimal sign of columns; seen from the values where left out.
        positive: of two classes the one that is looked for; the rarer one where left out.

    Raises:
        UnknownName: no columns are numbered so, a label that is no other column, or no such class.
        ConfigError: as ``start_with_sequences``.
        DataInvalid: a step holds no numbers.
    """
    opened = open_table(data, kind, query, decimals)
    made = chosen_columns(asked, opened)
    written = {one: spec.number for one, spec in opened.specs.items() if spec.number and spec.kind in ("number", "key")}
    source = opened.source.model_copy(update={"sequences": made, "number_formats": written})
    steps = {one for columns in made.values() for one in columns}
    others = [one for one in opened.frame.columns if one not in steps]
    shapes = {word: (len(columns), 1) for word, columns in made.items()}
    return _start(name, source, others, partial(typed_column, opened), shapes, label, task, positive)


def _start(
    name: str,
    source: Source,
    scalars: list[str],
    column: Callable[[str], pl.Series],
    shapes: Mapping[str, tuple[int, ...]],
    label: str | None,
    task: Asked | None,
    positive: str | None,
) -> Recipe:
    chosen, guess = _label(scalars, label)
    values = column(chosen)
    refuse_label(values.to_frame(), chosen)
    target = _target(values, task)
    inside = {chosen, *shapes, *(one for columns in source.sequences.values() for one in columns)}
    contract = _contract(name, shapes, target, [n for n in _column_names(source) if n not in inside])
    parts = _read(source, Wanted(contract_columns(contract), frozenset(contract.ignore)))
    typed = pl.concat(list(parts.values()))
    changes = {"features": _nullable(contract.features, typed), "description": f"{typed.height:,} rows from {source}."}
    contract = contract.model_copy(update=changes)
    refuse_many_classes(contract, typed)
    contract, looked_for = with_positive(contract, typed, positive)
    settled = settle(contract, source, parts)
    model: SequenceModel | Tabular
    if any(len(shape) == 2 for shape in shapes.values()):
        model, training, words = _model(typed.height)
    else:
        model, training, words = _columns_model(settled.contract, typed, shapes)
    classes = settled.contract.label.classes if settled.contract.label else None
    decisions = [
        *([guess] if guess else []),
        Decision("rows", f"{typed.height:,} rows"),
        *(_shape_words(name, shape) for name, shape in shapes.items()),
        Decision("task", f"{len(classes)} classes of {named(chosen)}" if classes else f"a number, {named(chosen)}"),
        *looked_for,
        *([Decision("left out", listed(contract.ignore), "sequences alone are looked at; features of the contract are "
                    "put beside them")] if contract.ignore else []),
        *settled.decisions,
        *words,
    ]  # fmt: skip
    return Recipe(settled.contract, source, typed.height, model, training, settled.split, decisions=tuple(decisions))


def _shape_words(name: str, shape: tuple[int, ...]) -> Decision:
    if len(shape) == 1 and shape[0] < FEWEST:
        return Decision("columns", f"{named(name)}: {shape[0]} numbers a row")
    if len(shape) == 1:
        why = f"each taken by itself; --sequence {name} reads them as steps of one course"
        return Decision("sequence?", f"{named(name)}: {shape[0]} numbers a row", why, flagged=True)
    steps, channels = shape
    return Decision("sequence", named(name), f"{steps} steps of {channels} channel{'' if channels == 1 else 's'}")


def _columns_model(
    contract: Contract, typed: pl.DataFrame, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Tabular, dict[str, Any], list[Decision]]:
    """Architecture, settings of the training, and words, for numbers without an order."""
    label, width = contract.label, sum(shape[0] for shape in shapes.values())
    log = label is not None and label.classes is None and asks_for_log(typed[label.name])
    model, training = sizes.tabular(
        round(0.8 * typed.height), width, choose(contract).monitor, categories=False, log=log
    )
    why = f"{model.members} members over {width} numbers; batches of {training['batch']}, stops early"
    return model, training, [Decision("model", "tabular", why)]


def _model(rows: int) -> tuple[SequenceModel, dict[str, Any], list[Decision]]:
    """Architecture, settings of the training by field name, and words."""
    batch = 16 if rows < 1_000 else 32 if rows < 4_000 else 64
    epochs = int(np.clip(STEPS * batch / (0.7 * rows), 8, 60))
    model = SequenceModel(core="tcn", augmentation=SequenceAugmentation(jitter=0.1, scaling=0.1, warp=0.3, slice=0.8))
    words = [
        Decision("augment", "noise, scaling, uneven time, parts of the sequence"),
        Decision("model", f"sequence, {model.core}", f"{epochs} epochs in batches of {batch}"),
    ]
    training = {
        "epochs": epochs,
        "batch": batch,
        "optimizer": Adam(learning_rate=2e-3),
        "schedule": Schedule(),
        "early_stopping": None,
    }
    return model, training, words


def _label(scalars: list[str], label: str | None) -> tuple[str, Decision | None]:
    if label is not None:
        if label not in scalars:
            raise UnknownName("column", label, scalars)
        return label, None
    if not scalars:
        raise ConfigError(
            "every column has several values a row",
            "a label beside them, one value a row",
            "add one; of classes written as ones and zeros their place, argmax(axis=1)",
        )
    found = ([n for n in scalars if n.lower() in NAMES] or scalars[-1:])[0]
    return found, Decision("label", named(found), "a guess; name another with --label", flagged=True)


def _column_names(source: Source) -> list[str]:
    return source.column_names(source.splits()[0] if source.splits() else None)


def _read(source: Source, wanted: Wanted) -> dict[str | None, pl.DataFrame]:
    """All rows by part."""
    return {part: pl.concat(list(source.frames(wanted, part))) for part in source.splits() or (None,)}


def _as_found(source: Source, column: str) -> pl.Series:
    """A column in the type of the file."""
    wanted = Wanted({column: Column(column, "key")})
    parts = source.parts().values() if isinstance(source, GivenSplits) else (source,)
    found = [batch for part in parts for batch in part.batches([column], wanted, None)]
    return pl.concat(found, how="vertical_relaxed")[column]


def _target(labels: pl.Series, task: Asked | None) -> dict[str, Any]:
    """The label of the contract: classes, or a number where there are too many for classes or it has fractions."""
    values = _values(labels)
    dtype = "int" if values.dtype.is_integer() else "float" if values.dtype.is_float() else "string"
    unfit = {NUMBERS: "string", CLASSES: "float"}.get(task) if task else None
    if dtype == unfit:
        holds, wanted = ("texts", "a label of numbers") if dtype == "string" else ("fractions", "a label of classes")
        got = f"--task {task}, and {named(labels.name)} holds {holds}"
        raise ConfigError(got, wanted, "leave --task out, or name another --label")
    target: dict[str, Any] = {"name": labels.name, "dtype": dtype}
    if dtype == "string" or task == CLASSES or (task is None and dtype == "int" and values.n_unique() <= FEW):
        target["classes"] = sorted(values.unique().to_list())
        refuse_one_class(labels.name, target["classes"])
    return target


def _values(labels: pl.Series) -> pl.Series:
    """The values that are there: as texts, or as numbers, whole ones where all are whole."""
    if isinstance(labels.dtype, pl.String | pl.Boolean | pl.Categorical | pl.Enum):
        return labels.cast(pl.String).drop_nulls()
    if not labels.dtype.is_numeric():
        raise ConfigError(
            f"label {named(labels.name)} holds {labels.dtype}", "classes or numbers", "name another --label"
        )
    if labels.dtype.is_integer():
        return labels.drop_nulls()
    values = labels.cast(pl.Float64).drop_nulls().drop_nans()
    whole = values.cast(pl.Int64, strict=False)
    return whole if (whole == values).fill_null(False).all() else values


def _contract(name: str, shapes: Mapping[str, tuple[int, ...]], target: dict[str, Any], others: list[str]) -> Contract:
    """Sequences that may have missing steps, and the label."""
    return Contract.model_validate(
        {
            "name": name,
            "features": {n: {"dtype": "float", "shape": shape, "nullable": True} for n, shape in shapes.items()},
            "label": target,
            "ignore": others,
        }
    )


def _nullable(features: dict[str, Feature], typed: pl.DataFrame) -> dict[str, Feature]:
    """Features of which a value is missing in some row may be missing, others not."""
    found = {}
    for name, feature in features.items():
        missing = bool(np.isnan(raw_array(name, feature, typed[name])).any())
        found[name] = feature.model_copy(update={"nullable": missing})
    return found
