"""How good the model is: the metrics with their intervals, and the curves behind them."""

from typing import Any

from components.charts.matrix import matrix
from components.charts.plot import Plot
from components.charts.scale import label, nice_domain
from components.charts.small import interval
from components.reporting.reading import RunRecord, as_dict, as_list, as_number
from components.reporting.sections.wording import metric_label, metric_meaning

UNIT = (0.0, 1.0)
SHARES = frozenset(
    {"auc", "average_precision", "accuracy", "balanced_accuracy", "precision", "recall", "f1", "macro_f1", "auc_ovr"}
)
SERIES = 6
"""Lines in one picture, at most: the classes that the model finds hardest."""


def evaluation(run: RunRecord) -> dict[str, Any] | None:
    """Metrics, pictures, classes, slices and thresholds; None before a model was measured."""
    results = run.find("evaluation.json")
    if not results:
        return None
    method = as_dict(results.get("interval"))
    return {
        "split": str(results.get("split") or ""),
        "rows": f"{as_number(results.get('rows')) or 0:,.0f}",
        "label": str(results.get("label") or ""),
        "method": f"{method.get('method', 'bootstrap')}, {method.get('resamples', '')} resamples",
        "baseline": str(as_dict(results.get("baseline")).get("rule") or ""),
        "metrics": metric_rows(results),
        "charts": [picture for _, picture in pictures(results)],
        "by_class": [_class_row(as_dict(c)) for c in as_list(results.get("by_class"))],
        "mistakes": [as_dict(m) for m in as_list(as_dict(results.get("confusion")).get("mistakes"))],
        "slices": [_slices(as_dict(s), results) for s in as_list(results.get("slices"))],
        "thresholds": [{k: _short(v) for k, v in as_dict(t).items()} for t in as_list(results.get("thresholds"))],
    }


def metric_rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a metric: value, interval as text and as a picture, what no model would reach, and the gate's limit."""
    baseline = as_dict(as_dict(results.get("baseline")).get("metrics"))
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
                "name": metric_label(name),
                "meaning": metric_meaning(name),
                "value": "undefined" if value is None else f"{value:.4g}",
                "interval": f"{low:.4g} – {high:.4g}" if low is not None and high is not None else "",
                "reason": str(as_dict(metric).get("reason") or ""),
                "picture": drawn,
                "baseline": _short(baseline.get(name)),
                "limit": f"{sign} {label(limit)}" if limit is not None else "",
                "passed": bool(check.get("passed", True)),
            }
        )
    return rows


