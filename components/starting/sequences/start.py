"""A first pipeline for rows that hold a sequence, and a class of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.features.raw import raw_array
from kilnworks.components.learning.optimizers import Adam, Schedule
from kilnworks.components.modeling.sequential.sequence import SequenceModel
from kilnworks.components.modeling.sequential.settings import SequenceAugmentation
from kilnworks.components.sources.base import Wanted
from kilnworks.components.sources.columns import Column, contract_columns
from kilnworks.components.starting.label import FEW, NAMES, refuse_one_class
from kilnworks.components.starting.open_data import Kind
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.components.starting.sequences.shapes import Rows, scalar_columns, source_of
from kilnworks.components.starting.settling import settle
from kilnworks.components.tasks.asked import CLASSES, NUMBERS, Asked
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.words import listed, named

STEPS = 1_500
"""Steps of a training, about."""


def start_with_sequences(
    name: str,
    data: str,
    kind: Kind,
    shapes: dict[str, tuple[int, int]],
    *,
    label: str | None = None,
    task: Asked | None = None,
) -> Recipe:
    """Look at rows with sequences and decide on a first pipeline.

    Args:
        name: of the contract.
        data: the file.
        kind: what ``data`` is.
        shapes: steps and channels of each column of sequences.
        label: column of classes, or of a number; guessed where left out.
        task: classification or regression; seen from the label where left out.

    Raises:
        UnknownName: a label that is no column of single values.
        ConfigError: no column but the sequences, or a label that nothing can be learned of.
    """
    source = source_of(data, kind)
    scalars = scalar_columns(data, kind)
    chosen, guess = _label(scalars, label)
    target = _target(_as_found(source, chosen), task)
    contract = _contract(name, shapes, target, [n for n in source.column_names() if n not in (*shapes, chosen)])
    typed = _read(source, Wanted(contract_columns(contract), frozenset(contract.ignore)))
    changes = {"features": _nullable(contract.features, typed), "description": f"{typed.height:,} rows from {source}."}
    contract = contract.model_copy(update=changes)
    settled = settle(contract, source, {None: typed})
    model, training = _model(typed.height)
    classes = settled.contract.label.classes if settled.contract.label else None
    decisions = [
        *([guess] if guess else []),
        Decision("rows", f"{typed.height:,} rows"),
        *(
            Decision("sequence", named(name), f"{steps} steps of {many} channel{'' if many == 1 else 's'}")
            for name, (steps, many) in shapes.items()
        ),
        Decision("task", f"{len(classes)} classes of {named(chosen)}" if classes else f"a number, {named(chosen)}"),
        *([Decision("left out", listed(contract.ignore), "sequences alone are looked at; features of the contract are "
                    "put beside them")] if contract.ignore else []),
        *settled.decisions,
        Decision("augment", "noise, scaling, uneven time, parts of the sequence"),
        Decision("model", f"sequence, {model.core}", f"{training['epochs']} epochs in batches of {training['batch']}"),
    ]  # fmt: skip
    return Recipe(settled.contract, source, typed.height, model, training, settled.split, decisions=tuple(decisions))


def _model(rows: int) -> tuple[SequenceModel, dict[str, Any]]:
    """Architecture, and settings of the training by field name."""
    batch = 16 if rows < 1_000 else 32 if rows < 4_000 else 64
    epochs = int(np.clip(STEPS * batch / (0.7 * rows), 8, 60))
    model = SequenceModel(core="tcn", augmentation=SequenceAugmentation(jitter=0.1, scaling=0.1, warp=0.3, slice=0.8))
    return model, {
        "epochs": epochs,
        "batch": batch,
        "optimizer": Adam(learning_rate=2e-3),
        "schedule": Schedule(),
        "early_stopping": None,
    }


def _label(scalars: list[str], label: str | None) -> tuple[str, Decision | None]:
    if label is not None:
        if label not in scalars:
            raise UnknownName("column", label, scalars)
        return label, None
    if not scalars:
        raise ConfigError("sequences and no other column", "a column of classes, one value a row", "add one")
    found = ([n for n in scalars if n.lower() in NAMES] or scalars[-1:])[0]
    return found, Decision("label", named(found), "a guess; name another with --label", flagged=True)


def _read(source: Rows, wanted: Wanted) -> pl.DataFrame:
    return pl.concat(list(source.frames(wanted, None)))


def _as_found(source: Rows, column: str) -> pl.Series:
    """A column in the type of the file."""
    wanted = Wanted({column: Column(column, "key")})
    return pl.concat(list(source.batches([column], wanted, None)), how="vertical_relaxed")[column]


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


def _contract(name: str, shapes: dict[str, tuple[int, int]], target: dict[str, Any], others: list[str]) -> Contract:
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
