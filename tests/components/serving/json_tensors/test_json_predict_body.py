"""Bodies of ``:predict`` -> arrays: the rules of each dtype, both forms, and every error text of the contract."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.json_tensors import dense, predict
from tests.components.serving.json_tensors.json_infos import NUMPY, infos


def arrays(body: object, **dtypes: str) -> dict[str, np.ndarray]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return predict.parse(raw).arrays(infos(**dtypes))[0]


def error(body: object, **dtypes: str) -> str:
    with pytest.raises(ServingError) as raised:
        arrays(body, **dtypes)
    return str(raised.value)


@pytest.mark.parametrize(
    ("dtype", "leaves", "wanted"),
    [
        ("float", [1, 2.5, 1e300], [1, 2.5, np.inf]),
        ("double", [1, 2.5, 1e300], [1, 2.5, 1e300]),
        ("int8", [127, 300, -1], [127, 44, -1]),
        ("int16", [70000, -1], [4464, -1]),
        ("int32", [2**31 - 1, -(2**31)], [2**31 - 1, -(2**31)]),
        ("int64", [2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
        ("uint8", [255, 256, -1], [255, 0, 255]),
        ("uint32", [2**32 - 1, 0], [2**32 - 1, 0]),
        ("uint64", [2**64 - 1, 0], [2**64 - 1, 0]),
        ("bool", [True, False], [True, False]),
        ("string", ["a", {"b64": "_w==".replace("_", "/")}, "\u00e9"], [b"a", b"\xff", b"\xc3\xa9"]),
    ],
)
def test_leaves_of_each_dtype(dtype: str, leaves: list[object], wanted: list[object]) -> None:
    expected = np.array(wanted, NUMPY[dtype])
    for body in ({"instances": leaves}, {"inputs": leaves}, {"inputs": {"x": leaves}}):
        found = arrays(body, x=dtype)["x"]
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    nested = arrays({"instances": [{"x": [leaf]} for leaf in leaves]}, x=dtype)["x"]
    np.testing.assert_array_equal(nested, expected[:, np.newaxis])


@pytest.mark.parametrize(
    ("dtype", "leaf", "kind"),
    [
        ("float", True, "True"),
        ("float", None, "Null"),
        ("float", "1", "String"),
        ("float", {"b64": "aa=="}, "Object"),
        ("int32", 1.0, "Number"),
        ("int32", 2**31, "Number"),
        ("int8", 2**31, "Number"),
        ("uint8", False, "False"),
        ("int64", 2**63, "Number"),
        ("uint32", -1, "Number"),
        ("uint64", 2**64, "Number"),
        ("bool", 1, "Number"),
        ("string", 1, "Number"),
    ],
)
def test_leaves_that_do_not_fit(dtype: str, leaf: object, kind: str) -> None:
    column = error({"inputs": [leaf]}, x=dtype)
    assert column.startswith("INVALID_ARGUMENT: JSON Value: ")
    assert column.endswith(f" Type: {kind} is not of expected type: {dtype}")
    prefix = "INVALID_ARGUMENT: Failed to process element: 0 of 'instances' list. Error: "
    assert error({"instances": [leaf]}, x=dtype) == prefix + column
    named = "INVALID_ARGUMENT: Failed to process element: 0 key: x of 'instances' list. Error: "
    assert error({"instances": [{"x": leaf}]}, x=dtype) == named + column


@pytest.mark.parametrize("dtype", ["half", "uint16"])
def test_a_dtype_without_json_form(dtype: str) -> None:
    text = f"UNIMPLEMENTED: Conversion of JSON Value: 1 to type: {dtype}"
    assert error({"inputs": [1]}, x=dtype) == text
    wrapped = f"INVALID_ARGUMENT: Failed to process element: 0 of 'instances' list. Error: {text}"
    assert error({"instances": [1]}, x=dtype) == wrapped


FLOAT, TWO = {"x": "float"}, {"a": "float", "b": "float"}
IN_ROW = "Failed to process element: {} of 'instances' list. Error: INVALID_ARGUMENT: "


@pytest.mark.parametrize(
    ("body", "dtypes", "text"),
    [
        ({}, FLOAT, "Missing 'inputs' or 'instances' key"),
        ({"instances": [[1, 2], [3]]}, FLOAT, IN_ROW.format(1) + "Expecting tensor size: 2 but got: 1"),
        (
            {"instances": [[[1, 2]], [[1], [2]]]},
            FLOAT,
            IN_ROW.format(1) + "Expecting shape [1,2] but got: [2,1]",
        ),
        ({"instances": [1, [1]]}, FLOAT, IN_ROW.format(1) + "Expecting shape [] but got: [1]"),
        (
            {"inputs": [[1, 2], [3]]},
            FLOAT,
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        ({"inputs": [1, [2]]}, FLOAT, "Encountered list at unexpected level: 1 expected < 1"),
        (
            {"inputs": [[1], 2]},
            FLOAT,
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (
            {"instances": [1, 2]},
            TWO,
            "instances is a plain list, but expecting list of objects as multiple input tensors required "
            "as per tensorinfo_map",
        ),
        (
            {"inputs": [1, 2]},
            TWO,
            "inputs is a plain value/list, but expecting an object as multiple input tensors required "
            "as per tensorinfo_map",
        ),
        ({"inputs": {"a": [1]}}, TWO, "Missing named input: b in 'inputs' object."),
        (
            {"instances": [{"a": 1}]},
            TWO,
            "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"a\": 1\n} "
            "keys must be equal to: a,b",
        ),
        (
            {"instances": [{"a": 1, "b": 2}, {"a": 1, "b": 2, "z": 3}]},
            TWO,
            "Failed to process element: 1 key: z of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON object: does not have named input: z",
        ),
        ({"instances": [{"x": 1}, 2]}, FLOAT, "Expecting object but got list at item 1 of input list"),
        ({"instances": [1, {"x": 2}]}, FLOAT, "Expecting value/list but got object at item 1 of input list"),
        ({"inputs": {"b64": "!!"}}, {"x": "string"}, "Unable to base64 decode"),
        ({"inputs": [{"b64": "a"}]}, {"x": "string"}, "Unable to base64 decode"),
        (
            {"inputs": [{"c64": "a"}]},
            {"x": "string"},
            'JSON Value: {\n    "c64": "a"\n} not formatted correctly for base64 data',
        ),
        ({"instances": [1], "signature_name": ""}, {}, "Failed to get input map for signature: DEFAULT"),
    ],
)
def test_error_texts(body: object, dtypes: dict[str, str], text: str) -> None:
    assert error(body, **dtypes) == f"INVALID_ARGUMENT: {text}"


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (
            {"instances": [1], "inputs": [1]},
            " Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        ({"instances": {}}, " Expecting 'instances' to be an list/array"),
        ({"instances": []}, " No values in 'instances' array"),
        (
            {"instances": [1], "signature_name": 5},
            " not formatted correctly. 'signature_name' key must be a string value.",
        ),
        ([1], " Is not object"),
    ],
)
def test_error_texts_that_quote_the_body(body: object, end: str) -> None:
    text = error(body, x="float")
    assert text.startswith("INVALID_ARGUMENT: JSON Value: ")
    assert text.endswith(end)


def test_forms_and_shapes() -> None:
    assert predict.parse(b'{"instances":[1]}').arrays(infos(x="float"))[1] == "row"
    assert predict.parse(b'{"inputs":[1]}').arrays(infos(x="float"))[1] == "column"
    assert arrays({"inputs": 3}, x="float")["x"].shape == ()
    assert arrays({"inputs": {"x": 3}}, x="float")["x"].shape == ()
    assert arrays({"instances": [[]]}, x="float")["x"].shape == (1, 0)
    assert arrays({"inputs": []}, x="float")["x"].shape == (0,)
    extra = arrays({"inputs": {"a": [1], "b": [[2]], "z": "ignored"}, "other": 1}, **TWO)
    assert {k: v.shape for k, v in extra.items()} == {"a": (1,), "b": (1, 1)}
    mixed = arrays(b'{"instances":[{"a":1,"b":[NaN]},{"b":[2],"a":-Infinity}]}', **TWO)
    np.testing.assert_array_equal(mixed["a"], np.array([1, -np.inf], np.float32))
    np.testing.assert_array_equal(mixed["b"], np.array([[np.nan], [2]], np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float", "double", "int8", "int32", "int64", "uint32", "uint64"])
@pytest.mark.parametrize("kind", ["int", "negative", "wide", "fraction"])
def test_long_bodies_are_parsed_in_pieces_to_the_same_values(dtype: str, kind: str) -> None:
    """Above ``dense.CHUNK`` bytes; compared with the same body in the form that takes the general way."""
    rows = np.random.default_rng(0).integers(0, 2**31, (3000, 10)).tolist()
    rows[2999][9] = {"int": 7, "negative": -7, "wide": 2**63, "fraction": 0.1}[kind]
    texts = [json.dumps({"instances": rows}).encode(), json.dumps({"instances": [{"x": row} for row in rows]}).encode()]
    assert len(texts[0]) > dense.CHUNK
    found = []
    for text in texts:
        try:
            found.append(arrays(text, x=dtype)["x"])
        except ServingError as refused:
            found.append(str(refused).replace(" key: x", ""))
    if isinstance(found[1], str):
        assert found[0] == found[1]
    else:
        assert found[0].dtype == found[1].dtype
        np.testing.assert_array_equal(found[0], found[1])


def test_long_bodies_with_a_number_missing() -> None:
    for hole in (b"1,,1", b"1, ,1", b",1"):
        body = b'{"instances":[' + b"1," * 200_000 + hole + b"]}"
        assert "JSON Parse error: Expecting value" in error(body, x="float")


@pytest.mark.parametrize("depth", [65, 300, 1000])
@pytest.mark.parametrize("form", ["instances", "inputs"])
@pytest.mark.parametrize("leaf", ["", "1"])
def test_deeper_lists_than_a_tensor_can_have(depth: int, form: str, leaf: str) -> None:
    body = f'{{"{form}":{"[" * depth}{leaf}{"]" * depth}}}'.encode()
    assert error(body, x="float").endswith("INVALID_ARGUMENT: tensor parsing error: x")


def test_base64_with_and_without_padding_and_white_space() -> None:
    raw = bytes(range(256))
    for size in range(250, 256):
        text = base64.b64encode(raw[:size]).decode()
        for spelled in (text, text.rstrip("="), text[:20] + "\n " + text[20:]):
            assert arrays({"inputs": {"b64": spelled}}, x="string")["x"][()] == raw[:size]


LEAF = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(width=32) | st.text(max_size=2)
NESTED = st.recursive(LEAF | st.integers(0, 200), lambda inner: st.lists(inner, min_size=0, max_size=3), max_leaves=12)


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(NESTED, st.sampled_from(sorted(set(NUMPY) - {"half", "uint16"})))
def test_column_form_against_a_walk_by_hand(value: object, dtype: str) -> None:
    body = json.dumps({"inputs": value}).encode()
    wanted = _by_hand(value, dtype)
    if wanted is None:
        error(body, x=dtype)
    else:
        found = arrays(body, x=dtype)["x"]
        assert found.shape == wanted.shape
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.lists(NESTED, min_size=1, max_size=3), st.sampled_from(["float", "int32", "string", "bool"]))
def test_row_form_against_a_walk_by_hand(items: list[object], dtype: str) -> None:
    body = json.dumps({"instances": items}).encode()
    parts = [_by_hand(item, dtype) for item in items]
    if any(p is None for p in parts) or len({p.shape for p in parts}) > 1:
        error(body, x=dtype)
        return
    np.testing.assert_array_equal(arrays(body, x=dtype)["x"], np.stack(parts))


def _by_hand(value: object, dtype: str) -> np.ndarray | None:
    """The contract's rules once more, element by element; None where the contract gives an error."""
    if isinstance(value, list):
        parts = [_by_hand(item, dtype) for item in value]
        if any(p is None for p in parts) or len({p.shape for p in parts}) > 1:
            return None
        if not parts:
            return np.empty(0, NUMPY[dtype])
        return np.stack(parts)
    if dtype == "string":
        if not isinstance(value, str):
            return None
        scalar = np.empty((), object)
        scalar[()] = value.encode()
        return scalar
    if dtype == "bool":
        return np.array(value) if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if dtype in ("float", "double"):
        with np.errstate(over="ignore"):
            return np.array(float(value)).astype(NUMPY[dtype])
    if not isinstance(value, int):
        return None
    low, high = {"int64": (-(2**63), 2**63), "uint32": (0, 2**32), "uint64": (0, 2**64)}.get(dtype, (-(2**31), 2**31))
    if not low <= value < high:
        return None
    bits = np.dtype(NUMPY[dtype]).itemsize * 8
    wrapped = value % 2**bits
    if dtype.startswith("int") and wrapped >= 2 ** (bits - 1):
        wrapped -= 2**bits
    return np.array(wrapped, NUMPY[dtype])
