"""TensorInfos for the tests of the JSON room."""

import numpy as np

from kilnworks.components.serving.wire.values import TensorInfo

NUMPY = {
    "float": np.float32,
    "double": np.float64,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint8": np.uint8,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "bool": np.bool_,
    "string": object,
    "half": np.float16,
    "uint16": np.uint16,
}


def info(dtype: str) -> TensorInfo:
    """An input of any shape."""
    return TensorInfo("x:0", 0, dtype, np.dtype(NUMPY[dtype]), None)


def infos(**dtypes: str) -> dict[str, TensorInfo]:
    """Inputs by alias."""
    return {alias: info(dtype) for alias, dtype in dtypes.items()}
