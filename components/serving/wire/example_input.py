"""The ``Input`` of Classify, Regress and MultiInference as serialized Examples.

Like the original, it never parses an Example: the graph does. ``Input`` is read a second time through a description
of the same wire format in which examples are plain bytes.
"""

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.wire.tensor_budget import texts_needed

_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "kilnworks.serving"


def _field(message: Any, name: str, number: int, repeated: bool = False, kind: str | None = None) -> Any:
    field = message.field.add(name=name, number=number)
    field.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
    if kind is None:
        field.type = _FIELD.TYPE_BYTES
    else:
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    return field


def _message_class() -> Any:
    """SerializedInput: the fields of ``Input`` with every Example left as bytes."""
    file = descriptor_pb2.FileDescriptorProto(
        name="kilnworks/serialized_input.proto", package=_PACKAGE, syntax="proto3"
    )
    plain = file.message_type.add(name="SerializedExampleList")
    _field(plain, "examples", 1, repeated=True)
    context = file.message_type.add(name="SerializedExampleListWithContext")
    _field(context, "examples", 1, repeated=True)
    _field(context, "context", 2)
    whole = file.message_type.add(name="SerializedInput")
    whole.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(
        (("example_list", plain.name), ("example_list_with_context", context.name)), start=1
    ):
        _field(whole, name, number, kind=kind).oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.SerializedInput"))


_SerializedInput = _message_class()


def serialized_examples(proto: Any, check: Callable[[int], None] = lambda size: None) -> Sequence[bytes]:
    """Serialized Examples of an ``Input``, each with the context's bytes in front; empty when there is none.

    Args:
        proto: the ``Input``.
        check: told how many bytes the Examples will take before they are made; raises when it is too much.

    Raises: ServingError INTERNAL when the input is not what it should be.
    """
    try:
        message = _SerializedInput.FromString(proto.SerializeToString())
    except DecodeError:
        raise ServingError(Code.INTERNAL, "Error parsing serialized input.") from None
    if message.WhichOneof("kind") == "example_list_with_context":
        context, examples = message.example_list_with_context.context, message.example_list_with_context.examples
        check(texts_needed(examples, len(context)))
        return [context + example for example in examples]
    return list(message.example_list.examples)
