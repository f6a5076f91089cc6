"""What a model leans on, and what moved some of its answers: a section of the report, and the page of ``explain``."""

from collections.abc import Mapping
from typing import Any

from kilnworks.components.charts.mini_charts import interval
from kilnworks.components.reporting.reading import RunRecord
from kilnworks.components.reporting.sections.evaluation import dependence
from kilnworks.components.reporting.sections.wording import metric_label
from kilnworks.schemas.words import figure, signed

BARS = 8
"""Features of a row that have a bar."""
WIDTH = 220
"""Of the longest bar, in pixels."""


def explanations(run: RunRecord) -> dict[str, Any] | None:
    """The section; None where no step explains."""
    told = run.find("explanations.json")
    return shown(told) if told else None


def shown(told: Mapping[str, Any]) -> dict[str, Any]:
    """For ``explained.html.j2``, from what ``explaining.rows.explanations`` found."""
    leans = told["leans"]
    features = leans.get("features", [])
    ends = [one[key] for one in features for key in ("fall", "low", "high") if key in one]
    domain = (min(0.0, *ends), max(1e-9, *ends)) if ends else (0.0, 1.0)
    return {
        "split": told["split"],
        "resamples": told["resamples"],
        "judged": leans.get("rows", 0),
        "metric": metric_label(str(leans.get("metric"))),
        "importance": [
            {
                "name": one["name"],
                "fall": figure(one["fall"], 3),
                "interval": f"{figure(one['low'], 2)} to {figure(one['high'], 2)}" if "low" in one else "",
                "picture": interval(one["fall"], one["low"], one["high"], domain, None, True) if "low" in one else "",
            }
            for one in features
        ],
        "curves": [dependence(one) for one in leans.get("partial", [])],
        "rows": [_row(one) for one in told["rows"]],
    }


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    bars = one["credits"][:BARS]
    most = max((abs(share) for _, _, share in bars), default=0.0) or 1.0
    return {
        **one,
        "title": ", ".join(f"{name} {value}" for name, value in one["answer"].items()),
        "of": f"probability of {one['class']}" if one["class"] else "value",
        "bars": [
            (name, value, signed(share, 3), round(WIDTH * abs(share) / most), share > 0) for name, value, share in bars
        ],
        "rest": sum(share for _, _, share in one["credits"][BARS:]),
        "more": max(0, len(one["credits"]) - BARS),
        "moved": sum(share for _, _, share in one["credits"]),
        "words": _words(one["words"]),
    }


def _words(words: list[tuple[str, float]]) -> list[tuple[str, str, str]]:
    """Each word with a class of five shades, for or against, and its share."""
    most = max((abs(share) for _, share in words), default=0.0) or 1.0
    return [
        (word, f"{'for' if share > 0 else 'against'}{min(4, int(5 * abs(share) / most))}", signed(share, 3))
        for word, share in words
    ]
