"""Whether the layers of a training were healthy: what was warned of, and gradients and updates by layer."""

import math
from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain, seconds_text
from kilnworks.schemas.json_values import as_dict, as_list, as_number

MOST = 8
"""Layers that are drawn, the first and the last ones."""


def health(told: dict[str, Any]) -> dict[str, Any] | None:
    """Findings and pictures of ``health.json``; None where nothing was looked at."""
    looks = [as_dict(look) for look in as_list(told.get("looks"))]
    if not looks:
        return None
    seconds, share = as_number(told.get("seconds")) or 0.0, as_number(told.get("share")) or 0.0
    epochs = f"{len(looks)} epoch{'s' if len(looks) > 1 else ''}"
    note = f"Seen on one batch after {epochs}, in {seconds_text(seconds)} ({share:.1%} of the training)."
    pictures = [_picture(looks, "gradient", "Gradients by layer"), _picture(looks, "step", "Size of a step by layer")]
    return {
        "findings": [as_dict(one) for one in as_list(told.get("findings"))],
        "note": note,
        "charts": [picture for picture in pictures if picture],
    }


def _picture(looks: list[dict[str, Any]], what: str, title: str) -> str:
    """A line for each layer, on a scale of powers of ten; empty where no layer has a number."""
    names = list(as_dict(looks[0].get("layers")))
    names = names if len(names) <= MOST else [*names[: MOST // 2], *names[-MOST // 2 :]]
    lines = {name: _points(looks, name, what) for name in names}
    values = [value for points in lines.values() for _, value in points]
    if not values:
        return ""
    epochs = [as_number(look.get("epoch")) or 0.0 for look in looks]
    label = "powers of ten" if what == "gradient" else "powers of ten of the weights"
    plot = Plot(title, (epochs[0], max(epochs[-1], epochs[0] + 1)), nice_domain(values), "epoch", label, integer_x=True)
    for place, (name, points) in enumerate(lines.items(), 1):
        if points:
            plot.line(points, place, name)
    return plot.render()


def _points(looks: list[dict[str, Any]], name: str, what: str) -> list[tuple[float, float]]:
    found = []
    for look in looks:
        layer = as_dict(as_dict(look.get("layers")).get(name))
        value = as_number(layer.get("gradient" if what == "gradient" else "moved"))
        steps = as_number(look.get("steps")) or 1.0
        value = value / math.sqrt(steps) if value is not None and what == "step" else value
        if value:
            found.append((as_number(look.get("epoch")) or 0.0, math.log10(value)))
    return found
