"""Arrays -> JSON answers, and the bodies of classify and regress."""

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.serving.client import messages
from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.json_tensors import dense, examples, write


def read(body: bytes) -> object:
    return json.loads(body)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(width=32), min_size=1, max_size=8), st.booleans())
def test_float32_comes_back_bit_for_bit(values: list[float], row: bool) -> None:
    array = np.array(values, np.float32)
    body = write.predictions({"y": array}, "row" if row else "column")
    found = np.array(read(body)["predictions" if row else "outputs"], np.float64).astype(np.float32)
    np.testing.assert_array_equal(found, array)
    for text in body.decode().split("[", 1)[1].rstrip("]}").split(","):
        assert any(mark in text for mark in (".", "e", "NaN", "Infinity")), "whole numbers keep their .0"


@settings(deadline=None, max_examples=200)
@given(st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_decimal_is_the_c_formats(value: float, single: bool) -> None:
    """``%g`` if it round-trips, else 9 or 17 digits; compared with C's printf as Python's ``%`` gives it."""
    number = np.float32(min(max(value, -3e38), 3e38)) if single else np.float64(value)
    text = "%g" % number  # noqa: UP031
    if type(number)(text) != number:
        text = ("%.9g" if single else "%.17g") % number
    wanted = text if "." in text or "e" in text else text + ".0"
    assert dense.decimals(np.array([number])) == [wanted]
    assert type(number)(wanted) == number


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([*sorted(dense.WRITTEN), "float16", "object", "complex64"]),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from(["row", "column"]),
    st.integers(0, 2**32 - 1),
)
def test_the_short_way_writes_what_the_general_one_does(dtype: str, shape: list[int], form: str, seed: int) -> None:
    numbers = np.random.default_rng(seed).normal(0, 50, shape)
    array = np.array(numbers).astype(dtype)
    short = dense.write({"y": array}, form)
    assert (short is not None) == (dtype in dense.WRITTEN and (form == "column" or bool(shape)))
    if short is not None:
        assert short == write.predictions({"y": array}, form)
    assert dense.write({"y": array, "z": array}, form) is None


def test_floats_are_written_digit_for_digit_as_by_the_original() -> None:
    array = np.array([[1 / 3, 123456789, 0.1], [1e20, 1e-5, 123456]], np.float32)
    assert (
        write.predictions({"y": array}, "column")
        == b'{"outputs":[[0.333333343,123456792.0,0.1],[1e+20,1e-05,123456.0]]}'
    )
    row = write.predictions({"y": array, "z": np.array([1 / 3, 1.0])}, "row")
    assert row.startswith(b'{"predictions":[{"y":[0.333333343,123456792.0,0.1],"z":0.33333333333333331},{"y":[1e+20,')
    assert write.regressions([1 / 3]) == b'{"results":[0.333333343]}'
    assert write.predictions({"y": np.zeros((2, 0, 3), np.float32)}, "column") == b'{"outputs":[[],[]]}'


def test_numbers_that_json_has_no_words_for() -> None:
    array = np.array([[1, np.nan], [np.inf, -np.inf]], np.float32)
    assert write.predictions({"y": array}, "row") == b'{"predictions":[[1.0,NaN],[Infinity,-Infinity]]}'
    two = write.predictions({"y": array, "z": np.array([0.5, np.nan])}, "row")
    assert two == b'{"predictions":[{"y":[1.0,NaN],"z":0.5},{"y":[Infinity,-Infinity],"z":NaN}]}'


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint32", "uint64"])
def test_integers_are_exact(dtype: str) -> None:
    limits = np.iinfo(dtype)
    array = np.array([limits.min, limits.max, 0], dtype)
    assert read(write.predictions({"y": array}, "column"))["outputs"] == [limits.min, limits.max, 0]
    rows = read(write.predictions({"y": array, "z": array}, "row"))["predictions"]
    assert rows == [{"y": v, "z": v} for v in [limits.min, limits.max, 0]]


def test_forms() -> None:
    y, z = np.arange(4, dtype=np.float32).reshape(2, 2), np.array([True, False])
    assert read(write.predictions({"y": y}, "row")) == {"predictions": [[0.0, 1.0], [2.0, 3.0]]}
    assert read(write.predictions({"y": y, "z": z}, "row")) == {
        "predictions": [{"y": [0.0, 1.0], "z": True}, {"y": [2.0, 3.0], "z": False}]
    }
    assert read(write.predictions({"y": y, "z": z}, "column")) == {"outputs": {"y": y.tolist(), "z": [True, False]}}
    scalar = np.array(0.1, np.float32)
    assert write.predictions({"y": scalar}, "column") == b'{"outputs":0.1}'
    assert write.predictions({"y": y.T}, "row") == b'{"predictions":[[0.0,2.0],[1.0,3.0]]}'
    assert write.predictions({"y": y[:0]}, "row") == b'{"predictions":[]}'


