"""The page of a diagnosis: one HTML file that needs nothing else and runs no script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilnworks.components.charts.scale import seconds_text
from kilnworks.components.diagnosing.sides import Mean, Sides
from kilnworks.components.reporting.sections.diagnosis import learning_curve, loss_rows, losses, nothing_seen
from kilnworks.components.reporting.sections.training import learning_curves
from kilnworks.components.reporting.templates import template
from kilnworks.schemas.files import write_text
from kilnworks.schemas.json_values import as_number
from kilnworks.schemas.words import figure

SIMPLE = {"linear": "a linear model (logistic or ridge regression)", "boosted": "trees boosted on gradients"}


def write_diagnosis(path: Path, told: Mapping[str, Any]) -> Path:
    """Write the page in one rename, and return its path.

    Args:
        path: of the page.
        told: what ``pipelines.craft.diagnosis.diagnose`` found, with ``pipeline``, ``name`` and ``written``.
    """
    write_text(path, render_diagnosis(told))
    return path


def render_diagnosis(told: Mapping[str, Any]) -> str:
    """The page as text."""
    points = [(one, Sides.read(one["sides"])) for one in told["points"]]
    able = [(one, sides) for one, sides in points if sides is not None]
    history = {name: [as_number(value) for value in values] for name, values in told["history"].items()}
    curves = dict(learning_curves(history, as_number(told["training"].get("best_epoch"))))
    return template("diagnose.html.j2").render(
        t=told,
        seconds=seconds_text(sum(one["seconds"] for one in told["points"])),
        curve=learning_curve([(one["rows"], sides) for one, sides in able]),
        losses=losses(able[-1][1]),
        loss=curves.get("loss", ""),
        loss_rows=loss_rows(able[-1][1]),
        points=[_row(one, sides) for one, sides in able],
        simple=[(SIMPLE.get(name, name), *map(_percent, _ends(gain))) for name, gain in told["simple"].items()],
        doubling=_said(told["doubling"]),
        nothing=nothing_seen(told["looked_for"]),
    )


def _row(one: Mapping[str, Any], sides: Sides) -> tuple[str, ...]:
    losses = [Mean.of(side.loss).value for side in (sides.train, sides.val) if side is not None]
    gap = sides.gap() if sides.comparable else None
    return (
        figure(one["share"], 3),
        f"{one['rows']:,}",
        str(one["best_epoch"]),
        *(figure(loss) for loss in losses),
        "" if gap is None else f"{gap.value:.1%}",
        one["run_id"],
    )


def _said(mean: Mapping[str, Any] | None) -> str:
    if mean is None:
        return ""
    ends = f" (95 %: {mean['low']:.1%} to {mean['high']:.1%})" if mean["low"] is not None else ""
    return f"{mean['value']:.1%}{ends}"


def _ends(gain: Mapping[str, float]) -> tuple[float, float, float]:
    return gain["value"], gain["low"], gain["high"]


def _percent(value: float) -> str:
    return f"{value:+.1%}"
