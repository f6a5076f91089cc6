"""Every variable that the rest of a training depends on, wherever it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from kilnworks.components.learning.backup import Weights
from kilnworks.schemas.errors import StoreError


class State:
    """The variables of a phase, in an order that is the same in every process.

    Those of the models and of the optimizers, and what else the train function touches: states of random generators,
    counters, a memory of past batches. Means of an epoch (Keras metrics) are left out, since each epoch begins anew.
    """

    def __init__(self, strategy: Any | None, models: Sequence[Any], optimizers: Sequence[Any], touched: Any) -> None:
        """``touched``: the traced train function, a ``tf.types.experimental.ConcreteFunction``."""
        self._strategy = strategy
        seen = {id(part) for m in models for metric in m.metrics_variables for part in self._parts(metric)}
        self.variables: list[Any] = []
        owned = [v for holder in (*models, *optimizers) for v in holder.variables]
        for variable in [*owned, *_captured(touched)]:
            parts = {id(part) for part in self._parts(variable)}
            if not parts & seen:
                seen |= parts
                self.variables.append(variable)

    def values(self) -> Weights:
        """What they hold; of mirrored ones, those of the first replica."""
        return values(self.variables)

    def restore(self, found: Weights) -> None:
        """Set all of them.

        Raises:
            StoreError: these are values of other variables.
        """
        shapes = [tuple(v.shape) for v in self.variables]
        if shapes != [np.shape(value) for value in found]:
            raise StoreError(
                f"the backup holds {len(found)} variables, and this training has {len(shapes)}, or of other shapes",
                "the same model in every process",
                "begin anew: delete the work folder of this step, or set backup_epochs to 0",
            )
        assign(self.variables, found)

    def _parts(self, variable: Any) -> Iterable[Any]:
        raw = variable.value if isinstance(variable, keras.Variable) else variable
        return self._strategy.experimental_local_results(raw) if self._strategy else (raw,)


def _captured(function: Any) -> Iterator[Any]:
    """The variables that a traced function reads or writes, in the order in which it met them."""
    by_handle = {id(v.handle): v for v in function.variables}
    return (by_handle[id(handle)] for handle in function.captured_inputs if id(handle) in by_handle)


def optimizers_of(model: Any) -> dict[str, Any]:
    """Every optimizer that is an attribute of a Keras model, by its name; the compiled one is ``optimizer``."""
    found = {n: v for n, v in vars(model).items() if isinstance(v, keras.optimizers.Optimizer)}
    return {name.lstrip("_"): found[name] for name in sorted(found)}


def values(variables: Sequence[Any]) -> Weights:
    """The values of Keras variables; of mirrored ones, those of the first replica."""
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def assign(variables: Sequence[Any], new: Sequence[np.ndarray]) -> None:
    """Set Keras variables on every replica; ``new`` holds one array for each, [*shape of the variable]."""
    for variable, value in zip(variables, new, strict=True):
        variable.assign(value)
