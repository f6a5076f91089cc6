"""The weights of a model that are worth compressing: kernels, tables and other matrices, not biases or scales."""

from __future__ import annotations

import math
from typing import Any

LEAST = 256
"""Values of a variable from which on it is compressed: smaller ones hold next to nothing."""


def kernels(model: Any, least: int = LEAST) -> list[Any]:
    """Variables of a Keras model with two axes or more, ``least`` values or more, and numbers in float32."""
    return [v for v in model.variables if str(v.dtype) == "float32" and len(v.shape) >= 2 and size(v) >= least]


def trained_kernels(model: Any) -> list[Any]:
    """Those of ``kernels`` that training moves."""
    moved = {id(variable) for variable in model.trainable_variables}
    return [variable for variable in kernels(model) if id(variable) in moved]


def size(variable: Any) -> int:
    """How many values it holds."""
    return math.prod(variable.shape)
