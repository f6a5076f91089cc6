"""Checkpoints as ``torch.save`` writes them, in both layouts, written without torch."""

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from unittest import mock

import numpy as np

KINDS = {
    "<f4": "FloatStorage",
    "<f8": "DoubleStorage",
    "<f2": "HalfStorage",
    "<i8": "LongStorage",
    "<u1": "ByteStorage",
}


class Stored:
    """Stands for a storage while a checkpoint is written."""

    def __init__(self, key: str, values: np.ndarray) -> None:
        self.key, self.values = key, values


class Tensor:
    """A tensor on a storage; offset and strides in elements."""

    def __init__(self, storage: Stored, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.parts = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> tuple:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


def tensors(arrays: dict[str, np.ndarray]) -> OrderedDict:
    """Each array on a storage of its own."""
    found = OrderedDict()
    for number, (name, array) in enumerate(arrays.items()):
        flat = np.ascontiguousarray(array)
        strides = tuple(s // flat.itemsize for s in flat.strides)
        found[name] = Tensor(Stored(str(number), flat.reshape(-1)), 0, flat.shape, strides)
    return found


class Writer(pickle.Pickler):
    """Names storages instead of writing them."""

    def __init__(self, file: io.BytesIO, old: bool) -> None:
        super().__init__(file, protocol=2)
        self.old, self.storages = old, {}

    def persistent_id(self, thing: object) -> tuple | None:
        if not isinstance(thing, Stored):
            return None
        self.storages[thing.key] = thing.values
        kind = getattr(sys.modules["torch"], KINDS[thing.values.dtype.str.replace("|", "<")])
        return ("storage", kind, thing.key, "cpu", len(thing.values), *([None] if self.old else []))


def modules() -> dict[str, types.ModuleType]:
    """As much of torch as names need."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in KINDS.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2() -> None:
        """Never called."""

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2, torch._utils = _rebuild_tensor_v2, utils
    return {"torch": torch, "torch._utils": utils}


def checkpoint(path: Path, content: object, old: bool) -> Path:
    """Write what ``torch.save(content, path)`` would; ``old``: as before torch 1.6."""
    with mock.patch.dict(sys.modules, modules()):
        body = io.BytesIO()
        writer = Writer(body, old)
        writer.dump(content)
    if not old:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", body.getvalue())
            for key, values in writer.storages.items():
                archive.writestr(f"archive/data/{key}", values.tobytes())
            archive.writestr("archive/version", "3\n")
        return path
    with path.open("wb") as file:
        for head in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
            pickle.dump(head, file, protocol=2)
        file.write(body.getvalue())
        pickle.dump(sorted(writer.storages), file, protocol=2)
        for key in sorted(writer.storages):
            file.write(len(writer.storages[key]).to_bytes(8, "little") + writer.storages[key].tobytes())
    return path
