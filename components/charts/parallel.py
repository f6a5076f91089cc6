"""Parallel coordinates: an upright axis for each setting, a line for each trial, the best one in front."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kilnworks.components.charts import svg
from kilnworks.components.charts.scale import Scale, label

WIDTH, HEIGHT = 900.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 70.0, 64.0, 24.0
MOST_TICKS = 5


@dataclass(frozen=True)
class Axis:
    """One upright axis.

    Attributes:
        name: of what stands on it.
        values: that may stand there, in order from below, where they are listed; None for numbers.
        log: whether equal factors are equally far apart.
    """

    name: str
    values: tuple[Any, ...] | None = None
    log: bool = False


def parallel(
    title: str, axes: Sequence[Axis], rows: Sequence[Mapping[str, Any]], best: int, notes: Sequence[str]
) -> str:
    """A line a row through its values; one without a value on an axis is interrupted there.

    Args:
        title: what is shown, in a few words.
        axes: at least two, from the left.
        rows: name of an axis -> value.
        best: the row that is drawn in front, strongly.
        notes: a tooltip for each row.
    """
    across = Scale(0, len(axes) - 1, LEFT, WIDTH - RIGHT)
    upright = [_scale(axis, [row[axis.name] for row in rows if axis.name in row]) for axis in axes]
    drawn = [svg.text(14, 18, title, "title")]
    for place, (axis, scale) in enumerate(zip(axes, upright, strict=True)):
        drawn += _axis(axis, scale, across(place))
    for number in sorted(range(len(rows)), key=lambda number: number == best):
        class_ = "line s1" if number == best else "line s2 thin"
        for stretch in _stretches(axes, rows[number]):
            points = [(across(place), _place(axes[place], upright[place], rows[number])) for place in stretch]
            drawn.append(svg.titled(svg.element("path", d=svg.path(points), class_=class_), notes[number]))
    return svg.image("".join(drawn), WIDTH, HEIGHT, f"{title}: {', '.join(axis.name for axis in axes)}")


def _stretches(axes: Sequence[Axis], row: Mapping[str, Any]) -> list[list[int]]:
    """Neighbouring axes on which the row has values, at least two together."""
    found: list[list[int]] = [[]]
    for place, axis in enumerate(axes):
        if axis.name in row:
            found[-1].append(place)
        elif found[-1]:
            found.append([])
    return [stretch for stretch in found if len(stretch) > 1]


def _scale(axis: Axis, values: Sequence[Any]) -> Scale:
    if axis.values is not None:
        return Scale(0, max(1, len(axis.values) - 1), HEIGHT - BOTTOM, TOP)
    numbers = [_number(axis, value) for value in values] or [0.0, 1.0]
    return Scale(min(numbers), max(numbers), HEIGHT - BOTTOM, TOP)


def _number(axis: Axis, value: Any) -> float:
    return math.log(float(value)) if axis.log else float(value)


def _place(axis: Axis, scale: Scale, row: Mapping[str, Any]) -> float:
    value = row[axis.name]
    return scale(axis.values.index(value) if axis.values is not None else _number(axis, value))


def _axis(axis: Axis, scale: Scale, x: float) -> list[str]:
    name = svg.titled(svg.text(x, TOP - 18, svg.short(axis.name, 22), "small strong", "middle"), axis.name)
    drawn = [svg.element("line", x1=x, x2=x, y1=scale.start, y2=scale.end, class_="axis"), name]
    for at, words in _ticks(axis, scale):
        drawn.append(svg.element("line", x1=x - 4, x2=x, y1=at, y2=at, class_="axis"))
        drawn.append(svg.text(x - 7, at + 4, svg.short(words, 12), anchor="end"))
    return drawn


def _ticks(axis: Axis, scale: Scale) -> list[tuple[float, str]]:
    if axis.values is not None:
        return [(scale(i), v if isinstance(v, str) else json.dumps(v)) for i, v in enumerate(axis.values)]
    steps = [scale.low + (scale.high - scale.low) * i / (MOST_TICKS - 1) for i in range(MOST_TICKS)]
    return [(scale(step), label(float(f"{math.exp(step) if axis.log else step:.3g}"))) for step in steps]
