"""Gaps between groups of rows: how far apart they are served, and the thresholds at which they would be alike."""

from typing import Any

from kilnworks.components.charts.mini_charts import interval
from kilnworks.components.reporting.sections.wording import metric_label
from kilnworks.schemas.json_values import as_dict, as_list, as_number

TITLES = {
    "selection_rate": ("Selection rate", "share of rows answered with the positive class"),
    "true_positive_rate": ("True positive rate", "of the positive rows, the share that is found"),
    "false_positive_rate": ("False positive rate", "of the negative rows, the share that is answered as positive"),
    "equalized_odds": ("Equalized odds", "the larger one of the gaps of both rates"),
}
MOST = 5
"""Small groups that are named."""


def fairness(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry a column; empty where nothing was sliced."""
    limits = {str(as_dict(c).get("name")): as_dict(c) for c in as_list(as_dict(results.get("gate")).get("checks"))}
    return [_column(as_dict(one), limits) for one in as_list(results.get("fairness"))]


def _column(entry: dict[str, Any], limits: dict[str, dict[str, Any]]) -> dict[str, Any]:
    column = str(entry.get("column"))
    gaps = [as_dict(one) for one in as_list(entry.get("gaps"))]
    ends = [as_number(one.get(key)) or 0.0 for one in gaps for key in ("low", "high")]
    of_gate = [
        as_number(check.get("wanted")) or 0.0 for name, check in limits.items() if name.endswith(f" over {column}")
    ]
    domain = (min(0.0, *ends, 0.0), max(0.1, *ends, *of_gate) * 1.05)
    small = [f"{value} ({rows} rows)" for value, rows in (as_list(pair) for pair in as_list(entry.get("small"))[:MOST])]
    return {
        "column": column,
        "gaps": [_gap(one, column, limits, domain) for one in gaps],
        "thresholds": [_threshold(as_dict(one)) for one in as_list(entry.get("thresholds"))],
        "small": ", ".join(small),
        "more": max(0, len(as_list(entry.get("small"))) - MOST),
    }


def _gap(
    one: dict[str, Any], column: str, limits: dict[str, dict[str, Any]], domain: tuple[float, float]
) -> dict[str, Any]:
    name = str(one.get("measure"))
    title, meaning = TITLES.get(name, (metric_label(name), ""))
    value, low, high = (as_number(one.get(key)) for key in ("value", "low", "high"))
    check = limits.get(f"gap in {name} over {column}", {})
    limit, passed = as_number(check.get("wanted")), bool(check.get("passed", True))
    groups = [as_dict(group) for group in as_list(one.get("groups"))]
    left = [f"not {group.get('group')}: {group.get('reason')}" for group in groups if group.get("reason")]
    told = {
        "left": "; ".join(left),
        "name": title,
        "meaning": meaning,
        "passed": passed,
        "limit": "" if limit is None else f"≤ {limit:.3g}",
    }
    if value is None or low is None or high is None:
        return {**told, "value": "undefined", "interval": str(one.get("reason") or ""), "between": "", "picture": ""}
    return {
        **told,
        "value": f"{value:.3g}",
        "interval": f"{low:.3g} to {high:.3g}",
        "between": f"{one.get('most')} {'above' if value else 'and'} {one.get('least')}",
        "picture": interval(value, low, high, domain, limit, passed),
    }


def _threshold(one: dict[str, Any]) -> dict[str, str]:
    equal = as_dict(one.get("thresholds"))
    return {
        "group": str(one.get("group")),
        "rows": f"{as_number(one.get('rows')) or 0:,.0f}",
        **{name: _share(one.get(name)) for name in ("positive", *list(TITLES)[:3])},
        "equal_selection": _share(equal.get("selection_rate")),
        "equal_true_positive": _share(equal.get("true_positive_rate")),
    }


def _share(value: Any) -> str:
    number = as_number(value)
    return "" if number is None else f"{number:.3g}"
