"""How probabilities become decisions: the threshold that validation rows told, and reliability before and after."""

from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.components.reporting.reading import RunRecord
from kilnworks.schemas.json_values import as_dict, as_list, as_number
from kilnworks.schemas.words import figure

RATES = {"precision": "Precision", "recall": "Recall", "specificity": "Specificity", "f1": "F1", "flagged": "Flagged"}
"""Rates of a threshold, with their titles."""
CLASS_RATES = ("precision", "recall", "f1")
"""Of each class, where it has a threshold of its own."""
CLASSES = 30
"""Classes that are shown, at most."""


def operating(run: RunRecord) -> dict[str, Any] | None:
    """The rule, its picture, tables of rates, and what calibration changed; None where nothing was settled."""
    training, results = run.find("training.json"), run.find("evaluation.json")
    point, calibration = as_dict(training.get("operating_point")), as_dict(training.get("calibration"))
    before = as_dict(results.get("uncalibrated"))
    if not (point or calibration or before):
        return None
    return {
        "rule": str(point.get("rule") or ""),
        "threshold": _short(point.get("threshold")),
        "rows": f"{as_number(point.get('rows')) or 0:,.0f}",
        "positive": str(results.get("positive") or ""),
        "table": _table(point, results) if "reached" in point else [],
        "picture": _picture(point) if "curve" in point else "",
        "classes": _classes(point, results),
        "more": max(0, len(as_list(point.get("classes"))) - CLASSES),
        "method": str(calibration.get("method") or ""),
        "learned": f"{as_number(calibration.get('rows')) or 0:,.0f}",
        "temperature": _short(calibration.get("temperature")),
        "changes": _changes(before, results) if before else [],
    }


def _table(point: dict[str, Any], results: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Rates at one half and at the threshold on validation rows, and at the threshold on the judged ones."""
    metrics = {name: as_dict(one).get("value") for name, one in as_dict(results.get("metrics")).items()}
    columns = [as_dict(point.get("at_half")), as_dict(point.get("reached")), metrics]
    return [(title, [_short(column.get(name)) for column in columns]) for name, title in RATES.items()]


def _classes(point: dict[str, Any], results: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Of each class with a threshold of its own: it; precision, recall and F1 at one half and at it, and on other rows.

    The first six are of validation rows, the last three of the judged ones.
    """
    judged = {str(one.get("class")): one for one in map(as_dict, as_list(results.get("by_class")))}
    rows = []
    for one in map(as_dict, as_list(point.get("classes"))[:CLASSES]):
        name = str(one.get("class"))
        sides = [as_dict(one.get("at_half")), as_dict(one.get("reached")), as_dict(judged.get(name))]
        threshold = _short(one.get("threshold")) + (" (as it was)" if one.get("kept") else "")
        rows.append((name, [threshold, *(_short(side.get(rate)) for side in sides for rate in CLASS_RATES)]))
    return rows


def _picture(point: dict[str, Any]) -> str:
    """What the rule looks at, by threshold."""
    curve = as_dict(point.get("curve"))
    x, y = ([as_number(v) or 0.0 for v in as_list(curve.get(key))] for key in ("threshold", "value"))
    measure = str(point.get("measure"))
    plot = Plot(f"{measure} by threshold, validation rows", (0.0, 1.0), nice_domain(y, zero=True), "threshold", measure)
    plot.line(list(zip(x, y, strict=True)), 1)
    plot.mark_x(as_number(point.get("threshold")) or 0.5, "chosen")
    return plot.render()


def _changes(before: dict[str, Any], results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Errors of calibration and of probabilities before and after: (title, before, after)."""
    metrics, old = as_dict(results.get("metrics")), as_dict(before.get("metrics"))
    errors = as_dict(before.get("calibration")), as_dict(results.get("calibration"))
    rows = [
        (title, _short(errors[0].get(key)), _short(errors[1].get(key)))
        for key, title in (("ece", "Expected calibration error"), ("mce", "Largest calibration error"))
    ]
    titles = {"log_loss": "Log loss", "brier": "Brier score"}
    return rows + [(titles[n], _short(v), _short(as_dict(metrics.get(n)).get("value"))) for n, v in old.items()]


def _short(value: Any) -> str:
    number = as_number(value)
    return "" if number is None else figure(number)
