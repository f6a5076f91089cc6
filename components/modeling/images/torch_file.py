"""The tensors of a torch checkpoint (``.pth``, ``.pt``), read without torch.

Both layouts of ``torch.save``: the ZIP archive of today, and the pickles in a row of before torch 1.6. A checkpoint is
a pickle, and a pickle calls whatever it names: here it may name the types of storages, the function that puts a tensor
together and the ordered dict, and nothing else. What those say is checked against the bytes that are there.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kilnworks.schemas.errors import DataUnreadable

MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of the layout of before torch 1.6."""
PROTOCOL = 1001
LARGEST_PICKLE = 64 * 2**20
"""Bytes of names and shapes at most; tensors are not among them."""
MOST_AXES = 16
STORAGES: Mapping[str, str] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}
WANTED = "a torch checkpoint that holds tensors by name (a state_dict)"
HINT = "save it again with torch.save(model.state_dict(), path)"


class StorageType(NamedTuple):
    """What stands for ``torch.FloatStorage`` and its like."""

    dtype: str


class Storage:
    """The numbers of one or more tensors."""

    def __init__(self, dtype: str, count: int) -> None:
        self.dtype, self.count = np.dtype(dtype), count
        self.values: np.ndarray | None = None


class TensorView(NamedTuple):
    """A tensor before the numbers of its storage are read; offset and strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        """The numbers, in C order. Raises ``ValueError`` where they lie outside of the storage."""
        values, last = (
            self.storage.values,
            self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)),
        )
        if values is None:
            raise ValueError("a tensor without its numbers")
        if 0 in self.shape:
            return np.empty(self.shape, values.dtype)
        if math.prod(self.shape) > len(values):
            raise ValueError(f"a tensor of {math.prod(self.shape):,} elements on {len(values):,} numbers")
        if last >= len(values):
            raise ValueError(f"a tensor that ends at element {last} of {len(values)}")
        steps = tuple(s * values.itemsize for s in self.strides)
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps, writeable=False).copy()


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a checkpoint by name, in its order; of a checkpoint with a ``state_dict``, those in there.

    Raises:
        DataUnreadable: it is none, is cut off, names anything else than tensors, or has none.
    """
    try:
        found = _archive(path) if zipfile.is_zipfile(path) else _pickles(path)
        tensors = {name: view.array() for name, view in _state_dict(found).items()}
    except DataUnreadable:
        raise
    except Exception as error:  # a broken pickle raises nearly anything: IndexError, KeyError, struct.error
        said = str(error).strip().splitlines()
        words = said[0] if said and not isinstance(error, KeyError | IndexError) else "it is broken or cut off"
        raise DataUnreadable(f"{path}: {words}", WANTED, HINT) from None
    if not tensors:
        raise DataUnreadable(f"{path} holds no tensor", WANTED, HINT)
    return tensors


def _state_dict(found: Any) -> Mapping[str, TensorView]:
    for name in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping):
        raise ValueError(f"it holds {type(found).__name__}")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, TensorView):
            raise ValueError(f"{name!r} in it is no tensor")
    return found


def _archive(path: Path) -> Any:
    """The layout since torch 1.6: ``NAME/data.pkl`` and ``NAME/data/KEY``."""
    with zipfile.ZipFile(path) as archive:
        (head,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
        root = head.removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("its numbers have their bytes in the order of another machine")
        if archive.getinfo(head).file_size > LARGEST_PICKLE:
            raise ValueError(f"{archive.getinfo(head).file_size:,} bytes of names and shapes")
        reader = _Reader(io.BytesIO(archive.read(head)))
        found = reader.load()
        for key, storage in reader.storages.items():
            wanted = storage.count * storage.dtype.itemsize
            if archive.getinfo(f"{root}data/{key}").file_size != wanted:
                raise ValueError(f"{archive.getinfo(f'{root}data/{key}').file_size:,} of {wanted:,} bytes of {key!r}")
            storage.values = np.frombuffer(archive.read(f"{root}data/{key}"), storage.dtype)
    return found


def _pickles(path: Path) -> Any:
    """The layout of before: magic number, protocol, machine, object, keys, then count and numbers of each storage."""
    with path.open("rb") as file:
        if _Reader(file).load() != MAGIC:
            raise ValueError("it is no checkpoint")
        if _Reader(file).load() != PROTOCOL:
            raise ValueError("a layout that is not known")
        if not _Reader(file).load()["little_endian"]:
            raise ValueError("its numbers have their bytes in the order of another machine")
        reader = _Reader(file)
        found = reader.load()
        for key in _Reader(file).load():
            storage = reader.storages[key]
            head = file.read(8)
            count = int.from_bytes(head, "little", signed=True) if len(head) == 8 else -1
            content = file.read(storage.count * storage.dtype.itemsize)
            if count != storage.count or len(content) != storage.count * storage.dtype.itemsize:
                raise ValueError(f"{len(content):,} of {storage.count * storage.dtype.itemsize:,} bytes of {key!r}")
            storage.values = np.frombuffer(content, storage.dtype)
    return found


class _Reader(pickle.Unpickler):
    """Reads tensors and containers of them, and refuses every other name before anything of it is imported."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """One of the few names that a state_dict needs. Raises ``UnpicklingError`` for any other."""
        if (module, name) in _NAMES:
            return _NAMES[module, name]
        if module == "torch" and name in STORAGES:
            return StorageType(STORAGES[name])
        raise pickle.UnpicklingError(
            f"it names {module}.{name}, which could run anything; only tensors are read".replace("\n", " ")
        )

    def persistent_load(self, pid: Any) -> Storage:
        """The storage that a tensor names: ``("storage", type, key, place, count, ...)``."""
        kind, of, key, _, count, *view = pid
        if kind != "storage" or not isinstance(of, StorageType) or any(one is not None for one in view):
            raise pickle.UnpicklingError("it names storages in a way that is not known")
        if not isinstance(key, str) or not isinstance(count, int) or count < 0:
            raise pickle.UnpicklingError("a storage without a size")
        known = self.storages.setdefault(key, Storage(of.dtype, count))
        if known.dtype != of.dtype or known.count != count:
            raise pickle.UnpicklingError(f"two storages are called {key!r}")
        return known


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> TensorView:
    sizes, steps = tuple(shape), tuple(strides)
    numbers = (offset, *sizes, *steps)
    if not isinstance(storage, Storage) or len(sizes) != len(steps) or len(sizes) > MOST_AXES:
        raise pickle.UnpicklingError("a tensor in a way that is not known")
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers):
        raise pickle.UnpicklingError("a tensor of impossible shape")
    return TensorView(storage, offset, sizes, steps)


def _parameter(data: Any, *_: Any) -> Any:
    return data


_NAMES: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}
