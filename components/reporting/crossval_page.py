"""The page of a cross-validation: one HTML file that needs nothing else and runs no script."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain, seconds_text
from kilnworks.components.reporting.search_page import setting_words
from kilnworks.components.reporting.templates import template
from kilnworks.schemas.files import write_text
from kilnworks.schemas.words import figure

SERIES = 8
"""Colours of lines; a ninth fold has the first one again."""


def write_crossval(path: Path, results: Mapping[str, Any]) -> Path:
    """Write the page in one rename, and return its path.

    Args:
        path: of the page.
        results: what came of it, as ``pipelines.craft`` tells it.
    """
    write_text(path, render_crossval(results))
    return path


def render_crossval(results: Mapping[str, Any]) -> str:
    """The page as text."""
    outer = [{**one, "text": setting_words(one["settings"])} for one in results.get("outer", [])]
    folds = results.get("folds", [])
    numbers = _numbers(results["summary"], folds[0]["monitor"] if folds else None)
    names = [name for name, _ in numbers if name.startswith("val_")] if folds else [name for name, _ in numbers]
    return template("crossval.html.j2").render(
        r={**results, "outer": outer, "folds": folds},
        numbers=numbers,
        columns=names[:6],
        seconds=seconds_text(sum(fold["seconds"] for fold in folds)),
        curves=curves(folds) if folds else "",
        spread=spread(names[0], [f["numbers"][names[0]] for f in folds], results["summary"][names[0]]) if folds else "",
    )


def curves(folds: Sequence[Mapping[str, Any]]) -> str:
    """The monitored number of each fold by epoch."""
    values = [value for fold in folds for _, value in fold["curve"]]
    last = max((epoch for fold in folds for epoch, _ in fold["curve"]), default=1)
    plot = Plot("Curves by fold", (1, max(2, last)), nice_domain(values), "epoch", folds[0]["monitor"], integer_x=True)
    for place, fold in enumerate(folds):
        plot.line(fold["curve"], place % SERIES + 1, f"fold {place + 1}")
    return plot.render()


def spread(name: str, values: Sequence[float], told: Mapping[str, float]) -> str:
    """One number in each fold, and their mean."""
    x = (0.5, len(values) + 0.5)
    plot = Plot(f"{name} at the best epoch", x, nice_domain(values), "fold", name, integer_x=True)
    notes = [f"fold {place}: {figure(value, 5)}" for place, value in enumerate(values, 1)]
    plot.guide([(x[0], told["mean"]), (x[1], told["mean"])], "mean of the folds")
    plot.points([(float(place), value) for place, value in enumerate(values, 1)], 2, notes, [1.0] * len(values))
    plot.name(2, "fold")
    return plot.render()


def _numbers(summary: Mapping[str, Any], monitor: str | None) -> list[tuple[str, Any]]:
    """What was monitored first, then the other numbers of the validation, then those of the training."""
    return sorted(summary.items(), key=lambda one: (one[0] != monitor, not one[0].startswith("val_")))
