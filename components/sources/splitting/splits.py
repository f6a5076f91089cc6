"""Which row goes into which split: by a hash, by time, or as the data already says."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from kilnworks.schemas.config import Config

SPLITS = ("train", "val", "test")

NAMES: dict[str, Literal["train", "val", "test"]] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
}
"""Common names of splits and what they are called here."""


class Shares(Config):
    """Shares of the rows; they add up to 1."""

    train: float = Field(default=0.8, gt=0, le=1)
    """Share to learn from."""
    val: float = Field(default=0.1, ge=0, lt=1)
    """Share to choose by (early stopping, tuning)."""
    test: float = Field(default=0.1, ge=0, lt=1)
    """Share to judge by, looked at once."""

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + val + test is {total:g}, wanted 1")
        return self

    @property
    def words(self) -> str:
        """``80% train, 10% val, 10% test``."""
        return f"{self.train:.0%} train, {self.val:.0%} val, {self.test:.0%} test"


Copies = Literal["together", "apart"]
"""Rows that are alike in every column: in one split, so that a row that was loaded twice never judges itself, or each a
row of its own, for tables that hold few different rows and these many times."""


class ByHash(Config):
    """A row's split follows from its key alone: other rows, their order and later additions do not move it."""

    kind: Literal["hash"] = "hash"
    key: str | None = None
    """Column to hash; rows that share a value stay together. Also one that the source has and the contract leaves out,
    such as the ``photo`` of tiles. Default: the contract's key, else the whole row."""
    shares: Shares = Shares()
    """Expected share of each split."""
    salt: int = Field(default=0, ge=0)
    """Another number gives another, independent split."""
    copies: Copies = "together"
    """Where there is no key: whether rows that are alike stay together."""

    @model_validator(mode="after")
    def _no_key_beside(self) -> Self:
        _refuse_key(self.copies, self.key)
        return self


class ByTime(Config):
    """The past trains, the latest rows test. Rows of one moment stay together."""

    kind: Literal["time"] = "time"
    column: str | None = None
    """Column to order by. Default: the contract's time column."""
    shares: Shares = Shares()
    """Share of each split in the order of time, of the rows that have a label; used where no cut-off is given."""
    val_from: datetime | float | None = None
    """First moment of ``val`` (UTC, or a number where the column is numeric); goes with ``test_from``."""
    test_from: datetime | float | None = None
    """First moment of ``test``."""

    @field_validator("val_from", "test_from")
    @classmethod
    def _in_utc(cls, value: datetime | float | None) -> datetime | float | None:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC).replace(tzinfo=None)
        return value

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.val_from is None) != (self.test_from is None):
            raise ValueError("give val_from and test_from together, or neither")
        if isinstance(self.val_from, datetime) != isinstance(self.test_from, datetime):
            raise ValueError("val_from and test_from are of one kind: both times, or both numbers")
        if self.val_from is not None and self.val_from > self.test_from:  # type: ignore[operator]
            raise ValueError("val_from is after test_from")
        return self


class AsGiven(Config):
    """The data says it: a column, or a source that comes in parts. What is lacking is cut off ``train`` by hash."""

    kind: Literal["given"] = "given"
    column: str | None = None
    """Column that names the split of a row; left out for sources that have splits themselves."""
    names: dict[str, Literal["train", "val", "test"]] = Field(default_factory=lambda: dict(NAMES))
    """Split by the text in ``column`` (lower case)."""
    val: float = Field(default=0.1, ge=0, lt=0.5)
    """Share of ``train`` that becomes ``val`` where the data has none; 0 leaves it out."""
    test: float = Field(default=0.1, ge=0, lt=0.5)
    """Share of ``train`` that becomes ``test`` where the data has none; 0 leaves it out."""
    key: str | None = None
    """Column to hash when cutting. Default: the contract's key, else the whole row."""
    salt: int = Field(default=0, ge=0)
    """Another number gives another, independent cut."""
    copies: Copies = "together"
    """Where there is no key: whether rows that are alike stay together when cutting."""

    @model_validator(mode="after")
    def _no_key_beside(self) -> Self:
        _refuse_key(self.copies, self.key)
        return self


def _refuse_key(copies: Copies, key: str | None) -> None:
    if copies == "apart" and key is not None:
        raise ValueError(f"copies go apart and rows of one {key!r} together: leave key out, or copies")


AnySplit = Annotated[ByHash | ByTime | AsGiven, Field(discriminator="kind")]
