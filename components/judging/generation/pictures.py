"""The pictures of an evaluation of generated images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilnworks.components.charts.sheets import sheets
from kilnworks.schemas.json_values import as_dict, as_list


def pictures(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every picture that the content allows: (file name without ending, SVG)."""
    groups = [as_dict(one) for one in as_list(results.get("generated"))]
    rows = [(str(one.get("class") or ""), as_dict(one.get("strip"))) for one in groups]
    near = as_dict(results.get("nearest"))
    pairs = [("generated", as_dict(near.get("generated"))), ("training", as_dict(near.get("training")))]
    drawn = [
        ("generated", sheets("Generated images", rows, 36.0 if len(rows) > 1 else 200.0)),
        ("nearest", sheets("Nearest to training images", pairs, 40.0)),
    ]
    return [(name, picture) for name, picture in drawn if picture]
