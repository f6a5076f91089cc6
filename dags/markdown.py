"""Docstrings and notes as the Markdown that Airflow's pages show; here for every DAG, task, field and run."""

import inspect
import re

from kilnworks.schemas.markdown import escaped
from kilnworks.schemas.masking import masked

LONGEST_NOTE = 1000
"""Characters of a note that Airflow's database has room for; PostgreSQL refuses a longer one, in the scheduler."""
CODE = re.compile(r"``(?P<two>.+?)``|`(?P<one>[^`]+)`", re.DOTALL)
SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Attributes|Example|Examples):$")


def plain(text: str) -> str:
    """One line of text without markup: a form sets code in boxes that cover the lines beside them.

    >>> plain("``loss`` or `val_loss`, *.csv")
    'loss or val_loss, *.csv'
    """
    return CODE.sub(lambda found: found["two"] or found["one"], text)


def note(text: str) -> str:
    r"""A text as the note of a run: without secrets and elements, cut, of characters that every database takes.

    >>> note("<b> \0"), len(note("x" * 5000))
    ('\\<b> ', 1000)
    """
    made = escaped(masked(text.replace("\0", "")).encode("utf-8", "replace").decode())
    return made if len(made) <= LONGEST_NOTE else f"{made[: LONGEST_NOTE - 3]}..."


def document(text: str) -> str:
    r"""A docstring: drawings behind ``::`` become code, and arguments a list.

    >>> print(document("Runs.\n\n::\n\n    a -> b\n\nThen ``x``."))
    Runs.
    <BLANKLINE>
    ```
    a -> b
    ```
    <BLANKLINE>
    Then `x`.
    >>> print(document("Runs.\n\nArgs:\n    rows: how many;\n        at most 3.\n    name: of it."))
    Runs.
    <BLANKLINE>
    **Args**
    <BLANKLINE>
    * `rows`: how many; at most 3.
    * `name`: of it.
    """
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(text))
    made: list[str] = []
    drawing = False
    for block in blocks:
        head, _, rest = block.partition("\n")
        if drawing and block.startswith("    "):
            made.append(_drawing(block, made))
            continue
        drawing = block.rstrip().endswith("::")
        if SECTION.match(head.strip()):
            made.append(f"**{head.strip()[:-1]}**\n\n{_items(rest)}")
        elif block.strip() != "::":
            made.append(_coded(block[:-1] if drawing else block))
    return "\n\n".join(made)


def _drawing(block: str, made: list[str]) -> str:
    """A block of code; one that goes on behind an empty line is the same."""
    code = inspect.cleandoc("\n" + block)
    if made and made[-1].startswith("```"):
        code = f"{made.pop()[4:-4]}\n\n{code}"
    return f"```\n{code}\n```"


def _items(text: str) -> str:
    """``name: meaning`` a line, with what follows it indented."""
    lines: list[str] = []
    for line in inspect.cleandoc("\n" + text).splitlines():
        name, colon, meaning = line.partition(": ")
        if line.startswith(" ") and lines:
            lines[-1] += f" {_coded(line.strip())}"
        elif colon:
            lines.append(f"* `{name.strip('`')}`: {_coded(meaning)}")
        else:
            lines.append(_coded(line))
    return "\n".join(lines)


def _coded(text: str) -> str:
    return re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)
