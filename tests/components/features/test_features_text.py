"""Texts become the same numbers in training and in the served graph, by the words of Unicode and not of ASCII."""

import math
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import ConfigError
from tests.effort import tries

TEXTS = [
    "A good film, a very good film!",
    "Not good. NOT GOOD...",
    "Schlecht, aber schön \N{THUMBS UP SIGN}",
    "",
    "Das war scho\u0308n und gut",
    "a bad film; not a good one",
    "漢字が好き。",
    "x" * 3000,
]


def fitted(folder: Path, texts: list[str | None], **own: Any) -> FeatureTransform:
    contract = Contract.model_validate(
        {
            "name": "mails",
            "features": {"body": {"dtype": "text", "nullable": True, **own.pop("feature", {})}},
            "label": {"name": "y", "dtype": "int", "classes": [0, 1]},
        }
    )
    pl.DataFrame({"body": pl.Series(texts, dtype=pl.String)}).write_parquet(folder / "a.parquet")
    config = PreprocessConfig(features={"body": FeatureSettings(**own)})
    return FeatureTransform.fit(contract, [folder / "a.parquet"], config)


def encoded(transform: FeatureTransform, texts: list[str | None]) -> np.ndarray:
    return transform.encode(pl.DataFrame({"body": pl.Series(texts, dtype=pl.String)}))["body"]


def served(transform: FeatureTransform, texts: list[Any]) -> np.ndarray:
    import tensorflow as tf

    from kilnworks.components.features.graph import transform_model

    return np.asarray(transform_model(transform.plan)({"body": tf.constant(texts, tf.string)})["body"])


@pytest.fixture(scope="module")
def ngrams(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("text"), TEXTS, encode="ngrams", character_ngrams=(2, 4), min_texts=1)


def words_of(texts: list[str]) -> list[list[str]]:
    from kilnworks.components.features.text.tokens import Tokens

    grams, _ = Tokens().grams(texts)
    return [[word.decode() for word in text] for text in grams.to_list()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Not GOOD!!! good...", ["not", "good", "!!!", "good", "..."]),
        ("ÜNÏCODE Straße ΣΊΣΥΦΟΣ", "ÜNÏCODE Straße ΣΊΣΥΦΟΣ".lower().split()),
        ("e\u0301te\u0301", ["\u00e9t\u00e9"]),
        ("don\u2019t can't rock 'n' roll", ["don't", "can't", "rock", "'", "n", "'", "roll"]),
        ("a\u00a0b\u3000c\td\r\ne\x00f", ["a", "b", "c", "d", "e", "f"]),
        ("漢字かな ok", ["漢", "字", "か", "な", "ok"]),
        ("zero\u200bwidth soft\u00adhyphen", ["zerowidth", "softhyphen"]),
        ("3.5 a_b", ["3", ".", "5", "a_b"]),
        ("", []),
        (" \n ", []),
    ],
    ids=["signs", "case", "composed", "apostrophes", "spaces", "no-spaces", "invisible", "numbers", "empty", "blank"],
)
def test_words(text, words):
    assert words_of([text, "another"]) == [words, ["another"]]


def test_marks_are_composed_as_pythons_unicodedata_composes_them():
    import tensorflow as tf

    from kilnworks.components.features.text.nfc import composed

    apart = [
        f"x{unicodedata.normalize('NFD', chr(point))}y"
        for point in range(0x110000)
        if unicodedata.normalize("NFD", chr(point)) != chr(point) == unicodedata.normalize("NFC", chr(point))
    ]
    assert len(apart) > 12_000
    got = [text.decode() for text in composed(tf.constant(apart)).numpy()]
    assert got == [unicodedata.normalize("NFC", text) for text in apart]


@pytest.mark.parametrize(
    "texts", [[], [""], ["", "\u0301", "e\u0301"], ["abc", ""]], ids=["none", "empty", "bare", "no"]
)
def test_composing_takes_empty_texts_and_batches(texts):
    import tensorflow as tf

    from kilnworks.components.features.text.nfc import composed

    got = [text.decode() for text in composed(tf.constant(texts, tf.string)).numpy()]
    assert got == [unicodedata.normalize("NFC", text) for text in texts]


@pytest.mark.slow
@settings(max_examples=tries(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=80), min_size=1, max_size=6))
def test_any_unicode_gives_the_same_numbers_served_and_encoded(ngrams, texts):
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    got = encoded(ngrams, texts)
    np.testing.assert_array_equal(served(ngrams, texts), got)
    assert (got[:, 0] == 2).all()
    for row in got:
        known = row[row > 0]
        assert len(known) == len(set(known.tolist())), "each n-gram once"


@pytest.mark.slow
@pytest.mark.parametrize("encode", ["tokens", "ngrams", "tfidf"])
def test_missing_bytes_that_are_no_text_and_very_long_ones_have_an_answer(tmp_path, encode):
    transform = fitted(tmp_path, [*TEXTS, None], encode=encode, min_texts=1)
    empty = encoded(transform, ["", None])
    assert np.isfinite(empty).all()
    np.testing.assert_array_equal(empty[0], empty[1])
    broken = served(
        transform, [b"\xff\xfe good \x80", "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} good \ufffd"]
    )
    np.testing.assert_array_equal(broken[0], broken[1])
    long = served(transform, ["good film " * 1_000_000, "good film " * 2_000])
    np.testing.assert_array_equal(long[0], long[1])


