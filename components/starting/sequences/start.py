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
from kilnworks.components.starting.label import FEW, NAMES
from kilnworks.components.starting.open_data import Kind
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.components.starting.sequences.shapes import Rows, scalar_columns, source_of
from kilnworks.components.starting.settling import settle
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.words import listed, named

STEPS = 1_500
"""Steps of a training, about."""


def start_with_sequences(
    name: str, data: str, kind: Kind, shapes: dict[str, tuple[int, int]], *, label: str | None = None
) -> Recipe:
    """Look at rows with sequences and decide on a first pipeline.

    Args:
        name: of the contract.
        data: the file.
        kind: what ``data`` is.
        shapes: steps and channels of each column of sequences.
        label: column of classes, or of a number; guessed where left out.

    Raises:
        UnknownName: a label that is no column of single values.
        ConfigError: no column but the sequences.
    """
    source = source_of(data, kind)
    scalars = scalar_columns(data, kind)
    chosen, guess = _label(scalars, label)
    labels = _read(source, Wanted({chosen: Column(chosen, "key")}, any_extra=True))[chosen]
    contract = _contract(name, source, shapes, labels, [n for n in source.column_names() if n not in (*shapes, chosen)])
    typed = _read(source, Wanted(contract_columns(contract), frozenset(contract.ignore)))
    contract = contract.model_copy(update={"features": _nullable(contract.features, typed)})
    settled = settle(contract, source, {None: typed})
    model, training = _model(typed.height)
    classes = settled.contract.label.classes if settled.contract.label else None
    decisions = [
        *([guess] if guess else []),
        Decision("rows", f"{typed.height:,} rows"),
        *(Decision("sequence", named(n), f"{t} steps of {c} channels") for n, (t, c) in shapes.items()),
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


def _contract(
    name: str, source: Rows, shapes: dict[str, tuple[int, int]], labels: pl.Series, others: list[str]
) -> Contract:
    """Sequences that may have missing steps, and classes, or a number where there are too many for classes."""
    values = labels.drop_nulls()
    dtype = "int" if values.dtype.is_integer() else "float" if values.dtype.is_float() else "string"
    target: dict[str, Any] = {"name": labels.name, "dtype": dtype}
    if dtype == "string" or (dtype == "int" and values.n_unique() <= FEW):
        target["classes"] = sorted(values.unique().to_list())
    return Contract.model_validate(
        {
            "name": name,
            "description": f"{len(labels):,} rows from {source}.",
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
