"""Everything that explains a model and some of its answers, as plain values for a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kilnworks.components.explaining.attributions import Attributions, most_rows, training_rows
from kilnworks.components.explaining.neighbours import nearest, representation, vectors
from kilnworks.components.explaining.places import pictures, words
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.learning.explained import explained
from kilnworks.components.learning.predict import answered, forward, outputs, piece_rows
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.predicting.answers import answer_frame
from kilnworks.components.tasks.choose import task_of
from kilnworks.schemas.artifacts import CheckedExamples, Model
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.wire import MASK
from kilnworks.schemas.words import shown

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.components.tasks.base import Task

TRAINING, BYTES = 20_000, 2**30
"""Training rows among which neighbours are looked for, at most, and their bytes: evenly over the split."""
JUDGED = 1000
"""Rows of the split that importance is measured on, at most."""
RESAMPLES = 200
"""Bootstrap samples behind the interval of each importance."""


def explanations(model: Model, examples: CheckedExamples, rows: pl.DataFrame | None, count: int, split: str,
                 seed: int) -> dict[str, Any]:  # fmt: skip
    """What the model leans on, and for each row what moved its answer and which training rows are like it.

    Args:
        model: trained.
        examples: that it was trained on.
        rows: with the features of the contract; None: the first of the split.
        count: rows that are explained, at most.
        split: whose rows importance is measured on.
        seed: of shuffles and samples.

    Raises:
        ConfigError: a model whose answers are no single output a row, or a split without rows.
        UnknownName: no such split.
    """
    import polars as pl

    task, contract = task_of(model), model.contract
    transform, trained = FeatureTransform.load(model.transform), load_trained(model)
    if split not in examples.splits:
        raise UnknownName("split", split, examples.splits)
    if not task.explains or contract.series is not None:
        raise ConfigError(
            f"explanations of a {task.kind}", "a model of classes or of a number, a row at a time",
            "see the report of its run, which shows what there is for this kind of model",
        )  # fmt: skip
    if not examples.rows(split):
        raise ConfigError(f"split {split!r} has no rows", "rows that importance is measured on", "name another split")
    run, features = forward(trained), list(contract.features)

    def ask(some: pl.DataFrame) -> Mapping[str, Any]:
        return answered(task, outputs(run, transform.encode(some)))

    columns = [*features, *task.needed(contract)]
    judged = pl.scan_parquet(examples.files(split), glob=False).select(columns).head(JUDGED).collect()
    leans = explained(task, contract, judged, ask, JudgeSettings(seed=seed), RESAMPLES)
    some = (judged if rows is None else rows).head(count)
    known = training_rows(examples, columns, most_rows(transform, TRAINING, BYTES))
    return {
        "task": task.kind,
        "split": split,
        "resamples": RESAMPLES,
        "leans": leans,
        "features": features,
        "rows": _rows(task, contract, transform, trained, some, known),
    }


def _rows(task: Task, contract: Contract, transform: FeatureTransform, trained: Any, some: pl.DataFrame,
          known: pl.DataFrame) -> list[dict[str, Any]]:  # fmt: skip
    import tensorflow as tf

    encoded = transform.encode(some)
    average = known.gather_every(max(1, known.height // most_rows(transform)))
    why = Attributions(task, transform, trained, average)
    answers = tf.function(why.answers, autograph=False)({n: tf.constant(v) for n, v in encoded.items()})
    told = {n: np.asarray(v) for n, v in answers.items()}
    within = why.within(encoded)
    output = outputs(forward(trained), encoded)
    served = {name: np.asarray(v) for name, v in task.answers(tf.constant(output)).items()}
    table = answer_frame(task, served)
    classes = output.argmax(axis=1) if output.shape[1] > 1 else np.ones(len(output), int)
    seen, read = pictures(transform, trained, some, within, classes), words(transform, encoded, within)
    places, apart = _neighbours(transform, trained, encoded, known)
    found = []
    for i in range(some.height):
        credit = sorted(zip(contract.features, told["attributions"][i], strict=True), key=lambda pair: -abs(pair[1]))
        found.append({
            "answer": {name: shown(table[name][i]) for name in table.columns[:1]},
            "class": told["class"][i].decode() if "class" in told else "",
            "value": float(told["value"][i]),
            "baseline": float(told["baseline"][i]),
            "credits": [(name, _value(contract, name, some[name][i]), float(share)) for name, share in credit],
            "pictures": seen[i],
            "words": read[i],
            "nearest": [
                _known(task, contract, known, int(place), float(away))
                for place, away in zip(places[i], apart[i], strict=True)
            ],
        })  # fmt: skip
    return found


def _neighbours(
    transform: FeatureTransform, trained: Any, encoded: Mapping[str, np.ndarray], known: pl.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    seen = representation(trained)
    asked = vectors(seen, encoded)
    parts = [vectors(seen, transform.encode(part)) for part in known.iter_slices(piece_rows(transform))]
    return nearest(asked, iter(parts), np.concatenate(parts).std(axis=0))


def _known(task: Task, contract: Contract, known: pl.DataFrame, place: int, distance: float) -> dict[str, Any]:
    row = known.row(place, named=True)
    label = task.label.name if task.label else ""
    values = {name: _value(contract, name, row[name]) for name in list(contract.features)[:6]}
    return {"distance": distance, "label": shown(row[label]) if label in row else "", "values": values}


def _value(contract: Contract, name: str, value: Any) -> str:
    """A value as a reader may see it."""
    feature = contract.features[name]
    if feature.sensitive:
        return MASK
    if feature.shape:
        return f"{feature.dtype} {list(feature.shape)}"
    return "missing" if value is None else shown(value)