def test_strings_and_bytes() -> None:
    texts = np.array([[b"a", b"\xc3\xa9"], [b'"\n', b""]], object)
    assert read(write.predictions({"y": texts}, "row"))["predictions"] == [["a", "\u00e9"], ['"\n', ""]]
    assert read(write.predictions({"y_bytes": texts[0]}, "row"))["predictions"] == [{"b64": "YQ=="}, {"b64": "w6k="}]
    broken = np.array([b'\xff"\\\n\x01'], object)
    assert write.predictions({"y": broken}, "row") == b'{"predictions":["\xff\\"\\\\\\n\\u0001"]}'


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({"y": np.zeros(1, np.float16)}, "Failed to write JSON value for tensor type: half"),
        ({"y": np.zeros(1, np.uint16)}, "Failed to write JSON value for tensor type: uint16"),
        ({"y": np.zeros(1, np.complex64)}, "Failed to write JSON value for tensor type: complex64"),
        ({"s": np.float32(1).reshape(())}, "Tensor name: s has no shape information "),
        ({"a": np.zeros(3), "s": np.zeros(2)}, "Tensor name: s has inconsistent batch size: 2 expecting: 3"),
        ({}, "Cannot convert empty tensor map to JSON"),
    ],
)
def test_outputs_that_cannot_be_written(outputs: dict[str, np.ndarray], text: str) -> None:
    with pytest.raises(ServingError) as raised:
        write.predictions(outputs, "row")
    assert (raised.value.code.name, raised.value.text) == ("INVALID_ARGUMENT", text)


def test_classifications_and_regressions() -> None:
    pairs = [[(b"cat", 0.1), (b"dog", math.inf)], [(b"", 1.0)]]
    assert write.classifications(pairs) == b'{"results":[[["cat",0.1],["dog",Infinity]],[["",1.0]]]}'
    assert write.regressions([float(np.float32(0.1)), 2.0]) == b'{"results":[0.1,2.0]}'
    assert write.error('say "no"') == b'{"error":"say \\"no\\""}'


def features(serialized: bytes) -> dict[str, list[object]]:
    found = messages.Example.FromString(serialized).features.feature
    return {
        name: list(getattr(f, f.WhichOneof("kind")).value) if f.WhichOneof("kind") else [] for name, f in found.items()
    }


def test_examples_of_every_kind() -> None:
    body = {
        "signature_name": "s",
        "context": {"c": ["ctx"]},
        "examples": [{"i": [1, True], "f": 2.0, "s": "\u00e9", "b": {"b64": "/w=="}, "e": []}, {}],
    }
    parsed = examples.parse(json.dumps(body).encode())
    assert parsed.signature_name == "s"
    first, second = (features(e) for e in parsed.examples)
    assert first == {"c": [b"ctx"], "i": [1, 1], "f": [2.0], "s": ["\u00e9".encode()], "b": [b"\xff"], "e": []}
    assert second == {"c": [b"ctx"]}


def test_floats_are_single_precision() -> None:
    parsed = examples.parse(b'{"examples":[{"f":[0.1,1e2]}]}')
    assert features(parsed.examples[0])["f"] == [struct.unpack("f", struct.pack("f", 0.1))[0], 100.0]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"examples": [{"x": [1, 2.5]}]}, "Unexpected element type in feature: x expecting type: int64"),
        ({"examples": [{"x": [2.5, "a"]}]}, "Unexpected element type in feature: x expecting type: float"),
        ({"examples": [{"x": ["a", 1]}]}, "Unexpected element type in feature: x expecting type: bytes"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
        ({"examples": [{"x": [[1]]}]}, "Feature: x has element with unexpected JSON type: Array"),
        ({"examples": [{"x": {"a": 1}}]}, "Feature: x has element with unexpected JSON type: Object"),
        ({"examples": [{"x": 2**63}]}, "Feature: x has uint64_t element. Only int64_t is supported."),
        ({"examples": [{"x": {"b64": "*"}}]}, "Unable to base64 decode"),
        ({"examples": [5]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{}], "context": []}, "Example must be JSON object but got JSON Array"),
    ],
)
def test_example_errors(body: object, text: str) -> None:
    with pytest.raises(ServingError) as raised:
        examples.parse(json.dumps(body).encode())
    assert (raised.value.code.name, raised.value.text) == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ({}, " When method is classify, key 'examples' is expected and was not found"),
        ({"examples": {}}, " Expecting 'examples' value to be an list/array"),
        ({"examples": []}, " 'examples' value is an empty array"),
        ({"examples": [], "signature_name": []}, " 'signature_name' key must be a string value."),
    ],
)
def test_example_errors_that_quote_the_body(body: object, end: str) -> None:
    with pytest.raises(ServingError) as raised:
        examples.parse(json.dumps(body).encode())
    assert raised.value.text.startswith("JSON Value: {") and raised.value.text.endswith(end)
