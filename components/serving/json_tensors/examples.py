"""Body of ``:classify`` and ``:regress``: JSON objects -> serialized ``tf.Example``.

JSON integers and booleans become ``int64_list``, numbers with a fraction or an exponent ``float_list``, strings and
base64 objects ``bytes_list``; one feature holds one kind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kilnworks.components.serving.errors import ServingError, invalid_argument
from kilnworks.components.serving.json_tensors import debug, document, tensors
from kilnworks.components.serving.wire.tensor_budget import DEFAULT_REQUEST_BYTES, too_large
from kilnworks_client import messages

_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


@dataclass(frozen=True)
class ExamplesBody:
    """A parsed body: the signature ("" = default), one serialized Example a row, the context in front of each, and
    the JSON object that they come from.
    """

    signature_name: str
    examples: list[bytes]
    tree: dict[str, Any]

    def rewritten(self, rewrite: Callable[[dict[str, Any]], dict[str, Any]]) -> list[bytes]:
        """The Examples of the JSON object as ``rewrite`` changes it."""
        return _serialized(rewrite(self.tree))


def parse(body: bytes, most_bytes: int = DEFAULT_REQUEST_BYTES) -> ExamplesBody:
    """Read a classify or regress request, whose Examples may take ``most_bytes`` together.

    Raises:
        ServingError: INVALID_ARGUMENT in the contract's words.
        TooLarge: the context, which stands in front of every Example, makes them too large.
    """
    tree = document.parse_object(body)
    name = document.signature_name(tree)
    context = serialize(tree["context"]) if "context" in tree else b""
    if "examples" not in tree:
        raise _refused(tree, "When method is classify, key 'examples' is expected and was not found")
    rows = tree["examples"]
    if not isinstance(rows, list):
        raise _refused(tree, "Expecting 'examples' value to be an list/array")
    if not rows:
        raise _refused(tree, "'examples' value is an empty array")
    if len(rows) * len(context) > most_bytes:
        raise too_large("The Examples with their context take more than", len(rows) * len(context), most_bytes)
    return ExamplesBody(name, [context + serialize(row) for row in rows], tree)


def _serialized(tree: dict[str, Any]) -> list[bytes]:
    context = serialize(tree["context"]) if "context" in tree else b""
    return [context + serialize(row) for row in tree["examples"]]


def serialize(row: Any) -> bytes:
    """One JSON object of features as a serialized Example."""
    if not isinstance(row, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {debug.kind(row)}")
    example = messages.Example()
    features = example.features.feature
    for name, content in row.items():
        feature = features[tensors.encode_text(name).decode("utf-8", "replace")]
        for value in content if isinstance(content, list) else [content]:
            _add(feature, name, value)
    return bytes(example.SerializeToString())


def _add(feature: Any, name: str, value: Any) -> None:
    """Append one value to a feature, whose kind the first value has decided."""
    if value is None or isinstance(value, list) or (isinstance(value, dict) and not tensors.is_base64(value)):
        raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {debug.kind(value)}")
    if isinstance(value, bool | int):
        values = _values(feature, name, "int64_list")
        if value >= 2**63:
            raise invalid_argument(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        values.append(int(value))
    elif isinstance(value, float):
        _values(feature, name, "float_list").append(value)
    elif isinstance(value, str):
        _values(feature, name, "bytes_list").append(tensors.encode_text(value))
    else:
        _values(feature, name, "bytes_list").append(tensors.decode_base64(value["b64"]))


def _values(feature: Any, name: str, kind: str) -> Any:
    """The list of a kind, if the feature has no other kind yet."""
    present = feature.WhichOneof("kind")
    if present not in (None, kind):
        raise invalid_argument(f"Unexpected element type in feature: {name} expecting type: {_KINDS[present]}")
    return getattr(feature, kind).value


def _refused(tree: dict[str, Any], reason: str) -> ServingError:
    return invalid_argument(f"JSON Value: {debug.quote(tree)} {reason}")
