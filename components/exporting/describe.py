"""What an exported model looks like from outside: signatures, files and sizes."""

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


def signatures(saved_model: Path) -> dict[str, Any]:
    """``{signature: {"method", "inputs": {alias: {"dtype", "shape"}}, "outputs": {...}}}``; -1 is any size.

    The signature that only initialises the graph is left out.
    """
    saved = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    found = saved.meta_graphs[0].signature_def
    return {
        name: {
            "method": found[name].method_name,
            "inputs": _tensors(found[name].inputs),
            "outputs": _tensors(found[name].outputs),
        }
        for name in sorted(found)
        if not name.startswith("__")
    }


def files(saved_model: Path) -> dict[str, int]:
    """Size in bytes of each file, by its path below the SavedModel."""
    found = sorted(p for p in saved_model.rglob("*") if p.is_file())
    return {p.relative_to(saved_model).as_posix(): p.stat().st_size for p in found}


def _tensors(infos: Any) -> dict[str, Any]:
    return {
        alias: {
            "dtype": tf.as_dtype(infos[alias].dtype).name,
            "shape": [int(d.size) for d in infos[alias].tensor_shape.dim],
        }
        for alias in sorted(infos)
    }
