"""A LiteRT file, run by the interpreter that comes with TensorFlow."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from kilnworks.components.compressing.litert.conversion import SIGNATURE, Converted
from kilnworks.schemas.logs import notes_held_back

Array = np.ndarray
NOTES = re.compile(rb"^INFO: (Created TensorFlow Lite XNNPACK delegate|Initialized TensorFlow Lite runtime)")
"""What the interpreter writes once in a process; only C++ can set how much it says (``SetMinimumLogSeverity``)."""
ROWS = 256
"""Rows that the interpreter is given at once."""


class Interpreter:
    """Answers of a LiteRT model; the interpreter prepares itself anew where a request has another number of rows."""

    def __init__(self, converted: Converted) -> None:
        """``converted``: the model and the names of its inputs."""
        self._inputs, self._content = converted.inputs, converted.content
        with warnings.catch_warnings(), notes_held_back(NOTES):
            # TensorFlow points to the package ai-edge-litert, which runs the same files
            warnings.simplefilter("ignore")
            self._interpreter = tf.lite.Interpreter(model_content=converted.content)
            self._interpreter.allocate_tensors()
            self._run = self._interpreter.get_signature_runner(SIGNATURE)

    def __call__(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The answers to rows, [n, ...] by the names of the features or of the encoded tensors."""
        given = {name: np.ascontiguousarray(arrays[key], dtype) for key, (name, dtype, _) in self._inputs.items()}
        return {name: np.array(values) for name, values in self._run(**given).items()}

    def all(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The same for any number of rows, at least one, in parts of ``ROWS``."""
        rows = len(next(iter(arrays.values())))
        parts = [self({n: a[i : i + ROWS] for n, a in arrays.items()}) for i in range(0, rows, ROWS)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
