"""The pictures of an evaluation of codes: rows and what they become, and how usual rows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.components.charts.sheets import sheets
from kilnworks.schemas.json_values import as_dict, as_list, as_number


def pictures(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every picture that the content allows: (file name without ending, SVG)."""
    drawn = []
    both = as_dict(results.get("rows_and_back"))
    if both:
        rows = [("rows", as_dict(both.get("rows"))), ("from their codes", as_dict(both.get("back")))]
        drawn.append(("rows_and_back", sheets("Rows, and what they become", rows)))
    energies = as_dict(results.get("energies"))
    edges, counts = ([as_number(value) or 0.0 for value in as_list(energies.get(name))] for name in ("edges", "counts"))
    if counts and len(edges) == len(counts) + 1 and edges[0] < edges[-1]:
        plot = Plot("How usual rows are", (edges[0], edges[-1]), nice_domain([0.0, *counts]),
                    "free energy above the mean of training rows, in nats", "rows")  # fmt: skip
        plot.bars(edges, counts, 1)
        drawn.append(("free_energy", plot.render()))
    return [(name, picture) for name, picture in drawn if picture]
