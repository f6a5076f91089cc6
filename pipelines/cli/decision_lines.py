"""Decisions about data as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kilnworks.schemas.words import printable

if TYPE_CHECKING:
    from kilnworks.components.starting.recipe import Decision


def decision_lines(decisions: Sequence[Decision]) -> Iterator[tuple[str, bool]]:
    """One line for each, and whether it wants a look; such lines begin with ``!``."""
    width = max((len(d.what) for d in decisions), default=0)
    for d in decisions:
        reason = f"  ({d.why})" if d.why else ""
        line = f"{'!' if d.flagged else ' '} {d.what:<{width}}  {d.choice}{reason}"
        yield printable(line).replace("\n", "\\n"), d.flagged
