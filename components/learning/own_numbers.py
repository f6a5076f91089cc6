"""Numbers of the validation split by a user's own loss and metrics, beside those of the task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from components.learning.predict import chunk_rows
from components.learning.splits import Measure, Validation


def with_own(measure: Measure, trained: Any, validation: Validation, fed: Callable[[Any], Any], loss: bool) -> Measure:
    """``measure``, and what ``trained.test_step`` says on the same rows.

    Args:
        measure: the numbers of the task.
        trained: the compiled model.
        validation: the rows.
        fed: makes of encoded tensors what ``trained`` takes.
        loss: whether the loss is the user's own, so that it stands in the place of the task's.
    """
    step: Any = None

    def numbers() -> dict[str, float]:
        nonlocal step
        found, logs = measure(), {}
        trained.reset_metrics()
        for arrays, target in validation.parts():
            size = chunk_rows(arrays)
            for i in range(0, len(target), size):
                x = validation.transform.unpack({n: tf.constant(a[i : i + size]) for n, a in arrays.items()})
                batch = (fed(x), tf.constant(target[i : i + size]))
                step = step or tf.function(trained.test_step, input_signature=[_any_rows(batch)], autograph=False)
                logs = step(batch)
        own = {name: float(value) for name, value in logs.items()}
        trained.reset_metrics()
        if not loss:
            own.pop("loss", None)
        return {**found, **{n: v for n, v in own.items() if n not in found or n == "loss"}}

    return numbers


def _any_rows(batch: Any) -> Any:
    """The signature of a batch of any number of rows."""
    return tf.nest.map_structure(lambda t: tf.TensorSpec((None, *t.shape[1:]), t.dtype), batch)
