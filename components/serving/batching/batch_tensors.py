"""Many requests' tensors as one batch and back: concatenation, padding, splitting along the 0th dimension."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilnworks.components.serving.errors import failed_precondition, invalid_argument

Array = np.ndarray[Any, Any]


def row_count(inputs: Sequence[Array]) -> int:
    """Size of the 0th dimension that all inputs of a request share. Raises ``ServingError`` INVALID_ARGUMENT."""
    if not inputs:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    for array in inputs:
        if array.ndim == 0:
            raise invalid_argument("Batching Run() input tensors must have at least one dimension")
    rows = len(inputs[0])
    for array in inputs:
        if len(array) != rows:
            raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    return rows


def merge(parts: Sequence[Array], name: str, pad: bool, filler_rows: int) -> Array:
    """One tensor of all requests' values for one input.

    Args:
        parts: [rows, ...] of each request.
        name: of the tensor, for the error text.
        pad: make inner shapes equal instead of refusing them.
        filler_rows: how often the first row of the last request is appended.

    Raises: ServingError FAILED_PRECONDITION when inner shapes differ and ``pad`` is off.
    """
    if any(part.shape[1:] != parts[0].shape[1:] for part in parts):
        if not pad or any(part.ndim != parts[0].ndim for part in parts):
            raise failed_precondition(
                f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off. "
                "Set pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal "
                "dimensions starting with the first dim."
            )
        parts = _padded(parts)
    fillers = [parts[-1][:1]] * filler_rows if len(parts[-1]) else []
    if len(parts) == 1 and not fillers:
        return parts[0]
    return np.concatenate([*parts, *fillers])


def _padded(parts: Sequence[Array]) -> list[Array]:
    """Inner dimensions raised to the largest of the batch; the first element of a tensor is what it is filled with."""
    largest = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    result = []
    for part in parts:
        if part.size == 0:
            raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
        whole = np.full((len(part), *largest), part.flat[0], part.dtype)
        whole[tuple(slice(size) for size in part.shape)] = part
        result.append(whole)
    return result


def split(output: Array, sizes: Sequence[int], total: int) -> list[Array]:
    """Each request's rows of an output of ``total`` rows (fillers included).

    Raises: ServingError FAILED_PRECONDITION when an output does not have one row for each input row.
    """
    if output.ndim == 0:
        raise failed_precondition("Batched output tensor has 0 dimensions")
    if len(output) != total:
        raise failed_precondition(
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
            "tensors"
        )
    parts, at = [], 0
    for size in sizes:
        parts.append(output[at : at + size])
        at += size
    return parts
