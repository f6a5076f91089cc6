"""Names and values in messages, in contracts and in definitions: one line, unambiguous, and back to what they were."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.schemas import words
from kilnworks.schemas.contract import Contract, dump_contract, parse_contract
from kilnworks.schemas.errors import UnknownName
from kilnworks.schemas.words import listed, named, printable, shown

NAMES = [
    "a b",
    "[red]a[/red]",
    "two\nlines",
    "Ko\u0308ln",
    "zero\u200bwidth",
    "esc\x1b[31m",
    " pad ",
    "q'\"",
    "\U000e0041",
]


def test_the_examples():
    assert doctest.testmod(words).failed == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_name_takes_one_line_and_shows_what_is_odd(name):
    for text in (named(name), shown(name)):
        assert text.isprintable() and "\u0308" not in text and "\n" not in text
    assert named(name) == name if name in ("a b",) else named(name) != name


@given(st.lists(st.text(max_size=8), min_size=2, max_size=2, unique=True))
def test_two_values_never_look_the_same(values):
    assert shown(values[0]) != shown(values[1]) and named(values[0]) != named(values[1])


def test_a_list_of_names_says_how_many_there_are():
    assert listed(["a", "b,c", "d"]) == "a, 'b,c', d"
    assert listed("abcdef", 2) == "a, b, ... (6 in all)"


def test_a_message_keeps_its_lines_and_nothing_else_that_a_terminal_obeys():
    assert printable("one\n  two\x1b[2J\u202e\x07") == "one\n  two\\x1b[2J\\u202e\\x07"


def test_an_unknown_name_lists_names_unambiguously():
    assert "one of 'a, b', c" in str(UnknownName("column", "x", ["c", "a, b"]))


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@pytest.mark.slow
@given(st.lists(text, min_size=3, max_size=6, unique=True), st.lists(text, min_size=2, max_size=5, unique=True))
def test_whatever_names_and_values_there_are_a_contract_comes_back(names, values):
    tree = {
        "name": "c",
        "key": names[0],
        "label": {"name": names[1], "dtype": "string", "classes": values},
        "features": {name: {"dtype": "string", "allowed": values} for name in names[2:]},
    }
    contract = Contract.model_validate(tree)
    written = dump_contract(contract)
    assert parse_contract(written) == contract
    assert all(line.isprintable() for line in written.split("\n"))
