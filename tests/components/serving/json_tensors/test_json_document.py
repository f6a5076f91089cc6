"""Bytes -> JSON values: what is taken, and the words for what is not."""

import contextlib
import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.json_tensors import debug, dense, document

SYNTAX = [
    (b" ", "Expecting value"),
    (b'{"a":1,}', "Expecting property name enclosed in double quotes|Illegal trailing comma"),
    (b"{,}", "Expecting property name"),
    (b'{"a" 1}', "Expecting ':' delimiter"),
    (b'{"a":1 "b":2}', "Expecting ',' delimiter"),
    (b'{"a":[1 2]}', "Expecting ',' delimiter"),
    (b'{"a":[1,]}', "Expecting value|Illegal trailing comma"),
    (b'{"a":tru}', "Expecting value"),
    (b'{"a":-x}', "Expecting value"),
    (b'{"a":01}', "Expecting ',' delimiter"),
    (b'{"a":1.}', "Expecting ',' delimiter"),
    (b'{"a":1e+}', "Expecting ',' delimiter"),
    (b'{"a":1e999}', "a number that no double holds"),
    (b'{"a":-1' + b"0" * 320 + b"}", "a number that no double holds"),
    (b'{"a":1' + b"0" * 250 + b"e99}", "a number that no double holds"),
    (b'{"a":' + b"9" * 5000 + b"}", "a number that no double holds"),
    (b'{"a":"x', "Unterminated string"),
    (b'{"a":"\\q"}', r"Invalid \\escape"),
    (b'{"a":"\\u12x4"}', r"Invalid \\uXXXX escape"),
    (b'{"a":"\\ud800"}', "a surrogate without its other half"),
    (b'{"a":"\\udc00"}', "a surrogate without its other half"),
    (b'{"a":"\\ud800\\u0041"}', "a surrogate without its other half"),
    (b'{"a":"\\\\\\ud800"}', "a surrogate without its other half"),
    (b'{"a":"\\ud83d\\ud83d\\ude00"}', "a surrogate without its other half"),
    (b'{"a":"\x01"}', "Invalid control character"),
    (b'{"a"', "Expecting ':' delimiter"),
    (b'{"a":', "Expecting value"),
    (b'{"a":[', "Expecting value"),
    (b'{"a":NaNs}', "Expecting ',' delimiter"),
    (b'{"a":Infinit}', "Expecting ',' delimiter"),
    (b'{"a":1}'[:6] + b"\0}", "Expecting ',' delimiter"),
]


@pytest.mark.parametrize(("body", "reason"), SYNTAX, ids=[s[0][:40].decode("latin-1") for s in SYNTAX])
def test_a_syntax_error_says_what_is_wrong(body: bytes, reason: str) -> None:
    with pytest.raises(ServingError, match=f"JSON Parse error: ({reason})") as raised:
        document.parse(body)
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
        (b'{"a":"\xffInf -NaN","b":-Inf}', {"a": "\udcffInf -NaN", "b": -float("inf")}),
        (b'{"a\\"Inf":["Inf\\\\",Inf]}', {'a"Inf': ["Inf\\", float("inf")]}),
        (b'{"a":"\\\\ud800","a":1}', {"a": "\\ud800"}),
        (b'{"a":"\\ud83d\\ude00\\u0041\\\\udc00","a":1}', {"a": "\U0001f600A\\udc00"}),
        (
            b'{"a":[1e99,1E+308,12345678901234567890,-9223372036854775809],"a":1}',
            {"a": [1e99, 1e308, 12345678901234567890, -(2.0**63)]},
        ),
        (b' \t{"a":-0,"a":1}', {"a": 0}),
    ],
)
def test_values_that_plain_json_parsers_treat_differently(body: bytes, value: object) -> None:
    found = document.parse(body)
    assert found == value
    assert repr(found) == repr(value)


def test_not_a_number_is_taken_with_either_sign() -> None:
    values = document.parse(b'{"a":[NaN,-NaN,1]}')["a"]
    assert values[0] != values[0] and values[1] != values[1] and values[2] == 1


@pytest.mark.parametrize("depth", [900, 1000])
def test_nesting_beyond_what_a_tensor_has_is_read(depth: int) -> None:
    assert list(document.parse(b'{"a":' + b"[" * depth + b"]" * depth + b"}")) == ["a"]
    assert list(document.parse(b'{"a":' * depth + b"1" + b"}" * depth)) == ["a"]


@pytest.mark.parametrize("depth", [10_000, 200_000])
def test_deep_nesting_is_refused_without_a_crash(depth: int) -> None:
    for body in (b'{"a":' + b"[" * depth + b"]" * depth + b"}", b'{"a":' * depth + b"1" + b"}" * depth):
        with pytest.raises(ServingError, match="JSON Parse error: the document is nested too deep"):
            document.parse(body)
    with pytest.raises(ServingError, match="JSON Parse error"):
        document.parse(b'{"a":' + b"[" * depth)


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least of three tries."""
    found = []
    for _ in range(3):
        began = time.process_time()
        with contextlib.suppress(ServingError):
            work()
        found.append(time.process_time() - began)
    return min(found)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [b"{},", b'{"a":1,"a":2},', b"NaN,", b'"a",'])
def test_what_is_wrong_only_at_the_end_costs_little_more_than_reading_it(unit: bytes) -> None:
    """A parser of our own, in Python, took 20 to 130 times as long as the standard library for these."""
    start = b'{"inputs":[' + unit * (2**20 // len(unit))
    right = cpu_seconds(lambda: json.loads(start + b"1]}"))
    assert cpu_seconds(lambda: document.parse(start + b"x")) < 15 * right


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_every_parser_agrees_with_the_standard_library(value: object, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    for found in (document.parse(body), document.parse_loosely(body), document.parse(body + b" tail")):
        assert found == value
        assert json.dumps(found) == json.dumps(value)


@pytest.mark.slow
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


@pytest.mark.slow
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
