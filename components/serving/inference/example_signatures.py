"""Which signatures fit Classify and Regress."""

from collections.abc import Mapping
from dataclasses import dataclass

from kilnworks.components.serving.errors import invalid_argument, unimplemented
from kilnworks.components.serving.inference.predict import CLASSIFY_METHOD, REGRESS_METHOD
from kilnworks.components.serving.wire import dtypes
from kilnworks.components.serving.wire.values import DEFAULT_SIGNATURE, Signature, TensorInfo

Classes = list[list[tuple[bytes, float]]]

INPUTS, OUTPUTS, CLASSES, SCORES = "inputs", "outputs", "classes", "scores"
UNKNOWN = "No signature was found with the name: "
UNKNOWN_TASK = "Requested signature not found in model graph: "


@dataclass(frozen=True)
class ExampleSignature:
    """A signature that takes serialized Examples: its input tensor and the outputs to fetch, by alias."""

    name: str
    input: TensorInfo
    outputs: dict[str, TensorInfo]


def _fit_classify(signature: Signature) -> ExampleSignature:
    """Check that a signature can serve Classify. Raises ``ServingError`` INVALID_ARGUMENT."""
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


def _fit_regress(signature: Signature) -> ExampleSignature:
    """Check that a signature can serve Regress. Raises ``ServingError`` INVALID_ARGUMENT."""
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if INPUTS not in signature.inputs:
        raise invalid_argument(f"No regression inputs found in SignatureDef: {debug_string(signature)}")
    if OUTPUTS not in signature.outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {debug_string(signature)}")
    return ExampleSignature(signature.name, signature.inputs[INPUTS], {OUTPUTS: signature.outputs[OUTPUTS]})


def fit(
    signatures: Mapping[str, Signature], name: str, method: str, check_method: bool = False, unknown: str = UNKNOWN
) -> ExampleSignature:
    """A signature that can serve Classify or Regress.

    Args:
        signatures: of a version.
        name: "" = ``serving_default``.
        method: ``CLASSIFY_METHOD`` or ``REGRESS_METHOD``.
        check_method: whether it must have been exported for that.
        unknown: what is said of a name that is not there.

    Raises: ServingError INVALID_ARGUMENT, or UNIMPLEMENTED for another method.
    """
    wanted = name or DEFAULT_SIGNATURE
    if wanted not in signatures:
        raise invalid_argument(f"{unknown}{wanted}")
    if method not in _FITS:
        raise unimplemented(f"Unsupported signature method_name: {method}")
    signature, (kind, fits) = signatures[wanted], _FITS[method]
    if check_method and signature.method_name != method:
        raise invalid_argument(f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}")
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    return fits(signature)


_FITS = {CLASSIFY_METHOD: ("classification", _fit_classify), REGRESS_METHOD: ("regression", _fit_regress)}


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
