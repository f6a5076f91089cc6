"""What the tensors of a request take is known before they are made."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.wire.tensor_budget import TEXT_BYTES, TensorBudget, texts_needed
from kilnworks.components.serving.wire.tensor_codec import needed, to_array

SERVED = (
    tf.float32,
    tf.float64,
    tf.float16,
    tf.bfloat16,
    tf.int8,
    tf.int32,
    tf.int64,
    tf.uint16,
    tf.bool,
    tf.complex128,
)


def proto(dtype: tf.DType, shape: list[int], **values: list[object]):
    """A TensorProto with any whole numbers as its shape."""
    found = tf.make_tensor_proto([], dtype, [0])
    del found.tensor_shape.dim[:]
    for size in shape:
        found.tensor_shape.dim.add().size = size
    for name, given_values in values.items():
        getattr(found, name).extend(given_values)
    return found


@given(st.sampled_from(SERVED), st.lists(st.integers(0, 5), max_size=4))
def test_numbers_take_what_their_array_takes(dtype: tf.DType, shape: list[int]) -> None:
    """One value, or none, stands for all of them."""
    message = proto(dtype, shape)
    array = to_array(message)
    assert needed({"x": message}) == needed({"x": array}) == array.nbytes == math.prod(shape) * dtype.size


@given(st.lists(st.binary(max_size=9), max_size=6), st.integers(0, 12))
def test_texts_take_their_bytes_each_time_they_are_repeated(texts: list[bytes], count: int) -> None:
    message = proto(tf.string, [count], string_val=texts)
    array = to_array(message)
    wanted = sum(map(len, array.tolist())) + count * TEXT_BYTES
    assert needed({"x": array}) == wanted
    assert needed({"x": message}) == wanted + sum(map(len, texts[count:])), "surplus ones count as well"


@pytest.mark.parametrize("shape", [[-1], [2**40], [2**63 - 1, 2]])
def test_a_shape_that_is_none_takes_nothing_and_is_refused_when_it_is_read(shape: list[int]) -> None:
    assert needed({"x": proto(tf.float32, shape, float_val=[1.0])}) == 0
    with pytest.raises(ValueError):
        to_array(proto(tf.float32, shape, float_val=[1.0]))


def test_a_product_beyond_64_bits_is_counted_exactly() -> None:
    assert needed({"x": proto(tf.float32, [2**31 - 1] * 5, float_val=[1.0])}) == 4 * (2**31 - 1) ** 5


def test_all_inputs_count_together_and_the_limit_is_told() -> None:
    reasons: list[str] = []
    budget = TensorBudget(2**20, reasons.append)
    inputs = {f"x{i}": proto(tf.float32, [2**16], float_val=[1.0]) for i in range(5)}
    with pytest.raises(ServingError, match=r"1310720 bytes, of at most 1048576 \(--max_request_mb=1\)") as found:
        budget.hold(needed(inputs))
    assert (found.value.code, reasons) == (Code.RESOURCE_EXHAUSTED, ["tensors"])


def test_requests_that_run_share_memory_and_give_it_back() -> None:
    reasons: list[str] = []
    budget = TensorBudget(2**20, reasons.append)
    with budget.hold(2**20), budget.hold(2**20), budget.hold(2**20), budget.hold(2**20):
        with pytest.raises(ServingError) as found, budget.hold(2**20):
            raise AssertionError("a fifth one does not fit")
        with budget.hold(1000):
            assert reasons == ["memory"], "small ones always do"
    assert found.value.code is Code.UNAVAILABLE
    with pytest.raises(KeyError), budget.hold(2**20):
        raise KeyError
    for _ in range(4):
        with budget.hold(2**20):
            assert reasons == ["memory"]


def test_a_context_counts_for_each_example() -> None:
    texts = [b"ab", b"", b"c"]
    made = [b"context" + text for text in texts]
    assert texts_needed(texts, len(b"context")) == sum(map(len, made)) + 3 * TEXT_BYTES
    assert texts_needed(np.array(made, object)) == texts_needed(made)


def test_single_values_take_what_an_array_of_one_takes() -> None:
    """As a model answers a scalar: no array, but a value of numpy, or bytes."""
    assert needed({"a": np.float32(4), "b": np.int64(1)}) == 12
    assert needed({"a": b"four", "b": np.bytes_(b"four")}) == needed({"a": np.asarray(b"four")}) * 2
