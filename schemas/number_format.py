"""How the numbers of a column are written in text, where not plainly as ``-1234.5`` or ``1.5e3``.

A text that is not written so is no number: it is never read as another one.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Literal, Self

from pydantic import field_validator, model_validator

from kilnworks.schemas.config import Config

if TYPE_CHECKING:
    import polars as pl

MINUS = "\\-\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"
"""Hyphens, the figure and en dash, the minus sign (U+2212): each means minus before a number. For a character class."""
BLANKS = " \u00a0\u2007\u2009\u202f"
"""Blanks that stand between thousands: common, non-breaking, as wide as a figure, thin, and narrow non-breaking."""
APOSTROPHES = "'\u2019\u02bc"
_SAME = {" ": BLANKS, "'": APOSTROPHES}

Mark = Literal["", ",", ".", " ", "'", "_"]


class NumberFormat(Config):
    """How the numbers of a column are written: ``NumberFormat(thousands=",", unit="$")`` reads ``$1,234.50``."""

    decimal: Literal[".", ","] = "."
    """The sign before the fraction."""
    thousands: Mark = ""
    """The sign between groups of three digits; it may be left out as a whole (``1234``). A blank stands for
    non-breaking and thin blanks too, an apostrophe for ``\u2019``."""
    lakhs: bool = False
    """Whether groups before the last one have two digits, as in India: ``12,34,567``."""
    unit: str = ""
    """The text that stands before or after every number, such as ``$``, ``%`` or ``kg``; a number without it is
    refused. It changes no value: ``12 %`` is 12."""
    negative: Literal["-", "()", "5-"] = "-"
    """How negative numbers are written besides a minus sign before them: in brackets, or with a sign behind them."""

    @field_validator("unit")
    @classmethod
    def _stripped(cls, value: str) -> str:
        if value != value.strip() or re.fullmatch(r"[\d.,+-]+", value):
            raise ValueError("a unit is a text such as $, % or kg, without blanks around it")
        return value

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal are both {self.decimal!r}; they are two different signs")
        if self.lakhs and not self.thousands:
            raise ValueError("lakhs needs a sign between the groups: thousands=','")
        return self

    def plain(self, texts: pl.Series) -> pl.Series:
        """The texts as ``-1234.5`` [n], null where a text is not written in this format."""
        import polars as pl

        stripped = ascii_digits(texts.str.strip_chars())
        done = pl.Series(texts.name, [None], dtype=pl.String).new_from_index(0, len(texts))
        for pattern, negative in self._patterns():
            if done.null_count() == texts.null_count():
                break
            sign, digits = stripped.str.extract(pattern, 1), stripped.str.extract(pattern, 2)
            minus = "-" if negative else sign.str.replace(f"[{MINUS}]", "-").str.replace("+", "", literal=True)
            done = done.zip_with(done.is_not_null(), (minus + self._without_marks(digits)).alias(texts.name))
        return done

    def __str__(self) -> str:
        """An example: ``$1,234.5``."""
        groups = {"": "1234", **{mark: f"1{mark}234" for mark in ",. '_"}}[self.thousands]
        number = f"{'12' + self.thousands + '34' + self.thousands + '567' if self.lakhs else groups}{self.decimal}5"
        joined = self.unit + number if is_sign(self.unit) else f"{number} {self.unit}".rstrip()
        return {"-": joined, "()": f"{joined}, ({joined})", "5-": f"{joined}, {joined}-"}[self.negative]

    def _patterns(self) -> list[tuple[str, bool]]:
        """Ways of writing: a pattern with the groups sign and digits, and whether it says minus by itself."""
        number, sign, unit = f"({self._digits()})", f"([+{MINUS}]?)", re.escape(self.unit)
        bare = [number] if not unit else [rf"{unit}\s*{number}", rf"{number}\s*{unit}"]
        found = [(rf"{sign}\s*{body}", False) for body in bare]
        if unit:
            found.append((rf"{unit}\s*([+{MINUS}])\s*{number}", False))
        if self.negative == "()":
            inside = [rf"\(\s*{body}\s*\)" for body in bare]
            inside += [rf"{unit}\s*\(\s*{number}\s*\)", rf"\(\s*{number}\s*\)\s*{unit}"] if unit else []
            found += [(f"(){body}", True) for body in inside]
        if self.negative == "5-":
            behind = [rf"{body}\s*[{MINUS}]" for body in bare]
            behind += [rf"{number}\s*[{MINUS}]\s*{unit}"] if unit else []
            found += [(f"(){body}", True) for body in behind]
        return [(f"^{pattern}$", negative) for pattern, negative in found]

    def _digits(self) -> str:
        """A pattern for a number without its sign; one with marks between groups has no exponent."""
        mark, point = self._mark, re.escape(self.decimal)
        plain = rf"(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+{MINUS}]?[0-9]+)?"
        if not self.thousands:
            return plain
        groups = rf"[1-9][0-9]?(?:{mark}[0-9]{{2}})*" if self.lakhs else rf"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})*"
        return rf"(?:{plain}|{groups}{mark}[0-9]{{3}}(?:{point}[0-9]*)?)"

    @property
    def _mark(self) -> str:
        """A pattern for the sign between groups."""
        return f"[{re.escape(_SAME.get(self.thousands, self.thousands))}]"

    def _without_marks(self, digits: pl.Series) -> pl.Series:
        """Digits with a decimal point and nothing between groups."""
        if self.thousands:
            digits = digits.str.replace_all(self._mark, "")
        if self.decimal == ",":
            digits = digits.str.replace(",", ".", literal=True)
        return digits.str.replace(f"[{MINUS}]", "-")


def ascii_digits(texts: pl.Series) -> pl.Series:
    """The texts with digits of other scripts as 0 to 9: full-width, Arabic, Devanagari, ..."""
    if not texts.str.contains(r"[\p{Nd}--0-9]").any():
        return texts
    return texts.str.replace_many(_other_digits())


@cache
def _other_digits() -> dict[str, str]:
    import unicodedata

    signs = filter(str.isdecimal, map(chr, range(0x80, sys.maxunicode + 1)))
    return {sign: str(unicodedata.decimal(sign)) for sign in signs}


def is_sign(unit: str) -> bool:
    """Whether a unit is a sign of a currency, which stands before the number more often than behind it."""
    import unicodedata

    return unit != "" and unicodedata.category(unit[-1]) == "Sc"
