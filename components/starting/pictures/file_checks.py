"""What files of images usually hold, as checks that warn of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from kilnworks.components.sources.images import FileFacts

SAME = 0.95
"""Share of the files from which on their common height or width is the only usual one."""
TAIL, FACTOR = 0.05, 3
"""Else sizes are usual from a third of this quantile to three times the opposite one."""
USUAL = 0.02
"""Least share of the files that have channels, or samples, that count as usual."""


def file_checks(image: str, facts: Sequence[FileFacts], channels: int) -> Iterator[dict[str, Any]]:
    """Checks of a contract on files of images; those that say the same as the rules of every contract are left out.

    Args:
        image: name of the feature.
        facts: of some files.
        channels: that the model takes.
    """
    for part in ("height", "width"):
        low, high = usual_range([getattr(one, part) for one in facts])
        kwargs = {"column": f"{image}__{part}", "min_value": low, "max_value": high}
        yield _warning("expect_column_values_to_be_between", kwargs, f"Usual {part} of the files, in pixels.")
    for part, known in (("channels", [channels]), ("dtype", ["uint8"])):
        usual = _usual([getattr(one, part) for one in facts])
        if usual != known:
            kwargs = {"column": f"{image}__{part}", "value_set": usual}
            yield _warning("expect_column_values_to_be_in_set", kwargs, f"Usual {part} of the files.")


def usual_range(sides: Sequence[int]) -> tuple[int, int]:
    """Smallest and largest side, in pixels, that does not surprise."""
    values, counts = np.unique(sides, return_counts=True)
    if counts.max() >= SAME * len(sides):
        common = int(values[counts.argmax()])
        return common, common
    low, high = np.quantile(sides, [TAIL, 1 - TAIL])
    return max(1, int(low / FACTOR)), int(np.ceil(high * FACTOR))


def _usual(seen: Sequence[Any]) -> list[Any]:
    return sorted(value for value in set(seen) if seen.count(value) >= USUAL * len(seen))


def _warning(expectation: str, kwargs: dict[str, Any], description: str) -> dict[str, Any]:
    return {"expectation": expectation, "kwargs": kwargs, "severity": "warning", "description": description}
