"""How good the model is: the metrics with their intervals, and the curves behind them."""

from functools import partial
from typing import Any

from kilnworks.components.charts.mini_charts import interval
from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import label, nice_domain
from kilnworks.components.charts.terms import terms
from kilnworks.components.reporting.reading import RunRecord
from kilnworks.components.reporting.sections.fairness import fairness
from kilnworks.components.reporting.sections.looks import looks
from kilnworks.components.reporting.sections.operating import operating
from kilnworks.components.reporting.sections.wording import metric_label, metric_meaning
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.choose import metric_named, task_named
from kilnworks.schemas.json_values import as_dict, as_list, as_number
from kilnworks.schemas.words import figure, signed

UNIT = (0.0, 1.0)
BARS = 12
"""Features that have a bar."""


def evaluation(run: RunRecord) -> dict[str, Any] | None:
    """Metrics, pictures, classes, slices and thresholds; None before a model was measured."""
    results = run.find("evaluation.json")
    if not results:
        return None
    method = as_dict(results.get("interval"))
    return {
        "rows": f"{as_number(results.get('rows')) or 0:,.0f}",
        "unit": str(results.get("unit") or f"rows of split {results.get('split') or ''}"),
        "label": str(results.get("label") or ""),
        "method": f"{method.get('method', 'bootstrap')}, {method.get('resamples', '')} resamples",
        "baseline": str(as_dict(results.get("baseline")).get("rule") or ""),
        "metrics": metric_rows(results),
        "simple": [*as_dict(results.get("simple"))],
        "against": _against(results),
        "gains": [_gain_row(name, metric, results) for name, metric in _gains(results)],
        "explained": _explained(as_dict(results.get("explained"))),
        "charts": [picture for _, picture in pictures(results)],
        "operating": operating(run),
        "looks": looks(run.find("looks.json")),
        "by_class": [_class_row(as_dict(c)) for c in as_list(results.get("by_class"))],
        "mistakes": [as_dict(m) for m in as_list(as_dict(results.get("confusion")).get("mistakes"))],
        "slices": [_slices(as_dict(s), results) for s in as_list(results.get("slices"))],
        "fairness": fairness(results),
        "thresholds": [{k: _short(v) for k, v in as_dict(t).items()} for t in as_list(results.get("thresholds"))],
    }


def pictures(results: dict[str, Any]) -> list[tuple[str, str]]:
    """The pictures of the task; of one that is not known here, those that the content allows."""
    return (task_named(str(results.get("task"))) or Task).pictures(results)


def metric_rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a metric: value, interval as text and as a picture, what no model would reach, and the gate's limit."""
    baseline = as_dict(as_dict(results.get("baseline")).get("metrics"))
    simple = {n: as_dict(as_dict(s).get("metrics")) for n, s in as_dict(results.get("simple")).items()}
    limits = {str(as_dict(c).get("name")): as_dict(c) for c in as_list(as_dict(results.get("gate")).get("checks"))}
    rows = []
    for name, metric in as_dict(results.get("metrics")).items():
        value, low, high = (as_number(as_dict(metric).get(k)) for k in ("value", "low", "high"))
        check = limits.get(name, {})
        limit = as_number(check.get("wanted"))
        drawn = ""
        if value is not None and low is not None and high is not None:
            domain = _domain(name, [value, low, high, limit, as_number(baseline.get(name))])
            drawn = interval(value, low, high, domain, limit, bool(check.get("passed", True)))
        sign = {">=": "≥", "<=": "≤"}.get(str(check.get("comparison")), "")
        rows.append(
            {
                "name": str(as_dict(metric).get("title") or metric_label(name)),
                "meaning": str(as_dict(metric).get("meaning") or metric_meaning(name)),
                "value": "undefined" if value is None else figure(value),
                "interval": f"{figure(low)} – {figure(high)}" if low is not None and high is not None else "",
                "reason": str(as_dict(metric).get("reason") or ""),
                "picture": drawn,
                "baseline": _short(baseline.get(name)),
                "simple": [_short(metrics.get(name)) for metrics in simple.values()],
                "limit": f"{sign} {label(limit)}" if limit is not None else "",
                "passed": bool(check.get("passed", True)),
            }
        )
    return rows


def _explained(found: dict[str, Any]) -> dict[str, Any] | None:
    """Bars of the features by importance, and a curve of each of the strongest."""
    features = [
        (str(as_dict(f).get("name")), as_number(as_dict(f).get("fall")) or 0.0) for f in as_list(found.get("features"))
    ]
    if not features:
        return None
    metric = metric_label(str(found.get("metric")))
    title = f"fall of {metric} without the feature"
    curves = [dependence(as_dict(one)) for one in as_list(found.get("partial"))]
    return {
        "metric": metric,
        "rows": f"{as_number(found.get('rows')) or 0:,.0f}",
        "bars": terms(features[:BARS], title, 1, partial(figure, digits=2), signed=False),
        "more": max(0, len(features) - BARS),
        "rises": any(fall < 0 for _, fall in features[:BARS]),
        "curves": curves,
    }


