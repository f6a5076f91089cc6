"""Traits of texts by which two sets of rows are compared: a whole text hardly ever comes again.

A column of texts becomes columns of numbers and categories: ``body: characters``, ``body: words``, ``body: capitals``
(share of the letters), ``body: no letters`` (share of the characters that are neither letter nor space),
``body: script`` (of most letters) and ``body: new words`` (share of the words that no other text of the reference
holds).
"""

from __future__ import annotations

import polars as pl

from kilnworks.schemas.contract import Contract, Dtype, Feature

MOST = 20_000
"""Characters of a text that are looked at."""
SCRIPTS = (
    "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Han", "Hiragana", "Katakana", "Hangul", "Devanagari", "Thai",
)  # fmt: skip
OTHER, NONE = "other", "none"
_NUMBERS = ("characters", "words", "capitals", "no letters", "new words")


def texts_of(contract: Contract) -> list[str]:
    """Features that are texts to be read."""
    return [name for name, feature in contract.features.items() if feature.text]


def with_traits(contract: Contract) -> Contract:
    """The contract with the traits of each text in its place."""
    features: dict[str, Feature] = {}
    for name, feature in contract.features.items():
        if not feature.text:
            features[name] = feature
            continue
        for trait in (*_NUMBERS, "script"):
            dtype: Dtype = "string" if trait == "script" else "float"
            features[f"{name}: {trait}"] = Feature(dtype=dtype, nullable=True, sensitive=feature.sensitive)
    return contract.model_copy(update={"features": features})


def traits(new: pl.DataFrame, reference: pl.DataFrame, contract: Contract) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both sets of rows with the traits of each text in its place; as they are where there is no text."""
    for name in texts_of(contract):
        if name in new.columns and name in reference.columns:
            here, there = _words(new[name]), _words(reference[name])
            known = there.unique().group_by("word").len(name="texts")
            new = _replaced(new, name, _strange(here, known, new.height, 1))
            reference = _replaced(reference, name, _strange(there, known, reference.height, 2))
    return new, reference


def _words(series: pl.Series) -> pl.DataFrame:
    """Columns ``row`` and ``word``, one row a word."""
    found = _beginning(series).str.to_lowercase().str.extract_all(r"[\p{L}\p{M}\p{N}]+")
    return pl.DataFrame({"row": pl.arange(len(series), eager=True), "word": found}).explode("word").drop_nulls("word")


def _strange(words: pl.DataFrame, known: pl.DataFrame, rows: int, least: int) -> pl.Series:
    """Share of the words of each row that stand in fewer than ``least`` reference texts; null without words.

    Of the reference itself a word counts as known where a second text has it: each row is compared with the others.
    """
    joined = words.join(known, on="word", how="left").with_columns(strange=pl.col("texts").fill_null(0) < least)
    share = joined.group_by("row").agg(pl.col("strange").mean())
    whole = pl.DataFrame({"row": pl.arange(rows, eager=True)}).join(share, on="row", how="left", maintain_order="left")
    return whole["strange"]


def _replaced(frame: pl.DataFrame, name: str, strange: pl.Series) -> pl.DataFrame:
    text = _beginning(frame[name])
    letters = text.str.count_matches(r"\p{L}")
    length = text.str.len_chars()
    columns = {
        "characters": frame[name].cast(pl.String).str.len_chars().cast(pl.Float64),
        "words": text.str.count_matches(r"[\p{L}\p{M}\p{N}]+").cast(pl.Float64),
        "capitals": text.str.count_matches(r"\p{Lu}") / letters,
        "no letters": text.str.count_matches(r"[^\p{L}\p{M}\s]") / length,
        "new words": strange,
        "script": script(text),
    }
    made = [values.fill_nan(None) if values.dtype.is_float() else values for values in columns.values()]
    return frame.drop(name).with_columns(
        values.alias(f"{name}: {trait}") for trait, values in zip(columns, made, strict=True)
    )


def script(text: pl.Series) -> pl.Series:
    """The script of most letters of each text; ``other`` for a rare one, ``none`` without a letter, null for null."""
    counts = pl.DataFrame({name: text.str.count_matches(rf"\p{{{name}}}") for name in SCRIPTS})
    most = counts.select(most=pl.max_horizontal(pl.all())).to_series()
    place = counts.select(place=pl.concat_list(pl.all()).list.arg_max()).to_series()
    named = place.replace_strict(dict(enumerate(SCRIPTS)), return_dtype=pl.String, default=None)
    letters = text.str.contains(r"\p{L}")
    frame = pl.DataFrame({"named": named, "most": most, "letters": letters})
    return frame.select(
        pl.when(pl.col("letters").is_null())
        .then(None)
        .when(~pl.col("letters"))
        .then(pl.lit(NONE))
        .when(pl.col("most") == 0)
        .then(pl.lit(OTHER))
        .otherwise(pl.col("named"))
    ).to_series()


def _beginning(series: pl.Series) -> pl.Series:
    return series.cast(pl.String).str.slice(0, MOST)
