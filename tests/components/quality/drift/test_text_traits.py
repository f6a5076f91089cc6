"""Texts are compared and profiled by their traits, and whole values never leave them."""

import json

import numpy as np
import polars as pl
import pytest

from kilnworks.components.quality.drift.report import moved
from kilnworks.components.quality.drift.text_traits import script, traits, with_traits
from kilnworks.components.quality.profile.free_text import why_read
from kilnworks.components.quality.profile.profile import profile_rows
from kilnworks.components.quality.rows.batches import RowBatch, Rows
from kilnworks.schemas.contract import Contract

WORDS = ["good", "bad", "film", "story", "actor", "music", "scene", "plot", "a", "the", "of", "and"]


def contract(**own):
    return Contract.model_validate(
        {
            "name": "reviews",
            "features": {"body": {"dtype": "text", "nullable": True, **own}, "stars": {"dtype": "int"}},
            "label": {"name": "y", "dtype": "int", "classes": [0, 1]},
        }
    )


def rows(texts):
    r = np.random.default_rng(len(texts))
    frame = pl.DataFrame(
        {
            "body": pl.Series(texts, dtype=pl.String),
            "stars": r.integers(1, 6, len(texts)),
            "y": r.integers(0, 2, len(texts)),
        }
    )
    return Rows(frame.height, dict(frame.schema), (RowBatch((frame.lazy(),), frame.height),))


def sentences(count, seed, words=WORDS, length=12):
    r = np.random.default_rng(seed)
    return [" ".join(r.choice(words, r.integers(3, length))) for _ in range(count)]


def test_traits_of_a_few_texts():
    new = pl.DataFrame({"body": ["Good FILM!", "", None, "новый фильм", "123"]})
    reference = pl.DataFrame({"body": ["a good film", "a film", "once"]})
    here, there = traits(new, reference, contract())
    assert [*here.columns, "stars"] == list(with_traits(contract()).features)
    assert here["body: characters"].to_list() == [10, 0, None, 11, 3]
    assert here["body: words"].to_list() == [2, 0, None, 2, 1]
    assert here["body: capitals"].to_list() == [5 / 8, None, None, 0, None]
    assert here["body: no letters"].to_list() == [0.1, None, None, 0, 1]
    assert here["body: new words"].to_list() == [0, None, None, 1, 1]
    assert here["body: script"].to_list() == ["Latin", "none", None, "Cyrillic", "none"]
    assert there["body: new words"].to_list() == [pytest.approx(1 / 3), 0, 1]


def test_scripts():
    texts = pl.Series(["漢字", "שלום", "abc где", "ⴰⵎⴰⵣⵉⵖ"])
    assert script(texts).to_list() == ["Han", "Hebrew", "Latin", "other"]


@pytest.mark.parametrize(
    ("new", "moves"),
    [
        (sentences(600, 2), set()),
        (sentences(600, 2, [*WORDS[:6], *(f"neu{i}" for i in range(40))]), {"body: new words"}),
        ([t.upper() for t in sentences(600, 2)], {"body: capitals"}),
        (["".join(chr(0x430 + ord(c) % 32) if c != " " else c for c in t) for t in sentences(600, 2)],
         {"body: script", "body: new words"}),
        (sentences(600, 2, length=60), {"body: words", "body: characters"}),
    ],
    ids=["same", "words", "capitals", "script", "longer"],
)  # fmt: skip
def test_drift_names_the_trait_that_moved_and_shows_no_text(new, moves):
    found = moved(rows(new), rows(sentences(600, 1)), contract(), ("new", "train"))
    assert moves <= set(found["drifted"])
    assert bool(found["drifted"]) is bool(moves)
    told = json.dumps(found)
    assert not any(text in told for text in new if len(text) > 20)


@pytest.mark.parametrize("sensitive", [False, True], ids=["open", "sensitive"])
def test_the_profile_has_lengths_and_no_whole_value(sensitive):
    texts = sentences(300, 3)
    found = profile_rows({"train": rows(texts)}, contract(sensitive=sensitive))["train"]["features"]["body"]
    assert "top_values" not in found
    assert found["length"]["max"] == max(map(len, texts))
    told = json.dumps(found)
    assert not any(text in told for text in texts if len(text) > 20)
    assert ("film" in told) is not sensitive


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        (sentences(200, 4), True),
        ([f"Person{i} Name{i * 7}" for i in range(200)], False),
        ([f"{i:032x}" for i in range(200)], False),
        (["red", "green", "blue"] * 60, False),
        ([f"the parcel {i * 7919} of {i}" for i in range(200)], False),
        (["very good indeed", "not so good"] * 60, False),
        (["這部電影很好看" + chr(0x4E00 + i) for i in range(200)], True),
        ([], False),
    ],
    ids=["sentences", "names", "hashes", "colours", "numbered", "few-phrases", "chinese", "empty"],
)
def test_texts_to_be_read_are_told_from_names_codes_and_categories(texts, read):
    assert bool(why_read(pl.Series(texts, dtype=pl.String))) is read
