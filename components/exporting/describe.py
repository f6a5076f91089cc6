"""What an exported model looks like from outside: signatures, files and sizes."""

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kilnworks.components.exporting.inputs import unit
from kilnworks.schemas.contract import Contract


def signatures(saved_model: Path, contract: Contract | None = None) -> dict[str, Any]:
    """``{signature: {"method", "inputs": {alias: {"dtype", "shape"}}, "outputs": {...}}}``; -1 is any size.

    Inputs that are features of the contract have their ``unit`` where there is one: for dates seconds since 1970. The
    signature that only initialises the graph is left out.
    """
    saved = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    found = saved.meta_graphs[0].signature_def
    return {
        name: {
            "method": found[name].method_name,
            "inputs": _with_units(_tensors(found[name].inputs), contract),
            "outputs": _tensors(found[name].outputs),
        }
        for name in sorted(found)
        if not name.startswith("__")
    }


def _with_units(tensors: dict[str, Any], contract: Contract | None) -> dict[str, Any]:
    features = contract.features if contract is not None else {}
    units = {alias: unit(features[alias]) for alias in tensors if alias in features}
    return {alias: {**told, "unit": units[alias]} if units.get(alias) else told for alias, told in tensors.items()}


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
