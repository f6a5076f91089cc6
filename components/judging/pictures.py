"""The pictures of an evaluation, each drawn where ``evaluation.json`` has what it shows."""

from typing import Any

from kilnworks.components.charts.matrix import matrix
from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.schemas.json_values import as_dict, as_list, as_number

UNIT = (0.0, 1.0)
COLOURS = 8
"""Colours of lines; behind them the same ones are dashed."""
SERIES = 2 * COLOURS
"""Lines in one picture, at most: the classes that the model finds hardest."""


def pictures(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Every picture of an evaluation that its content allows: (file name without ending, SVG)."""
    curves = as_dict(results.get("curves"))
    drawn = []
    if as_dict(curves.get("roc")):
        chosen = _hardest(as_dict(curves["roc"]), results)
        drawn.append(("roc", _roc(chosen, _of(chosen, curves["roc"]))))
    if as_dict(curves.get("precision_recall")):
        chosen = _hardest(as_dict(curves["precision_recall"]), results)
        told = _of(chosen, curves["precision_recall"])
        drawn.append(("precision_recall", _precision_recall(chosen, results, told)))
    if as_list(as_dict(results.get("calibration")).get("bins")):
        drawn.append(("calibration", _calibration(as_dict(results["calibration"]))))
    before = as_dict(as_dict(results.get("uncalibrated")).get("calibration"))
    if as_list(before.get("bins")):
        drawn.append(("uncalibrated", _calibration(before, "Before calibration")))
    if as_dict(curves.get("scores")):
        drawn.append(("scores", _scores(as_dict(curves["scores"]), results)))
    if as_list(results.get("thresholds")):
        drawn.append(("thresholds", _thresholds([as_dict(t) for t in results["thresholds"]], results)))
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


def _of(chosen: dict[str, Any], curves: dict[str, Any]) -> str:
    """What stands behind a title where classes are left out."""
    return f", the {len(chosen)} classes with the lowest F1 of {len(curves)}" if len(chosen) < len(curves) else ""


def _classes(plot: Plot, curves: dict[str, Any], x: str, y: str) -> None:
    """A line a class: eight colours, then the same ones dashed."""
    for place, (name, curve) in enumerate(curves.items()):
        plot.line(_points(curve, x, y), place % COLOURS + 1, str(name), dashed=place >= COLOURS)


def _roc(curves: dict[str, Any], of: str) -> str:
    plot = Plot(f"ROC{of}", UNIT, UNIT, "false positive rate", "true positive rate")
    plot.guide([(0, 0), (1, 1)], "chance")
    if len(curves) == 1:
        points = _points(next(iter(curves.values())), "fpr", "tpr")
        plot.area([(x, 0) for x, _ in points], points, 1)
    _classes(plot, curves, "fpr", "tpr")
    return plot.render()


def _precision_recall(curves: dict[str, Any], results: dict[str, Any], of: str) -> str:
    plot = Plot(f"Precision and recall{of}", UNIT, UNIT, "recall", "precision")
    prevalence = as_number(results.get("prevalence"))
    if prevalence is not None:
        plot.guide([(0, prevalence), (1, prevalence)], f"without a model {prevalence:.2g}")
    _classes(plot, curves, "recall", "precision")
    return plot.render()


def _calibration(calibration: dict[str, Any], words: str = "Calibration") -> str:
    error = as_number(calibration.get("ece"))
    title = f"{words}, expected error {error:.3f}" if error is not None else words
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
    plot.mark_x(_in_use(results) or 0.5, "threshold")
    return plot.render()


def _thresholds(table: list[dict[str, Any]], results: dict[str, Any]) -> str:
    plot = Plot("What another threshold would give", UNIT, UNIT, "threshold", "share")
    for series, name in enumerate(("precision", "recall", "f1", "flagged"), start=1):
        points = [(as_number(t.get("threshold")) or 0, as_number(t.get(name))) for t in table]
        plot.line([(x, y) for x, y in points if y is not None], series, name, dashed=name == "flagged")
    in_use = _in_use(results)
    if in_use is not None:
        plot.mark_x(in_use, "in use")
    return plot.render()


def _in_use(results: dict[str, Any]) -> float | None:
    """The threshold; None where each class has one of its own."""
    return None if results.get("class_thresholds") else as_number(results.get("threshold")) or 0.5


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


def _points(curve: Any, x: str, y: str) -> list[tuple[float, float]]:
    return list(zip(_numbers(as_dict(curve).get(x)), _numbers(as_dict(curve).get(y)), strict=False))


def _numbers(values: Any) -> list[float]:
    return [as_number(v) or 0.0 for v in as_list(values)]
