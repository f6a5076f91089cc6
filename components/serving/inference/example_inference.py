"""Classify and Regress: which signatures fit, and how output tensors become classes and values.

Used alone and, several at a time, by MultiInference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilnworks.components.serving.batching.resumable import Steps
from kilnworks.components.serving.errors import ServingError, invalid_argument, unimplemented
from kilnworks.components.serving.inference.predict import CLASSIFY_METHOD, REGRESS_METHOD, run
from kilnworks.components.serving.versions.servable import Servable
from kilnworks.components.serving.wire import dtypes
from kilnworks.components.serving.wire.values import DEFAULT_SIGNATURE, Signature, TensorInfo

Array = np.ndarray[Any, Any]
Classes = list[list[tuple[bytes, float]]]

INPUTS, OUTPUTS, CLASSES, SCORES = "inputs", "outputs", "classes", "scores"


@dataclass(frozen=True)
class ExampleSignature:
    """A signature that takes serialized Examples: its input tensor and the outputs to fetch, by alias."""

    name: str
    input: TensorInfo
    outputs: dict[str, TensorInfo]


def find_signature(
    signatures: Any, name: str, missing: str, fit: Callable[[Signature], ExampleSignature]
) -> ExampleSignature:
    """A signature by name ("" = default) that fits. ``missing`` is the text before an unknown name."""
    wanted = name or DEFAULT_SIGNATURE
    if wanted not in signatures:
        raise invalid_argument(f"{missing}{wanted}")
    return fit(signatures[wanted])


def fit_classify(signature: Signature, check_method: bool = False) -> ExampleSignature:
    """Check that a signature can serve Classify. Raises ``ServingError`` INVALID_ARGUMENT."""
    if check_method:
        _check_method(signature, CLASSIFY_METHOD, "classification")
    _check_one_input(signature)
    if len(signature.outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUTS not in signature.inputs:
        raise invalid_argument(f"No classification inputs found in SignatureDef: {debug_string(signature)}")
    outputs = {alias: signature.outputs[alias] for alias in (CLASSES, SCORES) if alias in signature.outputs}
    if not outputs:
        raise invalid_argument(
            f'Expected classification signature outputs to contain at least one of "{CLASSES}" or "{SCORES}". '
            f"Signature was: {debug_string(signature)}"
        )
    return ExampleSignature(signature.name, signature.inputs[INPUTS], outputs)


def fit_regress(signature: Signature, check_method: bool = False) -> ExampleSignature:
    """Check that a signature can serve Regress. Raises ``ServingError`` INVALID_ARGUMENT."""
    if check_method:
        _check_method(signature, REGRESS_METHOD, "regression")
    _check_one_input(signature)
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if INPUTS not in signature.inputs:
        raise invalid_argument(f"No regression inputs found in SignatureDef: {debug_string(signature)}")
    if OUTPUTS not in signature.outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {debug_string(signature)}")
    return ExampleSignature(signature.name, signature.inputs[INPUTS], {OUTPUTS: signature.outputs[OUTPUTS]})


def fit_method(method_name: str, check_method: bool) -> Callable[[Signature], ExampleSignature]:
    """The check that belongs to a MultiInference task's method."""
    if method_name == CLASSIFY_METHOD:
        return lambda signature: fit_classify(signature, check_method)
    if method_name == REGRESS_METHOD:
        return lambda signature: fit_regress(signature, check_method)
    raise unimplemented(f"Unsupported signature method_name: {method_name}")


def _check_method(signature: Signature, wanted: str, kind: str) -> None:
    if signature.method_name != wanted:
        raise invalid_argument(f"Expected {kind} signature method_name to be {wanted}. Was: {signature.method_name}")


def _check_one_input(signature: Signature) -> None:
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")


def debug_string(signature: Signature) -> str:
    """A signature in the words of its proto's debug text."""
    parts = [_tensor_debug("inputs", alias, info) for alias, info in signature.inputs.items()]
    parts += [_tensor_debug("outputs", alias, info) for alias, info in signature.outputs.items()]
    return "".join(parts) + (f'method_name: "{signature.method_name}"\n' if signature.method_name else "")


