"""How the rows of checked examples are cut anew. Imports nothing heavy."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kilnworks.components.sources.splitting.splits import Copies
from kilnworks.schemas.config import Config

By = Literal["plain", "stratified", "grouped", "time"]
"""What a fold follows: chance; chance within each class; chance, groups whole; the order of time."""


class Fold(Config):
    """One fold of a cross-validation over training and validation rows; the test rows are left out.

    By time, a fold trains on what lies before its validation rows, and later rows are left out, as scikit-learn's
    ``TimeSeriesSplit`` does; otherwise each row is a validation row of exactly one fold. Rows of one value of the
    contract's key, tiles of one photograph, rows that are alike where there is no key (see ``copies``), and rows of one
    moment stay together.
    """

    kind: Literal["fold"] = "fold"
    by: By = "plain"
    folds: int = Field(default=5, ge=2, le=1000)
    """How many there are."""
    fold: int = Field(default=0, ge=0)
    """The one that validates, from 0."""
    outer: int | None = Field(default=None, ge=2, le=1000)
    """Folds of an outer cross-validation, of which one becomes the test rows before the inner ones are cut."""
    outer_fold: int = Field(default=0, ge=0)
    """The outer fold that tests, from 0."""
    column: str | None = None
    """Column of the groups or of the time."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the shuffling; by time nothing is shuffled."""

    copies: Copies = "together"
    """As in the split: whether rows that are alike stay together, where they have no key and no group."""

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.fold >= self.folds or self.outer_fold >= (self.outer or 1):
            raise ValueError("fold and outer_fold count from 0 and lie below folds and outer")
        if (self.by in ("grouped", "time")) != (self.column is not None):
            raise ValueError("grouped and time need a column; plain and stratified take none")
        return self


class Share(Config):
    """A share of the training rows, drawn by the seed; a larger share holds a smaller one. Other splits stay.

    Of a series, whose windows need rows without a gap, it is the latest stretch of time, and nothing is drawn.
    """

    kind: Literal["share"] = "share"
    share: float = Field(gt=0, le=1)
    """Of the training rows."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the draw."""


AnyCut = Annotated[Fold | Share, Field(discriminator="kind")]
