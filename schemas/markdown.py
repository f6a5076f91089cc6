"""Texts of runs and people inside Markdown, such as notes and questions in Airflow: they stay texts."""

import re

_FIRST = re.compile(r"^([\s>*+\-0-9.)]*)\[", re.MULTILINE)
"""A bracket with which a line begins, as a definition of a link does."""


def escaped(text: str) -> str:
    r"""A text that makes no element, link or picture where Markdown is read; lists of Python stay readable.

    >>> escaped("[x](https://a.example) <b> age [train]")
    '\\[x]\\(https://a.example) \\<b> age [train]'
    """
    quoted = text.replace("\\", "\\\\").replace("<", "\\<").replace("](", "]\\(")
    return _FIRST.sub(r"\1\\[", quoted)


def cell(text: str) -> str:
    """The same in a cell of a table: of one line, without its border."""
    return " ".join(escaped(text).split()).replace("|", "\\|")


def code(text: str) -> str:
    """A text in backticks, of which it holds none itself."""
    return f"`{' '.join(text.replace('`', chr(0x27)).split())}`"
