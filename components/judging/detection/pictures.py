"""The pictures of an evaluation of boxes: precision and recall by class, and average precision by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilnworks.components.charts.bars import bars
from kilnworks.components.judging.pictures import pictures as usual
from kilnworks.schemas.json_values import as_dict, as_list, as_number

NAMED = 20
"""Classes with bars, at most: those with most boxes."""


def pictures(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every picture that the content allows: (file name without ending, SVG)."""
    drawn = usual(dict(results))
    classes = [as_dict(one) for one in as_list(results.get("by_class"))]
    known = [one for one in classes if as_number(one.get("map50")) is not None]
    known = sorted(known, key=lambda one: -(as_number(one.get("rows")) or 0))[:NAMED]
    if known:
        rows = [
            (str(one["class"]), [as_number(one.get("map50")), as_number(one.get("map"))])
            for one in classes
            if one in known
        ]
        drawn.append(("by_class", bars("Average precision by class", rows, ["overlap 0.5", "0.5 to 0.95"])))
    return drawn
