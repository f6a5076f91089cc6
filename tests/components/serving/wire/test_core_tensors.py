"""TensorProto to array and back, against numpy and the rules of the wire format; request inputs against signatures."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kilnworks.components.serving.client import messages
from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.inference.predict import input_arrays, output_aliases
from kilnworks.components.serving.wire import dtypes
from kilnworks.components.serving.wire.example_input import serialized_examples
from kilnworks.components.serving.wire.feeds import check_dtypes
from kilnworks.components.serving.wire.tensor_codec import TensorParseError, fill_proto, to_array
from kilnworks.components.serving.wire.values import Signature, TensorInfo

NUMPY = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.int16, np.int32, np.int64)
NUMPY = (*NUMPY, np.uint8, np.uint16, np.uint32, np.uint64, np.bool_)


def proto(dtype: int, *shape: int, **fields: object) -> object:
    made = messages.TensorProto(dtype=dtype, **fields)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data(), as_content=st.booleans())
def test_arrays_survive_both_forms(data: st.DataObject, as_content: bool) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(NUMPY)))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    raw = data.draw(hnp.arrays(np.uint8, (*shape, dtype.itemsize)))
    array = (raw & 1).astype(np.bool_)[..., 0] if dtype == np.bool_ else raw.view(dtype)[..., 0]
    made = messages.TensorProto()
    fill_proto(made, array, as_content)
    again = to_array(messages.TensorProto.FromString(made.SerializeToString()))
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    with np.errstate(invalid="ignore"):  # comparing a signalling NaN warns
        lost = array != array  # NaN; of bfloat16 NumPy's own assertion refuses it
        assert ((again == array) | (lost & (again != again))).all()
    assert bool(made.tensor_content) == (as_content and array.size > 0)


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_strings_survive(values: list[bytes]) -> None:
    array = np.empty(len(values), object)
    array[:] = values
    made = messages.TensorProto()
    fill_proto(made, array)
    assert to_array(made).tolist() == values
    lengths = b"".join(varint(len(value)) for value in values)
    packed = proto(dtypes.STRING, len(values), tensor_content=lengths + b"".join(values))
    assert to_array(packed).tolist() == values


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value % 128 + 128]), value // 128
    return out + bytes([value])


def test_fewer_values_repeat_the_last_and_more_are_cut() -> None:
    assert to_array(proto(1, 2, 2, float_val=[5])).tolist() == [[5, 5], [5, 5]]
    assert to_array(proto(1, 3, float_val=[1, 2])).tolist() == [1, 2, 2]
    assert to_array(proto(1, 1, float_val=[1, 2])).tolist() == [1]
    assert to_array(proto(1, 2)).tolist() == [0, 0]
    assert to_array(proto(7, 2)).tolist() == [b"", b""]
    assert to_array(proto(1, float_val=[3])).shape == ()


@pytest.mark.parametrize(
    "made",
    [
        proto(0, 1),
        proto(20, 1),
        proto(99, 1),
        proto(101, 1),
        proto(1, -1),
        proto(1, 2**40, 2**40, float_val=[1]),
        proto(1, 2**62, 2**62, 0),
        proto(1, 2**30, 2**30, 2**30, 0),
        proto(1, 2**28, float_val=[1]),
        proto(1, 2, tensor_content=b"1234567"),
        proto(7, 2, tensor_content=b"\x05a"),
        proto(7, 1, tensor_content=b"\xff" * 12),
        proto(7, 3, tensor_content=b"\x00"),
        messages.TensorProto(dtype=1, tensor_shape={"unknown_rank": True}),
    ],
)
def test_what_is_no_tensor_is_refused(made: object) -> None:
    with pytest.raises(TensorParseError):
        to_array(made)


def info(name: str, dtype: int = dtypes.FLOAT) -> TensorInfo:
    return TensorInfo(name, dtype, dtypes.dtype_name(dtype), dtypes.numpy_dtype(dtype), (-1,))


TWO = Signature("s", {"a": info("s_a:0"), "b": info("s_b:0")}, {"x": info("x:0"), "y": info("y:0")}, "", {})


def same(value: object) -> object:
    return value


def test_inputs_are_checked_in_order() -> None:
    assert input_arrays(TWO, {"a": 1, "b": 2}, same) == {"a": 1, "b": 2}
    with pytest.raises(ServingError, match=r"1!=2 len\(\{a\}\) != len\(\{a,b\}\)\. Sent extra: \{\}"):
        input_arrays(TWO, {"a": 1}, same)
    with pytest.raises(ServingError, match=r"alias: b\(feed name: s_b:0\) not found"):
        input_arrays(TWO, {"a": 1, "c": 2}, same)

    def refuse(value: object) -> object:
        raise TensorParseError(str(value))

    with pytest.raises(ServingError, match="tensor parsing error: a"):
        input_arrays(TWO, {"a": 1, "b": 2}, refuse)


def test_output_filters() -> None:
    assert output_aliases(TWO, ()) == ["x", "y"]
    assert output_aliases(TWO, ["y"]) == ["y"]
    with pytest.raises(ServingError, match=r"not found in signature: z Outputs expected to be in the set \{x,y\}\."):
        output_aliases(TWO, ["z"])
    with pytest.raises(ServingError, match="duplicate output tensor alias: y"):
        output_aliases(TWO, ["y", "y"])


def test_types_must_match_exactly() -> None:
    check_dtypes([(info("x:0"), np.zeros(1, np.float32)), (info("y:0", dtypes.STRING), np.array([b"a"], object))])
    for value, name in ((np.zeros(1), "double"), (np.array(["a"]), "string"), (np.zeros(1, np.int64), "int64")):
        with pytest.raises(ServingError) as caught:
            check_dtypes([(info("x:0"), np.zeros(1, np.float32)), (info("y:0"), value)])
        assert caught.value.code is Code.INVALID_ARGUMENT
        assert caught.value.text == f"Expects arg[1] to be float but {name} is provided"


class RawInput:
    """Stands for an ``Input`` whose bytes are given."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializeToString(self) -> bytes:
        return self._data


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def test_examples_are_taken_as_bytes_with_the_context_in_front() -> None:
    plain = field(1, field(1, b"one") + field(1, b"two"))
    assert serialized_examples(RawInput(plain)) == [b"one", b"two"]
    context = field(2, field(2, b"C") + field(1, b"one"))
    assert serialized_examples(RawInput(context)) == [b"Cone"]
    assert serialized_examples(RawInput(b"")) == []
    with pytest.raises(ServingError, match="INTERNAL"):
        serialized_examples(RawInput(b"\x0a\x7f"))
