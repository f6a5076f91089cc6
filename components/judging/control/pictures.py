"""The pictures of a policy: what its episodes earn, a strip of the first one, and what was observed in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kilnworks.components.charts import svg
from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.schemas.json_values import as_dict, as_list, as_number

BINS = 24
WIDTH, SIDE, TOP, GAP = 440.0, 98.0, 36.0, 10.0
ACROSS = 4
"""Frames in a line of the strip."""
COLOURS = 8


def pictures(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every picture that the content allows: (file name without ending, SVG)."""
    played = as_dict(results.get("play"))
    if not played:
        return []
    drawn = [("returns", _returns(played, as_number(as_dict(results.get("optimum")).get("mean_return"))))]
    strip = _strip(played)
    if strip:
        drawn.append(("episode", strip))
    if as_dict(played.get("observed")) and (as_number(played.get("length")) or 0) > 1:
        drawn.append(("observed", _observed(played)))
    return drawn


def _numbers(values: Any) -> list[float]:
    return [as_number(value) or 0.0 for value in as_list(values)]


def _returns(played: Mapping[str, Any], optimum: float | None) -> str:
    """How many episodes earn how much, greedy and random."""
    ours, chance = _numbers(played.get("returns")), _numbers(played.get("random"))
    low, high = nice_domain([*ours, *chance, *([optimum] if optimum is not None else [])])
    edges = [low + (high - low) * i / BINS for i in range(BINS + 1)]
    counts = [_counted(values, edges) for values in (chance, ours)]
    plot = Plot("Returns of episodes", (low, high), nice_domain([0.0, *map(float, counts[0] + counts[1])]),
                "return", "episodes")  # fmt: skip
    plot.bars(edges, counts[0], 2, "random actions", over=True)
    plot.bars(edges, counts[1], 1, "policy", over=True)
    if optimum is not None:
        plot.mark_x(optimum, f"optimum {optimum:.4g}")
    return plot.render()


def _counted(values: list[float], edges: list[float]) -> list[float]:
    wide = (edges[-1] - edges[0]) / BINS or 1.0
    counts = [0.0] * BINS
    for value in values:
        counts[min(BINS - 1, max(0, math.floor((value - edges[0]) / wide)))] += 1
    return counts


def _observed(played: Mapping[str, Any]) -> str:
    """Every part of the observation over the first episode, or over its first steps."""
    parts = {name: _numbers(values) for name, values in as_dict(played.get("observed")).items()}
    step, length = as_number(played.get("step")) or 1.0, as_number(played.get("length")) or 1.0
    every = [value for values in parts.values() for value in values]
    shown = min(length, step * max(map(len, parts.values())))
    title = "Observed in the first episode" + (f", {shown:.0f} of {length:.0f} steps" if shown < length else "")
    plot = Plot(title, (0.0, shown), nice_domain(every), "step", integer_x=True)
    for number, (name, values) in enumerate(parts.items()):
        plot.line([(i * step, value) for i, value in enumerate(values)], number % COLOURS + 1, name)
    return plot.render()


def _strip(played: Mapping[str, Any]) -> str:
    """Frames of the first episode, or, of a cart with a pole, what its state looks like; empty for others."""
    moments = [int(m) for m in _numbers(played.get("moments"))]
    actions = [int(a) for a in _numbers(played.get("actions"))]
    frames = [str(frame) for frame in as_list(played.get("frames"))]
    states = list(zip(*(_numbers(v) for v in as_dict(played.get("states")).values()), strict=False))
    poles = str(played.get("environment")).startswith("CartPole-") and states and len(states[0]) == 4
    if not frames and not poles:
        return ""
    drawn = [svg.text(14, 18, "First episode, from its start to its end", "title")]
    for number, moment in enumerate(moments):
        x, y = 14 + number % ACROSS * (SIDE + GAP), TOP + number // ACROSS * (SIDE + 24)
        if frames:
            href = f"data:image/png;base64,{frames[number]}"
            drawn.append(svg.element("image", x=x, y=y, width=SIDE, height=SIDE, href=href))
        else:
            drawn += _cart(x, y, states[number])
        drawn.append(svg.text(x, y + SIDE + 12, f"step {moment}, action {actions[number]}", "small"))
    lines = -(-len(moments) // ACROSS)
    return svg.image("".join(drawn), WIDTH, TOP + lines * (SIDE + 24) + 6, "Frames of the first episode")


def _cart(x: float, y: float, state: tuple[float, ...]) -> list[str]:
    """A cart on a track from -2.4 to 2.4 with a pole at its angle, in radians from upright."""
    middle, floor = x + SIDE / 2 + state[0] / 2.4 * (SIDE / 2 - 12), y + SIDE - 18
    tip = (middle + 62 * math.sin(state[2]), floor - 8 - 62 * math.cos(state[2]))
    return [
        svg.element("rect", x=x, y=y, width=SIDE, height=SIDE, class_="empty"),
        svg.element("line", x1=x, x2=x + SIDE, y1=floor + 6, y2=floor + 6, class_="axis"),
        svg.element("rect", x=middle - 12, y=floor - 8, width=24, height=12, rx=2, class_="bar s1"),
        svg.element("path", d=svg.path([(middle, floor - 8), tip]), class_="line s2"),
    ]