def dependence(one: dict[str, Any]) -> tuple[str, str]:
    """The mean answer by the values of a feature: bars under a caption, or for numbers a plot with its own title."""
    x, y = as_list(one.get("x")), [as_number(value) or 0.0 for value in as_list(one.get("y"))]
    title = f"mean answer by {one.get('name')}"
    numbers = [as_number(value) for value in x if not isinstance(value, bool | str)]
    if len(numbers) < len(x) or any(value is None for value in numbers):
        means = [(str(name), value) for name, value in zip(x, y, strict=True)]
        return title, terms(means, title, 2, partial(figure, digits=3))
    points = [(float(value or 0), mean) for value, mean in zip(numbers, y, strict=True)]
    plot = Plot(title, (points[0][0], points[-1][0]), nice_domain(y), str(one.get("name")))
    plot.line(points, 1)
    return "", plot.render()


def _gains(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Each simple model with each metric by which ours was held against it."""
    simple = as_dict(results.get("simple"))
    return [(name, metric) for name, one in simple.items() for metric in as_dict(as_dict(one).get("gains"))]


def _against(results: dict[str, Any]) -> str:
    """What the simple models are of which there is a gain; of a task that is not known here, nothing."""
    words = (task_named(str(results.get("task"))) or Task).simple
    names = dict.fromkeys(name for name, _ in _gains(results))
    return ", ".join(f"{words[name]} ({name})" for name in names if name in words)


def _gain_row(name: str, metric: str, results: dict[str, Any]) -> dict[str, str]:
    """How much better ours is than one simple model, and what that says."""
    gain = as_dict(as_dict(as_dict(as_dict(results.get("simple")).get(name)).get("gains")).get(metric))
    value, low, high = (as_number(gain.get(key)) for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return {"over": name, "metric": metric_label(metric), "gain": "undefined", "interval": "", "says": ""}
    says = "better" if low > 0 else "worse" if high < 0 else "no difference beyond chance"
    interval = f"{signed(low, 3)} to {signed(high, 3)}"
    return {"over": name, "metric": metric_label(metric), "gain": signed(value, 3), "interval": interval, "says": says}


def _slices(entry: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    """One column's slices as a table; the metrics of the gate and the first ones of the task."""
    gate = [str(as_dict(c).get("name")) for c in as_list(as_dict(results.get("gate")).get("checks"))]
    measured = as_dict(results.get("metrics"))
    names = list(dict.fromkeys([*(name for name in gate if name in measured), *measured]))[:5]
    left = as_dict(entry.get("left_out"))
    rows = []
    for item in map(as_dict, as_list(entry.get("slices"))):
        metrics = as_dict(item.get("metrics"))
        rows.append(
            {
                "value": str(item.get("value")),
                "rows": f"{as_number(item.get('rows')) or 0:,.0f}",
                "cells": [_with_interval(as_dict(metrics.get(n))) for n in names],
            }
        )
    note = (
        f"{left.get('values', 0)} further values with {left.get('rows', 0)} rows are not shown"
        if left.get("values")
        else ""
    )
    return {"column": str(entry.get("column")), "names": [metric_label(n) for n in names], "rows": rows, "note": note}


def _with_interval(metric: dict[str, Any]) -> tuple[str, str]:
    value, low, high = (as_number(metric.get(k)) for k in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "undefined", str(metric.get("reason") or "")
    return figure(value, 3), f"{figure(low, 3)} – {figure(high, 3)}"


def _class_row(entry: dict[str, Any]) -> dict[str, str]:
    return {
        "class": str(entry.get("class")),
        "rows": f"{as_number(entry.get('rows')) or 0:,.0f}",
        **{k: _short(entry.get(k)) for k in ("precision", "recall", "f1")},
    }


def _domain(name: str, values: list[float | None]) -> tuple[float, float]:
    """The line on which an interval is drawn: 0 to 1 for shares, from 0 for what has no upper end."""
    metric = metric_named(name)
    if metric is not None and metric.share:
        return UNIT
    known = [v for v in values if v is not None]
    if metric is not None and metric.most is not None:
        return min(0.0, *known), metric.most
    return min(0.0, *known), max(0.0, *known) * 1.25 or 1.0


def _short(value: Any) -> str:
    number = as_number(value)
    return "" if number is None else figure(number)
