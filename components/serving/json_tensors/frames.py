"""How the server and the process that reads large bodies talk over pipes: pickled values, one after the other.

pickle passes long bytes and arrays of numbers through a pipe as they are, and texts are put together one by one, so
that neither side ever keeps its interpreter to itself for long. Both ends are the same program: nothing of a client is
unpickled.
"""

import pickle
from typing import Any, BinaryIO

import numpy as np

from kilnworks.components.serving.json_tensors.dense import Array


class _Pickler(pickle.Pickler):
    """Writes an array of bytes objects as their lengths and all bytes."""

    def reducer_override(self, value: Any) -> Any:
        """How a value is made again, where that is not up to pickle."""
        if not isinstance(value, np.ndarray) or value.dtype != object:
            return NotImplemented
        texts = value.ravel().tolist()
        return _texts, (np.fromiter(map(len, texts), np.int64, len(texts)), b"".join(texts), value.shape)


def _texts(lengths: Array, data: bytes, shape: tuple[int, ...]) -> Array:
    array, at = np.empty(lengths.size, object), 0
    for i, length in enumerate(lengths.tolist()):
        array[i] = data[at : at + length]
        at += length
    return array.reshape(shape)


def send(pipe: BinaryIO, value: Any) -> None:
    """Write one value."""
    _Pickler(pipe, pickle.HIGHEST_PROTOCOL).dump(value)
    pipe.flush()


def receive(pipe: BinaryIO) -> Any:
    """Read one value. Raises EOFError when the other side is gone."""
    try:
        return pickle.load(pipe)
    except pickle.UnpicklingError as error:
        raise EOFError(str(error)) from None
