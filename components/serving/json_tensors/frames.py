"""How the server and the process that reads large bodies talk over pipes: pickled commands, raw bytes, arrays.

Bytes are read and written piece by piece, and texts are put together one by one, so that neither side ever keeps its
interpreter to itself for long. Both ends are the same program: nothing of a client is unpickled.
"""

import pickle
import struct
from collections.abc import Iterator, Mapping
from io import FileIO
from typing import Any

import numpy as np

from kilnworks.components.serving.json_tensors.dense import Array

_LENGTH = struct.Struct("<Q")
_PIECE = 1024 * 1024


def send(pipe: FileIO, value: Any) -> None:
    """Write one value."""
    send_bytes(pipe, pickle.dumps(value))


def receive(pipe: FileIO) -> Any:
    """Read one value. Raises EOFError when the other side is gone."""
    return pickle.loads(receive_bytes(pipe))


def send_bytes(pipe: FileIO, data: "bytes | memoryview") -> None:
    """Write bytes behind their length."""
    for view in (memoryview(_LENGTH.pack(len(data))), memoryview(data)):
        sent = 0
        while sent < len(view):
            sent += pipe.write(view[sent : sent + _PIECE]) or 0


def receive_bytes(pipe: FileIO) -> bytearray:
    """Read bytes that ``send_bytes`` wrote. Raises EOFError when the other side is gone."""
    (size,) = _LENGTH.unpack(_filled(pipe, bytearray(_LENGTH.size)))
    return _filled(pipe, bytearray(size))


def _filled(pipe: FileIO, data: bytearray) -> bytearray:
    view, at = memoryview(data), 0
    while at < len(data):
        count = pipe.readinto(view[at : at + _PIECE])
        if not count:
            raise EOFError("the other side is gone")
        at += count
    return data


def send_arrays(pipe: FileIO, arrays: Mapping[str, Array]) -> None:
    """Write arrays; those of objects hold bytes."""
    send(pipe, [(alias, array.dtype, array.shape) for alias, array in arrays.items()])
    for array in arrays.values():
        if array.dtype == object:
            texts = array.ravel().tolist()
            send_bytes(pipe, np.fromiter(map(len, texts), np.int64, len(texts)).tobytes())
            send_bytes(pipe, b"".join(texts))
        else:
            send_bytes(pipe, np.ascontiguousarray(array).tobytes())


def receive_arrays(pipe: FileIO) -> dict[str, Array]:
    """Read arrays that ``send_arrays`` wrote."""
    return {alias: _array(pipe, dtype, shape) for alias, dtype, shape in receive(pipe)}


def _array(pipe: FileIO, dtype: "np.dtype[Any]", shape: tuple[int, ...]) -> Array:
    if dtype.kind != "O":
        return np.frombuffer(receive_bytes(pipe), dtype).reshape(shape)
    lengths = np.frombuffer(receive_bytes(pipe), np.int64)
    array = np.empty(lengths.size, object)
    for i, text in enumerate(_texts(lengths, bytes(receive_bytes(pipe)))):
        array[i] = text
    return array.reshape(shape)


def _texts(lengths: Array, data: bytes) -> Iterator[bytes]:
    at = 0
    for length in lengths.tolist():
        yield data[at : at + length]
        at += length
