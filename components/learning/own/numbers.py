"""Numbers of the validation split by a model's own ``test_step``, loss and metrics, beside those of the task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from kilnworks.components.learning.loop import means_of, scalars
from kilnworks.components.learning.predict import chunk_rows
from kilnworks.components.learning.splits import Measure, Validation


def with_own(
    measure: Measure, trained: Any, validation: Validation, fed: Callable[[Any], Any], over: set[str] | None
) -> Measure:
    """``measure``, and what ``trained.test_step`` says on the same rows.

    Args:
        measure: the numbers of the task.
        trained: the compiled model.
        validation: the rows.
        fed: makes of encoded tensors what ``trained`` takes.
        over: names for which the step counts although the task gives them too; None for all.
    """
    own = _tested(trained, validation, fed)

    def numbers() -> dict[str, float]:
        """Those of the task, and those that the user adds to or puts over them."""
        found, said = measure(), own()
        if over is None:
            return {**found, **said}
        kept = {n: v for n, v in said.items() if n in over or (n not in found and n != "loss")}
        return {**found, **kept}

    return numbers


def _tested(trained: Any, validation: Validation, fed: Callable[[Any], Any]) -> Measure:
    """The numbers of ``test_step``: results of the model's metrics, and of other numbers their means over the rows.

    Each replica sees every row, since parts need not be equal; the first one answers.
    """
    strategy = trained.distribute_strategy

    def on_all(batch: Any) -> Any:
        said = strategy.run(lambda own: scalars(trained, trained.test_step(own), "test_step"), (batch,))
        return strategy.experimental_local_results(said)[0]

    step: Any = None

    def numbers() -> dict[str, float]:
        """What the user's own step says of the validation split."""
        nonlocal step
        trained.reset_metrics()
        means: dict[str, float] = {}
        last: dict[str, float] = {}
        seen = 0
        for batch in _batches(validation, fed):
            step = step or tf.function(on_all, input_signature=[_any_rows(batch)], autograph=False)
            rows = int(tf.nest.flatten(batch[1])[0].shape[0])
            seen += rows
            last = {name: float(value) for name, value in step(batch).items()}
            for name, value in last.items():
                means[name] = means.get(name, 0.0) + (value - means.get(name, 0.0)) * rows / seen
        results = _of_metrics(trained)
        trained.reset_metrics()
        return {name: last[name] if name in results else mean for name, mean in means.items()}

    return numbers


def _of_metrics(trained: Any) -> set[str]:
    """Names of the model's metrics that have seen rows: the compiled ``loss`` has none where a step leaves it out."""
    return set(trained.get_metrics_result()) - {m.name for m in means_of(trained) if not bool(m.count > 0)}


def _batches(validation: Validation, fed: Callable[[Any], Any]) -> Iterator[tuple[Any, Any]]:
    """The rows as the model takes them, in pieces that keep layers small."""
    for arrays, target in validation.parts():
        size = chunk_rows(arrays)
        for i in range(0, len(target), size):
            x = validation.transform.unpack({n: tf.constant(a[i : i + size]) for n, a in arrays.items()})
            yield fed(x), tf.constant(target[i : i + size])


def _any_rows(batch: Any) -> Any:
    """The signature of a batch of any number of rows."""
    return tf.nest.map_structure(lambda t: tf.TensorSpec((None, *t.shape[1:]), t.dtype), batch)
