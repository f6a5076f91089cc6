"""A first model for a table with texts to be read: n-grams of words and characters, as ``modeling/bag.py`` has them."""

from __future__ import annotations

from typing import Any

import polars as pl

from kilnworks.components.features.settings import FeatureSettings
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.learning.settings import EarlyStopping, FitSettings
from kilnworks.components.modeling.bag import Bag
from kilnworks.components.quality.profile.free_text import why_read
from kilnworks.components.starting.recipe import Decision
from kilnworks.components.starting.sizes import SMALL
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.words import named

WORK = 2e7, 1e8
"""Characters of all rows up to which n-grams of 2 to 5, and of 3 to 4, characters are worth their time."""


def text_columns(contract: Contract) -> list[str]:
    """Features that are texts to be read."""
    return [name for name, feature in contract.features.items() if feature.text]


def text_decisions(contract: Contract, frame: pl.DataFrame) -> list[Decision]:
    """Which columns are read word by word, and why."""
    return [
        Decision("text", f"{named(name)}: read word by word", why_read(frame[name].cast(pl.String)))
        for name in text_columns(contract)
    ]


def characters_of(contract: Contract, frame: pl.DataFrame) -> int:
    """Characters of all texts that are read."""
    return sum(int(frame[name].str.len_chars().sum() or 0) for name in text_columns(contract))


def text_settings(contract: Contract, frame: pl.DataFrame) -> dict[str, FeatureSettings]:
    """How each text is encoded: shorter n-grams of characters where there is more to read."""
    names, read = text_columns(contract), characters_of(contract, frame)
    characters = (2, 5) if read <= WORK[0] else (3, 4) if read <= WORK[1] else None
    return {name: FeatureSettings(encode="ngrams", character_ngrams=characters) for name in names}


def bag(rows: int, monitor: str) -> tuple[Bag, dict[str, Any]]:
    """Architecture, and settings of the training by field name.

    Args:
        rows: of the training split, about.
        monitor: the number that says which epoch is the best.
    """
    return Bag(), {
        "epochs": 15,
        "batch": 64 if rows < 5_000 else 128 if rows < 50_000 else 256,
        "optimizer": Adam(learning_rate=0.02),
        "early_stopping": EarlyStopping(patience=2),
        **({"refit": 1} if rows < SMALL else {}),
        **({"monitor": monitor} if monitor != FitSettings.model_fields["monitor"].default else {}),
    }


def bag_words(contract: Contract, training: dict[str, Any]) -> tuple[str, str]:
    """The architecture and what it is, for the decision."""
    beside = len(contract.features) - len(text_columns(contract))
    others = f", {beside} other features beside" if beside else ""
    again = "; then one network on all rows, which answers" if "refit" in training else ""
    return "bag", (
        "linear members over TF-IDF of words and characters, with and without naive Bayes weights"
        f"{others}; batches of {training['batch']}, stops early{again}"
    )
