"""What runs take: pairs of an input tensor and its value, checked for type. Needs no TensorFlow."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from kilnworks.components.serving.errors import invalid_argument
from kilnworks.components.serving.wire import dtypes
from kilnworks.components.serving.wire.values import TensorInfo

Array = np.ndarray[Any, Any]
Feeds = Sequence[tuple[TensorInfo, Array]]


class Runner(Protocol):
    """Something that runs feeds to fetches: the graph itself, or a batching queue in front of it."""

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        """Compute the fetched tensors. Raises ``ServingError``."""

    def close(self) -> None:
        """Release what this runner holds; the session stays open."""


def check_dtypes(feeds: Feeds) -> None:
    """Refuse a value whose type is not the tensor's, in the words that TensorFlow's runtime has for it."""
    for i, (info, value) in enumerate(feeds):
        if value.dtype is not info.numpy_dtype and value.dtype != info.numpy_dtype:
            got = dtypes.dtype_name(dtypes.number_of(value.dtype))
            raise invalid_argument(f"Expects arg[{i}] to be {info.dtype_name} but {got} is provided")
