"""Pictures of forecasts: three windows against what came, and errors by step ahead and by hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.schemas.words import figure


def pictures(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(file name without ending, SVG) of what ``forecasts.described`` wrote."""
    told = results.get("ahead")
    if not told:
        return []
    found = [(f"forecast_{name}", _window(name, one)) for name, one in told["windows"].items()]
    found.append(("error_by_step", _errors("Error by step ahead", told["by_step"], "step", "Steps ahead")))
    if len(told["by_hour"]) > 1:
        found.append(("error_by_hour", _errors("Error by hour", told["by_hour"], "hour", "Hour of the day")))
    return found


def _window(name: str, one: Mapping[str, Any]) -> str:
    steps = range(1, len(one["truth"]) + 1)
    values = [*one["truth"], *one["low"], *one["high"]]
    title = f"The {name} window: off by {figure(one['mae'])} a step"
    plot = Plot(title, _ends([*steps]), _ends(values), "Steps ahead", "", integer_x=True)
    points = {key: list(zip(map(float, steps), one[key], strict=True)) for key in ("truth", "forecast", "low", "high")}
    plot.area(points["low"], points["high"], 1)
    plot.line(points["truth"], 2, "what came", dashed=True)
    plot.line(points["forecast"], 1, "forecast, and 80 % interval")
    return plot.render()


def _errors(title: str, rows: list[Mapping[str, Any]], key: str, axis: str) -> str:
    model = [(float(row[key]), row["mae"]) for row in rows]
    naive = [(float(row[key]), row["naive"]) for row in rows if row["naive"] is not None]
    top = max(y for _, y in [*model, *naive])
    plot = Plot(title, _ends([x for x, _ in model]), (0.0, top or 1.0), axis, "Mean absolute error", integer_x=True)
    plot.line(model, 1, "forecast")
    if naive:
        plot.line(naive, 2, "a season before", dashed=True)
    return plot.render()


def _ends(values: list[Any]) -> tuple[float, float]:
    low, high = float(min(values)), float(max(values))
    return (low, high) if low < high else (low - 0.5, high + 0.5)
