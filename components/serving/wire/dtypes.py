"""TensorFlow's element types: their numbers, the names that error texts use, and numpy's equivalents.

Needs no TensorFlow; the numbers are those of ``tensorflow/core/framework/types.proto``.
"""

from typing import Any

import ml_dtypes
import numpy as np

FLOAT, DOUBLE, INT32, UINT8, INT16, INT8, STRING, COMPLEX64, INT64, BOOL = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
QINT8, QUINT8, QINT32, BFLOAT16, QINT16, QUINT16, UINT16, COMPLEX128, HALF = 11, 12, 13, 14, 15, 16, 17, 18, 19
RESOURCE, VARIANT, UINT32, UINT64 = 20, 21, 22, 23

_NAMES = {
    FLOAT: "float",
    DOUBLE: "double",
    INT32: "int32",
    UINT8: "uint8",
    INT16: "int16",
    INT8: "int8",
    STRING: "string",
    COMPLEX64: "complex64",
    INT64: "int64",
    BOOL: "bool",
    QINT8: "qint8",
    QUINT8: "quint8",
    QINT32: "qint32",
    BFLOAT16: "bfloat16",
    QINT16: "qint16",
    QUINT16: "quint16",
    UINT16: "uint16",
    COMPLEX128: "complex128",
    HALF: "half",
    RESOURCE: "resource",
    VARIANT: "variant",
    UINT32: "uint32",
    UINT64: "uint64",
}

NUMPY: dict[int, "np.dtype[Any]"] = {
    FLOAT: np.dtype(np.float32),
    DOUBLE: np.dtype(np.float64),
    INT32: np.dtype(np.int32),
    UINT8: np.dtype(np.uint8),
    INT16: np.dtype(np.int16),
    INT8: np.dtype(np.int8),
    STRING: np.dtype(object),
    COMPLEX64: np.dtype(np.complex64),
    INT64: np.dtype(np.int64),
    BOOL: np.dtype(np.bool_),
    BFLOAT16: np.dtype(ml_dtypes.bfloat16),
    UINT16: np.dtype(np.uint16),
    COMPLEX128: np.dtype(np.complex128),
    HALF: np.dtype(np.float16),
    UINT32: np.dtype(np.uint32),
    UINT64: np.dtype(np.uint64),
}

NUMBERS = {dtype: number for number, dtype in NUMPY.items()}
_OPAQUE = np.dtype(np.void)


def dtype_name(number: int) -> str:
    """The short name in TensorFlow's error texts, e.g. ``"float"`` for 1."""
    return _NAMES.get(number, f"unknown dtype enum ({number})")


def proto_name(number: int) -> str:
    """The name of the enum value, e.g. ``"DT_FLOAT"`` for 1."""
    return f"DT_{_NAMES[number].upper()}" if number in _NAMES else "DT_INVALID"


def numpy_dtype(number: int) -> "np.dtype[Any]":
    """The numpy type of a DataType; ``void`` for types that no request can carry (resources, quantized ones)."""
    return NUMPY.get(number, _OPAQUE)


def number_of(dtype: "np.dtype[Any]") -> int:
    """The DataType of a numpy type; 0 (DT_INVALID) when there is none. Bytes and text count as strings."""
    if dtype.kind in "SU":
        return STRING
    return NUMBERS.get(dtype, 0)
