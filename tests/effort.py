"""How many examples a property test tries, and which cases of many: few that tell in `make test`, all every night."""

import os
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
NIGHTLY = "KILNWORKS_NIGHTLY" in os.environ
"""`make nightly` sets it."""


def tries(few: int, night: int = 10) -> int:
    """So many examples; ``night`` times as many in `make nightly`."""
    return few * night if NIGHTLY else few


def some(every: Iterable[T], few: Sequence[T]) -> list[T]:
    """These few, which differ in kind; in `make nightly` every one, in their order."""
    found = list(every)
    assert set(few) <= set(found), (few, found)
    return found if NIGHTLY else [one for one in found if one in few]
