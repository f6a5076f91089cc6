"""How the dates of a column are written: a setting of the contract and of sources."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from kilnworks.schemas.config import Config

ISO = "iso"
POSIX_FIRST_YEAR = 1969
"""Two-digit years stand for 1969 to 2068 where nothing else is said, as in POSIX ``strptime``."""
WIRE_UNIT = "seconds since 1970-01-01 UTC"
"""The unit of a datetime that is sent to a served model, as a whole number."""
EpochUnit = Literal["epoch s", "epoch ms", "epoch us", "epoch ns"]
EPOCHS: tuple[EpochUnit, ...] = get_args(EpochUnit)
"""Whole numbers since 1970-01-01 UTC in seconds, milliseconds, microseconds or nanoseconds."""
SHORT = {"%T": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d", "%D": "%m/%d/%y", "%e": "%d", "%k": "%H", "%l": "%I"}
DIRECTIVES = "YymdBbAajGVuHIMSfpz"
"""What may stand behind a ``%``, as ``strptime`` of Python and Polars read it; ``%.f`` is a fraction with its point."""
_DIRECTIVE = re.compile(r"%([-_0]?[A-Za-z]|\.\d?f|#z|:z|%)")


class DateFormat(Config):
    """How the texts (or whole numbers) of one column of dates are written."""

    format: str = ISO
    """``iso`` (2024-01-31, 2024-01-31T05:00:00Z, ...), a strptime format such as ``%d.%m.%Y %H:%M`` or
    ``%m/%d/%y %I:%M %p``, or ``epoch s``, ``epoch ms``, ``epoch us``, ``epoch ns`` for whole numbers since 1970 UTC."""
    first_year: int | None = Field(default=None, ge=0, le=9900)
    """The first of the hundred years that ``%y`` stands for; 1969 by default, so that 68 is 2068 and 69 is 1969."""

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        return value if value in (ISO, *EPOCHS) else plain_format(value)

    @model_validator(mode="after")
    def _years_go_together(self) -> DateFormat:
        if self.first_year is not None and "%y" not in self.format:
            raise ValueError("first_year is for two-digit years, %y")
        return self

    @property
    def two_digit_years(self) -> bool:
        """Whether the century is not written."""
        return "%y" in self.format

    @property
    def century(self) -> int:
        """The first of the hundred years that ``%y`` stands for."""
        return POSIX_FIRST_YEAR if self.first_year is None else self.first_year


def as_date_format(value: Any) -> Any:
    """A bare text as the format that it names; for fields that take either."""
    return {"format": value} if isinstance(value, str) else value


def plain_format(text: str) -> str:
    """A strptime format in the directives of ``DIRECTIVES``.

    Raises:
        ValueError: it has another directive, or names no day.
    """
    for short, full in SHORT.items():
        text = text.replace(short, full)
    found = []
    for match in _DIRECTIVE.finditer(text):
        letter = match.group(1)[-1]
        if letter != "%" and letter not in DIRECTIVES:
            raise ValueError(f"format {text!r}: {match.group()} is not known; known are %{', %'.join(DIRECTIVES)}, %.f")
        found.append(letter)
    text = re.sub(r"%[-_0]([A-Za-z])", r"%\1", text)
    text = re.sub(r"%\.\d?f", "%.f", text).replace("%#z", "%z").replace("%:z", "%z")
    has = set(found)
    whole = (has & set("Yy") and (has & set("mbBj"))) or {"G", "V"} <= has
    if not whole:
        raise ValueError(f"format {text!r} names no year and month: wanted e.g. %Y-%m-%d, %d.%m.%Y or {EPOCHS[0]}")
    if "I" in has and "p" not in has:
        raise ValueError(f"format {text!r}: %I (1 to 12) needs %p (am or pm), or write %H (0 to 23)")
    return text
