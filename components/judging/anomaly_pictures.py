"""The pictures of an evaluation of anomalies: scores with the threshold, precision and recall, errors by feature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kilnworks.components.charts.bars import bars
from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.components.judging.pictures import pictures as of_curves
from kilnworks.schemas.json_values import as_dict, as_list, as_number

FEATURES = 12
"""Features in the picture, at most: those with the largest errors."""


def pictures(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every picture that the content allows: (file name without ending, SVG)."""
    curves = as_dict(results.get("curves"))
    drawn = []
    if as_dict(curves.get("anomaly_scores")):
        drawn.append(("anomaly_scores", _scores(as_dict(curves["anomaly_scores"]), results)))
    kept = {name: curves[name] for name in ("precision_recall", "roc") if name in curves}
    drawn += of_curves({**results, "curves": kept})
    features = [as_dict(one) for one in as_list(results.get("errors_by_feature"))][:FEATURES]
    if features:
        drawn.append(("errors_by_feature", _features(features)))
    return drawn


def _scores(scores: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    edges, usual, odd = ([as_number(v) or 0.0 for v in as_list(scores.get(k))] for k in ("edges", "usual", "anomalies"))
    heights = [[math.log10(1 + v) for v in column] for column in (usual, odd)]
    top = nice_domain([*heights[0], *heights[1]], zero=True)
    plot = Plot("Scores", (edges[0], edges[-1]), top, "log10 of the score", "log10 of 1 + rows")
    labelled = as_number(results.get("prevalence")) is not None
    plot.bars(edges, heights[0], 1, "usual rows" if labelled else "rows", over=True)
    if labelled:
        plot.bars(edges, heights[1], 2, "anomalies", over=True)
    if edges[0] <= 0 <= edges[-1]:
        plot.mark_x(0, "threshold 1")
    return plot.render()


def _features(features: list[dict[str, Any]]) -> str:
    rows = [
        (str(one.get("feature")), [as_number(one.get("others")), as_number(one.get("anomalies"))]) for one in features
    ]
    return bars("Errors by feature", rows, ("other rows", "called anomalies"))