@pytest.mark.slow
def test_words_as_they_stand_with_padding_unknown_and_start(tmp_path):
    transform = fitted(tmp_path, ["a b", "a b c", "a"], encode="tokens")
    (tensor,) = transform.encoded
    assert (tensor.kind, tensor.shape, tensor.vocabulary_size) == ("tokens", (4,), 5)
    assert transform.plan.features["body"].words == ("a", "b")
    np.testing.assert_array_equal(encoded(transform, ["b a", "c", "", "a a a a a"]),
                                  [[2, 4, 3, 0], [2, 1, 0, 0], [2, 0, 0, 0], [2, 3, 3, 3]])  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("word_ngrams", [1, 2])
def test_tfidf_is_that_of_scikit_learn(tmp_path, word_ngrams):
    from sklearn.feature_extraction.text import TfidfVectorizer

    transform = fitted(tmp_path, TEXTS, encode="tfidf", word_ngrams=word_ngrams, min_texts=1)
    vectorizer = TfidfVectorizer(
        analyzer=lambda text: _ngrams(words_of([text])[0], word_ngrams),
        binary=True,
        vocabulary=list(transform.plan.features["body"].words),
    ).fit(TEXTS)
    wanted = vectorizer.transform([*TEXTS, "a new one, not good"]).toarray()
    np.testing.assert_allclose(encoded(transform, [*TEXTS, "a new one, not good"]), wanted, atol=1e-6)


def _ngrams(words: list[str], most: int) -> list[str]:
    return [" ".join(words[i : i + n]) for n in range(1, most + 1) for i in range(len(words) - n + 1)]


@pytest.mark.slow
def test_ngrams_of_characters_are_those_of_scikit_learn(tmp_path):
    from sklearn.feature_extraction.text import CountVectorizer

    texts = ["good films are good", "a bad film"]
    plan = fitted(tmp_path, texts, encode="ngrams", character_ngrams=(2, 3), min_texts=1).plan.features["body"]
    wanted = CountVectorizer(analyzer="char_wb", ngram_range=(2, 3)).fit(texts).get_feature_names_out()
    assert set(plan.pieces) == set(wanted)


@pytest.mark.slow
def test_the_vocabulary_does_not_depend_on_shards_or_batches(tmp_path):
    texts = [f"word{i % 7} again {i % 3}" for i in range(1500)]
    pl.DataFrame({"body": texts}).write_parquet(tmp_path / "a.parquet")
    whole = fitted(tmp_path, texts, encode="ngrams").plan
    for part, name in ((texts[:700], "b"), (texts[700:], "c")):
        pl.DataFrame({"body": part}).write_parquet(tmp_path / f"{name}.parquet")
    config = PreprocessConfig(features={"body": FeatureSettings(encode="ngrams")})
    parts = FeatureTransform.fit(whole.contract, [tmp_path / "b.parquet", tmp_path / "c.parquet"], config)
    assert parts.plan == whole


@pytest.mark.slow
def test_of_a_sensitive_text_no_word_is_stored(tmp_path):
    transform = fitted(tmp_path, TEXTS, encode="ngrams", feature={"sensitive": True})
    plan = transform.plan.features["body"]
    assert (plan.words, plan.pieces, plan.buckets) == ((), (), 65_536)
    assert "good" not in transform.plan.model_copy(update={"contract": None}).model_dump_json(warnings=False)
    np.testing.assert_array_equal(encoded(transform, TEXTS), served(transform, TEXTS))


@pytest.mark.slow
def test_rare_words_and_a_full_vocabulary_are_unknown(tmp_path):
    texts = ["a b c"] * 3 + ["a b"] * 2 + ["d"]
    plan = fitted(tmp_path, texts, encode="tokens", max_terms=2).plan.features["body"]
    assert plan.words == ("a", "b")
    plan = fitted(tmp_path, texts, encode="tokens", min_texts=3).plan.features["body"]
    assert plan.words == ("a", "b", "c")


@pytest.mark.slow
def test_a_text_without_words_is_left_out(tmp_path):
    from kilnworks.schemas.errors import DataUnreadable

    with pytest.raises(DataUnreadable, match="no word in the training split"):
        fitted(tmp_path, ["", " ", None], encode="tokens")


@pytest.mark.slow
def test_a_saved_transform_is_read_again(tmp_path, ngrams):
    content = ngrams.plan.model_dump(mode="json")
    again = FeatureTransform(type(ngrams.plan).model_validate(content))
    np.testing.assert_array_equal(encoded(again, TEXTS), encoded(ngrams, TEXTS))


def test_text_is_short_for_a_string_to_be_read():
    assert Feature(dtype="text") == Feature(dtype="string", text=True)
    with pytest.raises(ValueError, match="a text is read, not looked up"):
        Feature(dtype="string", text=True, allowed=("a", "b"))
    with pytest.raises(ValueError, match="dtype string"):
        Feature(dtype="float", text=True)


def test_settings_of_a_text_mean_nothing_for_others(tmp_path):
    contract = Contract.model_validate(
        {"name": "m", "features": {"n": {"dtype": "float"}}, "label": {"name": "y", "dtype": "float"}}
    )
    pl.DataFrame({"n": [1.0, 2.0]}).write_parquet(tmp_path / "n.parquet")
    for own, said in (
        ({"word_ngrams": 3}, "for a text alone"),
        ({"encode": "tokens"}, "is 'tokens', and 'n' is float"),
    ):
        with pytest.raises(ConfigError) as caught:
            FeatureTransform.fit(
                contract, [tmp_path / "n.parquet"], PreprocessConfig(features={"n": FeatureSettings(**own)})
            )
        assert said in str(caught.value)


@pytest.mark.slow
def test_idf_is_the_formula(tmp_path):
    plan = fitted(tmp_path, ["a b", "a", "a", "c"], encode="tfidf", word_ngrams=1, min_texts=1).plan.features["body"]
    assert plan.words[0] == "a"
    assert math.isclose(plan.idf[0], math.log(5 / 4) + 1)
