"""Parts of serialized messages, against the same messages once they have been parsed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import classification_pb2, inference_pb2, predict_pb2

from kilnworks.components.serving.errors import TooLarge
from kilnworks.components.serving.wire.message_parts import WALKED_BYTES, parts_needed
from kilnworks.components.serving.wire.tensor_budget import TensorBudget

ENDLESS = 2**60
MESSAGE, MAP, TEXT, NUMBER = 64, 64, 48, 32


def counted(message: Any) -> int:
    """The same from a parsed message, by its fields: every number that is sent in packed form is one part."""
    size = 0
    for field, value in message.ListFields():
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            values = kind.fields_by_name["value"]
            assert values.message_type is not None
            size += sum(MESSAGE + MAP + TEXT + MESSAGE + counted(one) for one in value.values())
        elif kind is not None:
            many = value if field.is_repeated else [value]
            size += sum(MESSAGE + counted(one) for one in many)
        elif field.type in (field.TYPE_STRING, field.TYPE_BYTES):
            size += TEXT * (len(value) if field.is_repeated else 1)
        else:
            wide = {field.TYPE_INT64: 8, field.TYPE_INT32: 4}.get(field.type, 0)
            size += NUMBER + (wide * len(value) if field.is_repeated else 0)
    return size


def examples(rows: int) -> Any:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "m"
    listed = request.input.example_list_with_context
    listed.context.features.feature["c"].int64_list.value.extend([-1, 0, 1, 127, 128, 2**62])
    for row in range(rows):
        feature = listed.examples.add().features.feature
        feature["é" * 100].bytes_list.value.extend([b"", b"a" * 200, b"\xff"])
        feature["number"].float_list.value.extend([1.0] * row)
    return request


def tensors() -> Any:
    request = predict_pb2.PredictRequest(output_filter=["y", ""])
    request.model_spec.version.value = 3
    for alias in ("x", "z"):
        proto = request.inputs[alias]
        proto.dtype = 9
        proto.int64_val.extend(range(-5, 3000))
        proto.string_val.extend([b"", b"abc"])
        proto.double_val.extend([0.0] * 1000)
        proto.bool_val.extend([True] * 7)
        proto.tensor_content = b"\xff" * 5000
        for size in (0, 1, 300):
            proto.tensor_shape.dim.add(size=size, name="n")
        proto.variant_val.add(type_name="t").tensors.add().int_val.append(-1)
    return request


@pytest.mark.parametrize("message", [examples(0), examples(20), tensors(), inference_pb2.MultiInferenceRequest()])
def test_parts_are_those_of_the_parsed_message(message: Any) -> None:
    found = parts_needed(message.SerializeToString(), message.DESCRIPTOR, ENDLESS)
    assert found == counted(message)


def test_numbers_may_stand_alone_and_fields_may_be_unknown() -> None:
    kind = classification_pb2.ClassificationRequest.DESCRIPTOR
    unknown = b"\xf8\x01\x05" + b"\xfa\x01\x03abc" + b"\xfd\x01abcd" + b"\xf9\x01abcdefgh"
    assert parts_needed(unknown, kind, ENDLESS) == 4 * NUMBER
    group = b"\xfb\x01" + unknown + b"\xfc\x01"
    assert parts_needed(group, kind, ENDLESS) == 6 * NUMBER, "what stands in a group is not passed over"
    alone = b"\x12\x08\x2d\x00\x00\x80\x3f\x58\x80\x01" + b"\x50\x01"
    inputs = b"\x12" + bytes([len(alone) + 1]) + alone
    assert parts_needed(inputs, predict_pb2.PredictRequest.DESCRIPTOR, ENDLESS) > 0


@pytest.mark.slow
def test_the_walk_ends_when_it_has_seen_enough() -> None:
    data = b"\x12\x80\x80\x80\x01\x0a\xfb\xff\x7f" + b"\x0a\x00" * 1_048_574
    kind = classification_pb2.ClassificationRequest.DESCRIPTOR
    whole = parts_needed(data, kind, ENDLESS)
    assert 1_048_000 * MESSAGE < whole < 1_049_000 * MESSAGE
    assert parts_needed(data, kind, 10_000) <= 10_000 + MESSAGE


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_walked_to_an_end(data: bytes, cut: int) -> None:
    for message in (examples(2), tensors()):
        whole = message.SerializeToString()
        for one in (data, whole[:cut] + data, whole[: -cut or None]):
            assert parts_needed(one, message.DESCRIPTOR, ENDLESS) >= 0


@pytest.mark.slow
def test_a_message_of_many_parts_is_refused_before_it_is_parsed() -> None:
    reasons: list[str] = []
    budget = TensorBudget(2**24, reasons.append)
    kind = classification_pb2.ClassificationRequest.DESCRIPTOR
    many = classification_pb2.ClassificationRequest()
    for _ in range(300_000):
        many.input.example_list.examples.add()
    data = many.SerializeToString()
    assert len(data) > WALKED_BYTES
    with pytest.raises(TooLarge, match=r"The parts of the message take at least .*--max_request_mb=16"):
        budget.hold_message(data, kind)
    assert reasons == ["message"]
    few = predict_pb2.PredictRequest()
    few.inputs["x"].float_val.extend([1.0] * 2**21)
    with budget.hold_message(few.SerializeToString(), few.DESCRIPTOR):
        assert reasons == ["message"]
