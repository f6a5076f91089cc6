"""The values that cross the engine's interface: what is asked for and what is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kilnworks.components.serving.errors import Code

if TYPE_CHECKING:
    import numpy as np

DEFAULT_SIGNATURE = "serving_default"
VERSIONS_KEPT = 64
"""Versions of which is kept what their contracts say, those asked last."""


@dataclass(frozen=True, slots=True)
class ModelSpecRef:
    """Which model a request asks for. ``version`` and ``label`` exclude each other; neither = newest available.

    ``version`` 0 is version 0. ``signature_name`` "" means ``serving_default``.
    """

    name: str
    version: int | None = None
    label: str | None = None
    signature_name: str = ""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output of a signature.

    Attributes:
        name: the tensor in the graph, e.g. ``"serving_default_x:0"``.
        dtype: the number of the TensorFlow DataType (1 = DT_FLOAT, 7 = DT_STRING ...).
        dtype_name: TensorFlow's short name, e.g. ``"float"``, ``"int64"``, ``"string"`` (as in error texts).
        numpy_dtype: what arrays of this tensor have; ``object`` (of ``bytes``) for strings.
        shape: sizes with -1 for unknown ones; None when not even the rank is known.
    """

    name: str
    dtype: int
    dtype_name: str
    numpy_dtype: "np.dtype[Any]"
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a loaded version; aliases are what requests call the tensors. Aliases are in sorted order.

    ``defaults`` are the inputs that a request may leave out, as arrays.
    """

    name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    method_name: str
    defaults: Mapping[str, "np.ndarray[Any, Any]"]


@dataclass(frozen=True, slots=True)
class Predicted:
    """Answer of Predict: the version that ran and its outputs (strings as object arrays of bytes)."""

    name: str
    version: int
    signature_name: str
    outputs: Mapping[str, "np.ndarray[Any, Any]"]


@dataclass(frozen=True, slots=True)
class Classified:
    """Answer of Classify: for each example its (label, score) pairs, in the model's order."""

    name: str
    version: int
    signature_name: str
    classifications: Sequence[Sequence[tuple[bytes, float]]]


@dataclass(frozen=True, slots=True)
class Regressed:
    """Answer of Regress: one value for each example."""

    name: str
    version: int
    signature_name: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class InferenceTask:
    """One part of MultiInference; ``method_name`` is ``tensorflow/serving/classify`` or ``.../regress``."""

    spec: ModelSpecRef
    method_name: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """Signatures of a version as SignatureDef protos by name, ``__saved_model_init_op`` included, no defaults."""

    name: str
    version: int
    signature_defs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """State of one version: ``START``, ``LOADING``, ``AVAILABLE``, ``UNLOADING`` or ``END``, and its error if any."""

    version: int
    state: str
    code: Code
    message: str
