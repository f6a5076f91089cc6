"""What a model takes: bytes on disk, values that are not 0, and milliseconds an answer."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

BATCHES = (1, 64)
"""Rows of a request whose time is taken."""
WARM, TIMED, SECONDS = 5, 40, 2.0
"""Requests before the clock runs, requests that are timed at most, and seconds for one model and batch at most."""

Array = np.ndarray
Ask = Callable[[Mapping[Any, Array]], Any]
"""From arrays by feature name, as a client sends them, to the answers."""


def of_saved_model(folder: Path) -> dict[str, int]:
    """A SavedModel on disk.

    Returns:
        ``bytes`` of all files, ``packed`` (the same in one ``.tar.gz``), and of the numbers in its variables how many
        there are (``values``) and how many are not 0 (``nonzero``).
    """
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    tensors = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map()]
    numbers = [np.asarray(one) for one in tensors if np.asarray(one).dtype.kind in "fi"]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        "bytes": sum(path.stat().st_size for path in files),
        "packed": packed(files),
        "values": int(sum(one.size for one in numbers)),
        "nonzero": int(sum(np.count_nonzero(one) for one in numbers)),
    }


def packed(files: Sequence[Path]) -> int:
    """Bytes of files in one ``.tar.gz``."""
    held = io.BytesIO()
    with gzip.GzipFile(fileobj=held, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for path in files:
            archive.add(path, path.name, filter=_timeless)
    return len(held.getvalue())


def _timeless(one: tarfile.TarInfo) -> tarfile.TarInfo:
    one.mtime = one.uid = one.gid = 0
    one.uname = one.gname = ""
    return one


def milliseconds(models: Sequence[Ask], raw: Mapping[Any, Array]) -> list[dict[str, float]]:
    """The median time of an answer by rows of a request, of several models in turn, so that all have the same machine.

    The order changes from turn to turn: who comes behind a slow one finds its caches emptied.

    Args:
        models: loaded.
        raw: rows to send, repeated where a request is larger.
    """
    found: list[dict[str, float]] = [{} for _ in models]
    for rows in BATCHES:
        request = {name: np.resize(values, (rows, *values.shape[1:])) for name, values in raw.items()}
        taken: list[list[float]] = [[] for _ in models]
        begun = time.perf_counter()
        for number in range(WARM + TIMED):
            turn = [*zip(models, taken, strict=True)]
            for model, times in turn if number % 2 else reversed(turn):
                start = time.perf_counter()
                model(request)
                times.append(time.perf_counter() - start)
            if number > WARM and time.perf_counter() - begun > SECONDS * len(models):
                break
        for told, times in zip(found, taken, strict=True):
            told[str(rows)] = round(1000 * float(np.median(times[WARM:])), 4)
    return found


class Opened:
    """A SavedModel as a server holds it; its ``serving_default`` is asked."""

    def __init__(self, folder: Path) -> None:
        """``folder``: of the SavedModel."""
        from kilnworks.components.exporting.signatures import PREDICT
        from kilnworks.components.serving.loading.saved_model import load_saved_model

        self._model = load_saved_model(str(folder))
        self._signature = self._model.signature_defs[PREDICT]

    def __call__(self, raw: Mapping[str, Array]) -> Any:
        """The answers by name."""
        fetches = {alias: info.name for alias, info in self._signature.outputs.items()}
        return self._model.session.run(fetches, {self._signature.inputs[n].name: v for n, v in raw.items()})

    def close(self) -> None:
        """Let the model go."""
        self._model.close()