def pictures(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Every picture of an evaluation that its content allows: (file name without ending, SVG)."""
    curves = as_dict(results.get("curves"))
    drawn = []
    if as_dict(curves.get("roc")):
        drawn.append(("roc", _roc(_hardest(as_dict(curves["roc"]), results))))
    if as_dict(curves.get("precision_recall")):
        drawn.append(
            ("precision_recall", _precision_recall(_hardest(as_dict(curves["precision_recall"]), results), results))
        )
    if as_list(as_dict(results.get("calibration")).get("bins")):
        drawn.append(("calibration", _calibration(as_dict(results["calibration"]))))
    if as_dict(curves.get("scores")):
        drawn.append(("scores", _scores(as_dict(curves["scores"]), results)))
    if as_list(results.get("thresholds")):
        drawn.append(("thresholds", _thresholds([as_dict(t) for t in results["thresholds"]])))
    confusion = as_dict(results.get("confusion"))
    if as_list(confusion.get("matrix")):
        drawn.append(("confusion", matrix([str(n) for n in as_list(confusion.get("labels"))], confusion["matrix"])))
    residuals = as_dict(curves.get("residuals"))
    if residuals:
        drawn.append(("predicted_actual", _predicted_actual(as_dict(residuals.get("by_value")), results)))
        drawn.append(("residuals", _residuals(as_dict(residuals.get("histogram")))))
    return drawn


def _hardest(curves: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    """The curves of the classes with the lowest F1, in the order of the classes."""
    scores = {
        str(as_dict(c).get("class")): as_number(as_dict(c).get("f1")) or 0.0 for c in as_list(results.get("by_class"))
    }
    chosen = sorted(curves, key=lambda name: scores.get(name, 0.0))[:SERIES]
    return {name: curve for name, curve in curves.items() if name in chosen}


def _roc(curves: dict[str, Any]) -> str:
    plot = Plot("ROC", UNIT, UNIT, "false positive rate", "true positive rate")
    plot.guide([(0, 0), (1, 1)], "chance")
    for series, (name, curve) in enumerate(curves.items(), start=1):
        points = _points(curve, "fpr", "tpr")
        if len(curves) == 1:
            plot.area([(x, 0) for x, _ in points], points, series)
        plot.line(points, series, str(name))
    return plot.render()


def _precision_recall(curves: dict[str, Any], results: dict[str, Any]) -> str:
    plot = Plot("Precision and recall", UNIT, UNIT, "recall", "precision")
    prevalence = as_number(results.get("prevalence"))
    if prevalence is not None:
        plot.guide([(0, prevalence), (1, prevalence)], f"without a model {prevalence:.2g}")
    for series, (name, curve) in enumerate(curves.items(), start=1):
        plot.line(_points(curve, "recall", "precision"), series, str(name))
    return plot.render()


def _calibration(calibration: dict[str, Any]) -> str:
    error = as_number(calibration.get("ece"))
    title = f"Calibration, expected error {error:.3f}" if error is not None else "Calibration"
    plot = Plot(title, UNIT, UNIT, f"predicted: {calibration.get('of', 'probability')}", "came true")
    bins = [as_dict(b) for b in as_list(calibration.get("bins"))]
    plot.guide([(0, 0), (1, 1)], "perfect")
    points = [(as_number(b.get("predicted")) or 0, as_number(b.get("observed")) or 0) for b in bins]
    plot.whiskers(
        [x for x, _ in points],
        [as_number(b.get("observed_low")) or 0 for b in bins],
        [as_number(b.get("observed_high")) or 0 for b in bins],
        1,
    )
    plot.line(points, 1, "model, with 95 % interval")
    notes = [
        f"predicted {x:.3f}, came true {y:.3f}, {b.get('rows', 0):,.0f} rows"
        for (x, y), b in zip(points, bins, strict=True)
    ]
    plot.points(points, 1, notes, [as_number(b.get("rows")) or 0.0 for b in bins])
    return plot.render()


def _scores(scores: dict[str, Any], results: dict[str, Any]) -> str:
    edges, yes, no = (_numbers(scores.get(k)) for k in ("edges", "positive", "negative"))
    positive = str(results.get("positive") or "positive")
    names = [str(n) for n in as_list(as_dict(results.get("confusion")).get("labels"))]
    other = next((n for n in names if n != positive), "other")
    top = nice_domain([*yes, *no], zero=True)
    plot = Plot("Scores by true class", UNIT, top, f"probability of {positive}", "rows")
    plot.bars(edges, no, 1, other, over=True)
    plot.bars(edges, yes, 2, positive, over=True)
    plot.mark_x(0.5, "threshold")
    return plot.render()


def _thresholds(table: list[dict[str, Any]]) -> str:
    plot = Plot("What another threshold would give", UNIT, UNIT, "threshold", "share")
    for series, name in enumerate(("precision", "recall", "f1", "flagged"), start=1):
        points = [(as_number(t.get("threshold")) or 0, as_number(t.get(name))) for t in table]
        plot.line([(x, y) for x, y in points if y is not None], series, name, dashed=name == "flagged")
    plot.mark_x(0.5, "in use")
    return plot.render()


def _predicted_actual(by: dict[str, Any], results: dict[str, Any]) -> str:
    predicted, actual, low, high = (_numbers(by.get(k)) for k in ("predicted", "actual", "low", "high"))
    x, y = nice_domain(predicted), nice_domain([*low, *high, *predicted])
    plot = Plot("Truth by prediction", x, y, f"predicted {results.get('label') or ''}", "actual")
    plot.guide([(max(x[0], y[0]), max(x[0], y[0])), (min(x[1], y[1]), min(x[1], y[1]))], "perfect")
    plot.area(list(zip(predicted, low, strict=False)), list(zip(predicted, high, strict=False)), 1)
    plot.line(list(zip(predicted, actual, strict=False)), 1, "mean, with 80 % of the rows")
    return plot.render()


def _residuals(histogram: dict[str, Any]) -> str:
    edges, counts = _numbers(histogram.get("edges")), _numbers(histogram.get("counts"))
    plot = Plot("Errors", (edges[0], edges[-1]), nice_domain(counts, zero=True), "prediction minus truth", "rows")
    plot.bars(edges, counts, 1)
    if edges[0] < 0 < edges[-1]:
        plot.mark_x(0, "no error")
    return plot.render()


def _slices(entry: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    """One column's slices as a table; the metrics of the gate and the first ones of the task."""
    gate = [str(as_dict(c).get("name")) for c in as_list(as_dict(results.get("gate")).get("checks"))]
    names = list(dict.fromkeys([*gate, *as_dict(results.get("metrics"))]))[:5]
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
    return f"{value:.3g}", f"{low:.3g} – {high:.3g}"


def _class_row(entry: dict[str, Any]) -> dict[str, str]:
    return {
        "class": str(entry.get("class")),
        "rows": f"{as_number(entry.get('rows')) or 0:,.0f}",
        **{k: _short(entry.get(k)) for k in ("precision", "recall", "f1")},
    }


def _domain(name: str, values: list[float | None]) -> tuple[float, float]:
    """The line on which an interval is drawn: 0 to 1 for shares, from 0 for what has no upper end."""
    if name in SHARES or name.startswith("top_"):
        return UNIT
    known = [v for v in values if v is not None]
    if name == "r2":
        return min(0.0, *known), 1.0
    return 0.0, max(known) * 1.25 or 1.0


def _points(curve: Any, x: str, y: str) -> list[tuple[float, float]]:
    return list(zip(_numbers(as_dict(curve).get(x)), _numbers(as_dict(curve).get(y)), strict=False))


def _numbers(values: Any) -> list[float]:
    return [as_number(v) or 0.0 for v in as_list(values)]


def _short(value: Any) -> str:
    number = as_number(value)
    return "" if number is None else f"{number:.4g}"
