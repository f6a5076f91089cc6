"""Of two classes the one that is looked for: the last of the contract, whose probability is the score."""

from __future__ import annotations

import polars as pl

from kilnworks.components.starting.recipe import Decision
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.words import named

RARER = 0.4
"""A class with less than this share of the rows is the one that is looked for; of two about as frequent ones it is the
later in the order of the contract: ``yes``, ``1``, ``true``."""


def with_positive(contract: Contract, frame: pl.DataFrame, wanted: str | None) -> tuple[Contract, list[Decision]]:
    """The contract with the class that is looked for last, and what is to be said of it.

    Args:
        contract: with the label.
        frame: all rows, in the types of the file.
        wanted: the class as a person names it; the rarer one where left out.

    Raises:
        ConfigError: a class is named, and the label has not two.
        UnknownName: no such class.
    """
    label = contract.label
    classes = (label.classes or ()) if label else ()
    if label is None or len(classes) != 2 or label.several:
        if wanted is not None:
            got = f"--positive {wanted}, and a label with {len(classes)} classes"
            raise ConfigError(got, "a label with two classes", "leave --positive out")
        return contract, []
    texts = [str(value) for value in classes]
    rows = frame[label.name].cast(pl.String).str.strip_chars().str.to_lowercase()
    counts = [int((rows == text.lower()).sum()) for text in texts]
    if label.dtype in ("int", "float"):
        numbers = rows.cast(pl.Float64, strict=False)
        counts = [int((numbers == float(text)).sum()) for text in texts]
    place = _named(wanted, texts) if wanted is not None else _rarer(counts)
    chosen, share = classes[place], counts[place] / max(1, sum(counts))
    changed = label.model_copy(update={"classes": (classes[1 - place], chosen)})
    why = "as asked" if wanted is not None else "the rarer class" if share < RARER else "the later of two"
    about = f"{why}, {share:.1%} of the rows; metrics are about it; --positive names another"
    decision = Decision("positive", f"{named(str(chosen))} of {named(label.name)}", about, flagged=place == 0)
    return (contract if place == 1 else contract.model_copy(update={"label": changed})), [decision]


def _named(wanted: str, texts: list[str]) -> int:
    for place, text in enumerate(texts):
        if wanted.strip().lower() == text.lower():
            return place
    raise UnknownName("class", wanted, texts)


def _rarer(counts: list[int]) -> int:
    """0 or 1: the rarer class where it is clearly the rarer one."""
    return 0 if counts[0] < RARER * sum(counts) else 1
