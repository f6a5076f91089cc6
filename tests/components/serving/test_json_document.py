"""Bytes -> JSON values: what is taken, and the words for what is not."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.serving.errors import ServingError
from components.serving.json_tensors import debug, dense, document, exact

SYNTAX = [
    (b" ", "The document is empty.", 1),
    (b'{"a":1,}', "Missing a name for object member.", 7),
    (b"{,}", "Missing a name for object member.", 1),
    (b'{"a" 1}', "Missing a colon after a name of object member.", 5),
    (b'{"a":1 "b":2}', "Missing a comma or } after an object member.", 7),
    (b'{"a":[1 2]}', "Missing a comma or ] after an array element.", 8),
    (b'{"a":[1,]}', "Invalid value.", 8),
    (b'{"a":tru}', "Invalid value.", 8),
    (b'{"a":-x}', "Invalid value.", 6),
    (b'{"a":01}', "Missing a comma or } after an object member.", 6),
    (b'{"a":1.}', "Miss fraction part in number.", 7),
    (b'{"a":1e+}', "Miss exponent in number.", 8),
    (b'{"a":1e999}', "Number too big to be stored in double.", 5),
    (b'{"a":"x', "Missing a closing quotation mark in string.", 7),
    (b'{"a":"\\q"}', "Invalid escape character in string.", 6),
    (b'{"a":"\\u12x4"}', "Incorrect hex digit after \\u escape in string.", 6),
    (b'{"a":"\\ud800"}', "The surrogate pair in string is invalid.", 6),
    (b'{"a":"\\ud800\\u0041"}', "The surrogate pair in string is invalid.", 6),
    (b'{"a":"\x01"}', "Invalid encoding in string.", 6),
    (b'{"a"', "Missing a colon after a name of object member.", 4),
    (b'{"a":', "Invalid value.", 5),
    (b'{"a":[', "Invalid value.", 6),
]


@pytest.mark.parametrize(("body", "reason", "offset"), SYNTAX, ids=[s[0].decode("latin-1") for s in SYNTAX])
def test_a_syntax_error_names_reason_and_byte(body: bytes, reason: str, offset: int) -> None:
    with pytest.raises(ServingError) as raised:
        document.parse(body)
    assert raised.value.text == f"JSON Parse error: {reason} at offset: {offset}"
    assert raised.value.code.name == "INVALID_ARGUMENT"


def test_empty_body() -> None:
    with pytest.raises(ServingError) as raised:
        document.parse(b"")
    assert raised.value.text == "JSON Parse error: The document is empty"


@pytest.mark.parametrize("body", [b"[1]", b"5 x", b'"a"', b"null", b"NaN"])
def test_not_an_object(body: bytes) -> None:
    with pytest.raises(ServingError, match=r"Is not object$"):
        document.parse_object(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":1,"a":2,"b":3}', {"a": 1, "b": 3}),
        (b'{"a":{"c":1,"c":[2]},"a":2}', {"a": {"c": 1}}),
        (b'{"\\u0061":1,"a":2}', {"a": 1}),
        (b'{"a":1} and more', {"a": 1}),
        (b'{"a":1}{', {"a": 1}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":[Inf,-Inf,Infinity,-Infinity]}', {"a": [float("inf"), float("-inf")] * 2}),
        (b'{"a":18446744073709551615,"b":-9223372036854775808}', {"a": 2**64 - 1, "b": -(2**63)}),
        (b'{"a":18446744073709551616}', {"a": 2.0**64}),
        (b'{"a":"\\ud83d\\ude00:"}', {"a": "\U0001f600:"}),
        (b'{"a:b":"c:d"}', {"a:b": "c:d"}),
        (b'{"a":"\xff"}', {"a": "\udcff"}),
    ],
)
def test_values_that_plain_json_parsers_treat_differently(body: bytes, value: object) -> None:
    found = document.parse(body)
    assert found == value
    assert repr(found) == repr(value)


def test_not_a_number_is_taken_with_either_sign() -> None:
    values = document.parse(b'{"a":[NaN,-NaN,1]}')["a"]
    assert values[0] != values[0] and values[1] != values[1] and values[2] == 1


@pytest.mark.parametrize("depth", [900, 1023, 1100, 10_000, 200_000])
def test_deep_nesting_is_parsed_or_refused_without_a_crash(depth: int) -> None:
    closed = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    assert list(document.parse(closed)) == ["a"]
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    assert list(document.parse(nested)) == ["a"]
    with pytest.raises(ServingError, match="JSON Parse error"):
        document.parse(b'{"a":' + b"[" * depth)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200)
@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_every_parser_agrees_with_the_standard_library(value: object, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    for found in (document.parse(body), exact.parse(body), document.parse(body + b" tail")):
        assert found == value
        assert json.dumps(found) == json.dumps(value)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:0123.eE+-NaInfty \\utrls', max_size=60).map(str.encode))
def test_random_bytes_give_a_value_or_a_worded_error(body: bytes) -> None:
    try:
        value = document.parse(body)
    except ServingError as error:
        assert error.text.startswith("JSON Parse error: ")
    else:
        assert isinstance(value, dict | list | str | int | float | bool | None)
        assert isinstance(debug.quote(value), str)


BODY = b'{"instances": [[[1, 2.5], [-3e2, 4]], [[5, 6], [7, 8]]]}'


@settings(deadline=None, max_examples=500)
@given(st.data())
def test_the_short_cut_takes_nothing_that_json_refuses(data: st.DataObject) -> None:
    """A valid body with a few bytes changed: whatever the short cut accepts must be that very JSON."""
    body = bytearray(BODY)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        new = data.draw(st.sampled_from([b"", b"[", b"]", b",", b" ", b"1", b".", b"-", b"e", b"]2", b"0[", b"[]"]))
        body[place : place + data.draw(st.integers(0, 1))] = new
    found = dense.parse(bytes(body))
    if found is not None:
        wanted = json.loads(body)["instances"]
        assert _shape(wanted) == list(found.shape)
        assert _flat(wanted) == found.values


def test_the_short_cut_takes_the_usual_bodies() -> None:
    assert dense.parse(BODY) is not None
    assert dense.parse(b'{"signature_name":"s","inputs":[1,2]}') == dense.Dense("inputs", "s", [1, 2], (2,))
    assert dense.parse(b'{"inputs":[1,2],"signature_name":"s"}') == dense.Dense("inputs", "s", [1, 2], (2,))
    assert dense.parse(b'{"instances":[[1,]2,[3,4]]}') is None
    assert dense.parse(b'{"instances":[[1,2],[3]]}') is None
    assert dense.parse(b'{"instances":[[]]}') is None


def test_quoting_is_bounded() -> None:
    text = debug.quote({"a": list(range(100_000)), "b": 1})
    assert text.startswith('{\n    "a": [0, 1, 2')
    assert 256 <= len(text) < 300


def _shape(value: object) -> list[int]:
    return [len(value), *_shape(value[0])] if isinstance(value, list) else []


def _flat(value: object) -> list[object]:
    return [leaf for item in value for leaf in _flat(item)] if isinstance(value, list) else [value]
