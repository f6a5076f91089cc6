"""The page of a search for better settings: one HTML file that needs nothing else and runs no script."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilnworks.components.charts.bars import bars
from kilnworks.components.charts.parallel import Axis, parallel
from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain, seconds_text
from kilnworks.components.reporting.templates import template
from kilnworks.schemas.files import write_text
from kilnworks.schemas.words import figure


def write_search(path: Path, results: Mapping[str, Any]) -> Path:
    """Write the page of a search, in one rename, and return its path.

    Args:
        path: of the page.
        results: what came of the search, as ``pipelines.tuning.results`` tells it.
    """
    write_text(path, render_search(results))
    return path


def render_search(results: Mapping[str, Any]) -> str:
    """The page as text."""
    done = [trial for trial in results["trials"] if trial["value"] is not None]
    shown = [{**trial, "text": setting_words(trial["settings"])} for trial in results["trials"]]
    return template("search.html.j2").render(
        r={**results, "trials": sorted(shown, key=lambda trial: _rank(trial, results["direction"]))},
        counts={state: sum(t["state"] == state for t in shown) for state in ("done", "stopped", "failed")},
        seconds=seconds_text(sum(trial["seconds"] or 0.0 for trial in shown)),
        best_words=setting_words(results["overrides"]) or "the settings of the definition",
        history=history(results, done),
        coordinates=coordinates(results, done),
        importance=importance(results),
    )


def setting_words(settings: Mapping[str, Any]) -> str:
    """Settings in one line."""
    return ", ".join(f"{name}={_short(value)}" for name, value in settings.items())


def history(results: Mapping[str, Any], done: list[Mapping[str, Any]]) -> str:
    """The value of each trial that ended, and the best one up to then."""
    sign = 1 if results["direction"] == "min" else -1
    values = [float(trial["value"]) for trial in done]
    so_far = [sign * min(sign * value for value in values[: i + 1]) for i in range(len(values))]
    x = (-0.5, max(1.0, max(trial["number"] for trial in results["trials"]) + 0.5))
    plot = Plot("Trials", x, nice_domain(values), "trial", results["objective"], integer_x=True)
    places = [float(trial["number"]) for trial in done]
    steps = [point for i, at in enumerate(places) for point in ((at, so_far[max(i - 1, 0)]), (at, so_far[i]))]
    plot.line(steps, 1, "best so far")
    notes = [
        f"trial {t['number']}: {figure(t['value'], 5)}; {setting_words(t['settings']) or 'definition'}" for t in done
    ]
    plot.points(list(zip(places, values, strict=True)), 2, notes, [1.0] * len(done))
    plot.name(2, "trial")
    if results["default"] is not None:
        plot.guide([(x[0], results["default"]), (x[1], results["default"])], "the definition's settings")
    return plot.render()


def coordinates(results: Mapping[str, Any], done: list[Mapping[str, Any]]) -> str:
    """Settings and value of each trial that ended; empty where fewer than two have settings of the space."""
    rows = [trial for trial in done if trial["params"]]
    if len(rows) < 2:
        return ""
    axes = [_axis(name, dimension) for name, dimension in results["space"].items()] + [Axis(results["objective"])]
    values = [{**_tried(trial, results["space"]), results["objective"]: trial["value"]} for trial in rows]
    best = next((i for i, trial in enumerate(rows) if trial["number"] == results["trial"]), -1)
    notes = [f"trial {trial['number']}: {figure(trial['value'], 5)}" for trial in rows]
    return parallel("Settings and result of each trial", axes, values, best, notes)


def importance(results: Mapping[str, Any]) -> str:
    """How much each setting mattered; empty where it is not told."""
    told = results["importance"]
    return bars("What mattered", [(_name(n), [share]) for n, share in told.items()], ["importance"]) if told else ""


def _axis(name: str, dimension: Mapping[str, Any]) -> Axis:
    if dimension["kind"] == "choice":
        return Axis(_name(name), tuple(_short(value) for value in dimension["values"]))
    return Axis(_name(name), None, bool(dimension["log"]))


def _tried(trial: Mapping[str, Any], space: Mapping[str, Any]) -> dict[str, Any]:
    """By axis."""
    listed = {name for name, dimension in space.items() if dimension["kind"] == "choice"}
    return {
        _name(name): _short(json.loads(value)) if name in listed else value for name, value in trial["params"].items()
    }


def _name(setting: str) -> str:
    """A setting without its step."""
    return setting.partition(".")[2]


def _short(value: Any) -> str:
    if isinstance(value, float):
        return figure(value)
    return value if isinstance(value, str) else json.dumps(value)


def _rank(trial: Mapping[str, Any], direction: str) -> tuple[int, float]:
    """Finished ones first, the best in front."""
    if trial["value"] is None:
        return 1, float(trial["number"])
    return 0, trial["value"] if direction == "min" else -trial["value"]
