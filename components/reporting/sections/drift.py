"""What moved: features ranked by how far, with both distributions, for every comparison that a run has made."""

from typing import Any

from kilnworks.components.charts.mini_charts import Bins, histogram, top_values
from kilnworks.components.reporting.reading import RunRecord, read_object
from kilnworks.schemas.json_values import as_dict, as_list, as_number

DRAWN = 12
"""Features of a comparison that are drawn; the others are only named."""
CATEGORIES = 8


def drift(run: RunRecord) -> list[dict[str, Any]]:
    """One entry a comparison; none where nothing was compared."""
    return [
        _comparison(as_dict(one), step.name)
        for step, path in run.holding("drift.json")
        for one in as_list(read_object(path).get("comparisons"))
    ]


def _comparison(one: dict[str, Any], step: str) -> dict[str, Any]:
    features = [as_dict(f) for f in as_list(one.get("features"))]
    drifted = [str(name) for name in as_list(one.get("drifted"))]
    rows = as_dict(one.get("rows"))
    domain = as_dict(one.get("domain"))
    limits = as_dict(one.get("thresholds"))
    shown = [f for f in features if f.get("beyond")] or features[:3]
    return {
        "step": step,
        "new": str(one.get("new")),
        "reference": str(one.get("reference")),
        "rows": {side: f"{as_number(rows.get(side)) or 0:,.0f}" for side in ("new", "reference")},
        "drifted": len(drifted),
        "count": len(features),
        "features": [_feature(f, limits, one) for f in shown[:DRAWN]],
        "more": [str(f.get("feature")) for f in shown[DRAWN:]],
        "domain": _domain(domain, limits) if domain else None,
    }


def _feature(feature: dict[str, Any], limits: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    statistics, beyond = as_dict(feature.get("statistics")), as_list(feature.get("beyond"))
    values = [
        (
            name.replace("_", " "),
            f"{as_number(value) or 0:.3f}",
            f"{as_number(limits.get(name)) or 0:g}",
            name in beyond,
        )
        for name, value in statistics.items()
    ]
    return {
        "name": str(feature.get("feature")),
        "score": f"{as_number(feature.get('score')) or 0:.1f}",
        "drifted": bool(beyond),
        "statistics": values,
        "picture": _picture(feature, str(one.get("reference")), str(one.get("new"))),
    }


def _picture(feature: dict[str, Any], reference: str, new: str) -> str:
    """Shares of both sides: of categories, or over bins that hold about as many reference rows each."""
    names = [str(b) for b in as_list(feature.get("bins"))]
    before, now = ([as_number(v) or 0.0 for v in as_list(feature.get(side))] for side in ("reference", "new"))
    if not names or len(before) != len(names) or len(now) != len(names):
        return ""
    if feature.get("kind") == "category":
        ranked = sorted(zip(names, before, now, strict=True), key=lambda r: -max(r[1], r[2]))[:CATEGORIES]
        return top_values([(name, [a, b]) for name, a, b in ranked], [reference, new])
    places = [float(i) for i in range(len(names) + 1)]

    def words(place: float) -> str:
        return names[min(int(place), len(names) - 1)]

    return histogram([(reference, Bins(places, before)), (new, Bins(places, now))], "", words)


def _domain(domain: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    telling = [(str(name), f"{as_number(fall) or 0:.3f}") for name, fall in as_list(domain.get("telling"))[:5]]
    return {
        "auc": f"{as_number(domain.get('auc')) or 0:.3f}",
        "limit": f"{as_number(limits.get('domain_classifier')) or 0:g}",
        "drifted": bool(domain.get("drifted")),
        "telling": telling,
    }
