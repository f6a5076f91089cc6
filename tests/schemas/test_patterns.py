"""Patterns of rules: one language, and words for those of another."""

import polars as pl
import pytest

from kilnworks.schemas.errors import ContractError
from kilnworks.schemas.patterns import fault_of, matches

CONTRACT = "name: c\nfeatures:\n  a: {{dtype: string, regex: '{pattern}'}}\n"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"(?=A)A\d+", "look-ahead"),
        (r"A(?!B)", "look-ahead"),
        (r"(?<!b)a", "look-behind"),
        (r"(a)\1", "back-references"),
        (r"(?P<x>a)(?P=x)", "back-references"),
        (r"a\Z", r"`\z`"),
        (r"(?>a)b", "atomic"),
        (r"\d++x", "possessive"),
        (r"a{,3}", "least number"),
        (r"a(?#note)", "comments"),
        (r"[a", "unclosed character class"),
        (r"a)(b", "unopened group"),
        (r"(?x)a # b", "unclosed group"),
        (r"a{1000000}", "size limit"),
    ],
)
def test_a_pattern_of_another_language_is_refused_when_the_contract_is_made(pattern, words):
    from kilnworks.schemas.contract import parse_contract

    with pytest.raises(ContractError, match=r"<text>:3: features\.a\.regex") as error:
        parse_contract(CONTRACT.format(pattern=pattern))
    assert words in str(error.value)


@pytest.mark.parametrize("pattern", [r"[+]\+", r"\++", r"[*+?}]+", r"a+", r"\p{Lu}\w*", "^a$", r"(?i)straße", ""])
def test_patterns_of_ours_are_taken(pattern):
    assert fault_of(pattern) is None


def test_a_pattern_holds_from_the_start_and_the_end_is_the_very_end():
    texts = pl.Series(["ab", "ba", "a\n", "a", None])
    assert matches(texts, "a|b").to_list() == [True, True, True, True, None]
    assert matches(texts, "a$").to_list() == [False, False, False, True, None]
