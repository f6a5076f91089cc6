"""The page of a search for a learning rate: one HTML file that needs nothing else and runs no script."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.components.reporting.templates import template
from kilnworks.schemas.files import write_text

SERIES = 8
MARGIN = 0.4
"""Powers of ten beyond the last rate, for words above it."""
HIGHEST = 1.3
"""Losses beyond this many times the first one are cut off in the picture."""


def write_rates(path: Path, told: Mapping[str, Any]) -> Path:
    """Write the page in one rename, and return its path.

    Args:
        path: of the page.
        told: what ``pipelines.craft.rates.find_rates`` found, with ``pipeline``, ``name``, ``commands`` and
            ``written``.
    """
    write_text(path, render_rates(told))
    return path


def render_rates(told: Mapping[str, Any]) -> str:
    """The page as text."""
    tests = told["tests"]
    return template("rates.html.j2").render(
        t=told,
        overview=losses(tests) if len(tests) > 1 else "",
        curves=[losses([test]) for test in tests],
        rows=[_row(test, command) for test, command in zip(tests, told["commands"], strict=True)],
    )


def losses(tests: Sequence[Mapping[str, Any]]) -> str:
    """The loss by the power of ten of the rate; of one test, with what was read from it."""
    lines = [_points(test, "smoothed") for test in tests]
    values = [y for line in lines for _, y in line]
    x = [at for line in lines for at, _ in line]
    several = len(tests) > 1
    title = "Smoothed loss by batch size" if several else f"Batches of {tests[0]['batch']:,}"
    plot = Plot(title, (min(x), max(x) + MARGIN), nice_domain(values), "power of ten of the rate", "loss")
    if not several:
        raw, ends = _points(tests[0], "losses"), nice_domain(values)
        plot.guide([point for point in raw if ends[0] <= point[1] <= ends[1]], "loss of a batch")
    for place, (test, line) in enumerate(zip(tests, lines, strict=True)):
        plot.line(line, place % SERIES + 1, f"batches of {test['batch']:,}" if several else "smoothed")
    if not several:
        for key, words in (("suggestion", "suggested"), ("divergence", "diverges")):
            if tests[0][key] is not None:
                plot.mark_x(math.log10(tests[0][key]), words)
    return plot.render()


def _points(test: Mapping[str, Any], name: str) -> list[tuple[float, float]]:
    """Places of the picture; what lies too high is cut off."""
    highest = HIGHEST * max(test["smoothed"][: max(1, len(test["smoothed"]) // 10)])
    pairs = zip(test["rates"], test[name], strict=True)
    return [(math.log10(rate), min(loss, highest)) for rate, loss in pairs]


def _row(test: Mapping[str, Any], command: str) -> tuple[str, ...]:
    rates = (_rate(test[name]) for name in ("steepest", "divergence", "suggestion"))
    speed = "" if test["rows_per_second"] is None else f"{test['rows_per_second']:,.0f}"
    return f"{test['batch']:,}", f"{test['steps']:,}", *rates, speed, command


def _rate(value: float | None) -> str:
    return "not seen" if value is None else f"{value:.2g}"
