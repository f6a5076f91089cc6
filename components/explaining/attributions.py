"""Integrated gradients of the encoded tensors, credited to the features that they were made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kilnworks.components.explaining.gradients import Gradients
from kilnworks.components.features.encoded import keras_name
from kilnworks.components.learning.arrays import row_bytes
from kilnworks.components.modeling.feature_columns import feature_columns
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.components.features.transform import FeatureTransform

ROWS, BYTES = 2000, 2**26
"""Training rows whose average is the baseline, at most, and their bytes: evenly over the split."""


class Attributions:
    """What each feature adds to the model's output, from the baseline on.

    Args:
        task: of the model.
        transform: the preprocessing in front of it.
        model: encoded tensors in, its output [n, K] out.
        rows: training rows, whose average is the baseline.

    Raises:
        ConfigError: a task whose answers are no single output, a model that has no gradient in an input, or NaN that
            is sent to the model where a value is missing.
    """

    def __init__(self, task: Task, transform: FeatureTransform, model: Any, rows: pl.DataFrame) -> None:
        if not task.explains or transform.contract.series is not None:
            raise ConfigError(
                f"explanations of a {task.kind}",
                "a model of classes or of a number, a row at a time",
                "leave explain out of the settings of the export",
            )
        self._transform = transform
        encoded = transform.encode(rows)
        floats = {n: values.mean(axis=0, dtype=np.float64) for n, values in encoded.items() if values.dtype.kind == "f"}
        missing = [n for n, mean in floats.items() if not np.isfinite(mean).all()]
        if missing:
            raise ConfigError(
                f"{missing[0]!r} goes to the model with NaN where a value is missing: there is no average row",
                "a number in every encoded row",
                "let the preprocessing fill what is missing, or leave explanations out",
            )
        self.gradients = Gradients(model, floats, encoded)
        self.classes = task.class_texts
        self.features = tuple(transform.contract.features)
        self._owners = self._credits()

    def _credits(self) -> dict[str, np.ndarray]:
        """For each tensor [.., D] of several features a matrix [D, F] of 0 and 1.

        What is derived from several features is credited to them in equal parts.
        """
        names, owner = feature_columns(self._transform)
        derived = {name: one.features for name, one in self._transform.plan.derived.items()}
        found, start = {}, 0
        for tensor in self._transform.encoded:
            width = int(np.prod(tensor.shape))
            columns = np.zeros((width, len(self.features)), np.float32)
            for place in range(width):
                name = names[owner[start + place]]
                behind = derived.get(name, (name,))
                columns[place, [self.features.index(one) for one in behind]] = 1 / len(behind)
            found[tensor.name] = columns
            start += width
        return found

    def answers(self, encoded: Mapping[str, Any]) -> dict[str, Any]:
        """With TensorFlow, also inside a traced function.

        Returns:
            ``attributions`` float32 [n, F], in the order of the contract; ``value`` and ``baseline`` [n]: the output of
            the row and that of the average row; of classes ``class`` [n], the one whose probability that is.
        """
        found, value, baseline = self.gradients.explained(encoded)
        rows = tf.shape(value)[0]
        total = tf.zeros((rows, len(self.features)))
        for name, one in found.items():
            owners = self._owners[name]
            if len(one.shape) == 1:  # not by place: all of it is of one feature
                owners = owners[:1]
            total += tf.matmul(tf.reshape(one, (rows, len(owners))), tf.constant(owners))
        answers = {"attributions": total, "value": value, "baseline": baseline}
        return {**answers, **self._class(encoded, value)}

    def _class(self, encoded: Mapping[str, Any], value: Any) -> dict[str, Any]:
        if not self.classes:
            return {}
        return {"class": tf.gather(tf.constant(self.classes), self.gradients.chosen(encoded, len(self.classes)))}

    def within(self, encoded: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Attributions of each place of features with a tensor of their own: words [n, T], pixels [n, H, W, C]."""
        run = tf.function(lambda given: self.gradients.explained(given)[0], autograph=False)
        found = run({name: tf.constant(values) for name, values in encoded.items()})
        names = {keras_name(name): name for name in self.features}
        return {names[n]: np.asarray(one) for n, one in found.items() if n in names and len(one.shape) > 1}


def most_rows(transform: FeatureTransform, most: int = ROWS, held: int = BYTES) -> int:
    """``most`` rows, or as many as have ``held`` bytes: large images are fewer."""
    return max(1, min(most, held // row_bytes(transform)))


def training_rows(examples: Examples, columns: list[str], most: int) -> pl.DataFrame:
    """Columns of at most about ``most`` rows, evenly over the training split."""
    import polars as pl

    stride = max(1, examples.rows("train") // most)
    return pl.scan_parquet(examples.files("train"), glob=False).select(columns).gather_every(stride).collect()