def _tensor_debug(field: str, alias: str, info: TensorInfo) -> str:
    if info.shape is None:
        inner = "      unknown_rank: true\n"
    else:
        inner = "".join(f"      dim {{\n        size: {size}\n      }}\n" for size in info.shape)
    return (
        f'{field} {{\n  key: "{alias}"\n  value {{\n    name: "{info.name}"\n    dtype: '
        f"{dtypes.proto_name(info.dtype)}\n    tensor_shape {{\n{inner}    }}\n  }}\n}}\n"
    )


def example_tensor(examples: Sequence[bytes]) -> Array:
    """Serialized Examples as one string tensor [n]. Raises ``ServingError`` when there is none."""
    if not examples:
        raise invalid_argument("Input is empty.")
    tensor = np.empty(len(examples), object)
    tensor[:] = examples
    return tensor


def classes_of(outputs: dict[str, Array], count: int) -> Classes:
    """(label, score) pairs of each example from ``classes`` and ``scores`` [n, k]; "" and 0 for what is not there."""
    labels, scores = outputs.get(CLASSES), outputs.get(SCORES)
    for alias, tensor, number in ((CLASSES, labels, dtypes.STRING), (SCORES, scores, dtypes.FLOAT)):
        if tensor is not None:
            _check_matrix(alias, tensor, number, count)
    if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    width = next(tensor.shape[1] for tensor in (labels, scores) if tensor is not None)
    label_rows = [[b""] * width] * count if labels is None else labels.tolist()
    score_rows = [[0.0] * width] * count if scores is None else scores.tolist()
    return [list(zip(names, values, strict=True)) for names, values in zip(label_rows, score_rows, strict=True)]


def _check_matrix(alias: str, tensor: Array, number: int, count: int) -> None:
    if tensor.ndim != 2:
        raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(tensor)}")
    if dtypes.number_of(tensor.dtype) != number:
        raise invalid_argument(f"Expected {alias} Tensor of {dtypes.proto_name(number)}. Got: {_dtype(tensor)}")
    if tensor.shape[0] != count:
        raise invalid_argument(f"Expected {alias} output batch size of {count}. Got: {tensor.shape[0]}")


def values_of(outputs: dict[str, Array], count: int) -> list[float]:
    """One value for each example from ``outputs`` [n] or [n, 1]."""
    tensor = outputs[OUTPUTS]
    if tensor.ndim != 1 and not (tensor.ndim == 2 and tensor.shape[1] == 1):
        raise invalid_argument(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(tensor)}"
        )
    if tensor.shape[0] != count:
        raise invalid_argument(f"Input batch size did not match output batch size: {count} vs. {tensor.shape[0]}")
    if dtypes.number_of(tensor.dtype) != dtypes.FLOAT:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {_dtype(tensor)}")
    values: list[float] = tensor.ravel().tolist()
    return values


def _shape(tensor: Array) -> str:
    return f"[{','.join(map(str, tensor.shape))}]"


def _dtype(tensor: Array) -> str:
    return dtypes.proto_name(dtypes.number_of(tensor.dtype))


def unknown_task(name: str) -> ServingError:
    """A MultiInference task asks for a signature that is not there."""
    return invalid_argument(f"Requested signature not found in model graph: {name}")


def run_example_signatures(
    servable: Servable,
    fitted: Sequence[ExampleSignature],
    examples: Sequence[bytes],
    timeout_seconds: float | None = None,
) -> Steps[list[dict[str, Array]]]:
    """One run that feeds the same Examples to every signature; outputs by alias for each. Raises ``ServingError``."""
    tensor = example_tensor(examples)
    inputs = {found.input.name: found.input for found in fitted}
    names = sorted({info.name for found in fitted for info in found.outputs.values()})
    feeds = [(inputs[name], tensor) for name in sorted(inputs)]
    values = yield from run(servable.runner, feeds, names, timeout_seconds)
    by_name = dict(zip(names, values, strict=True))
    return [{alias: by_name[info.name] for alias, info in found.outputs.items()} for found in fitted]
