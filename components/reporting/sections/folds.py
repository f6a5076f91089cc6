"""The newest cross-validation of the pipeline, where the store has one."""

from statistics import fmean
from typing import Any

from kilnworks.components.reporting.reading import RunRecord, read_object
from kilnworks.schemas.json_values import as_dict, as_list, as_number
from kilnworks.schemas.words import figure

MOST = 8
"""Numbers that are shown, at most."""


def folds(run: RunRecord) -> dict[str, Any] | None:
    """Mean and spread of each number, the folds of the newest finished one; None where there is none."""
    told: dict[str, Any] = {}
    for path in sorted((run.path.parents[2] / "crossval" / run.path.parent.name).glob("*/results.json"), reverse=True):
        told = read_object(path)
        if as_dict(told.get("summary")):
            break
    rows = [(name, as_dict(one)) for name, one in as_dict(told.get("summary")).items()]
    rows = [(name, one) for name, one in rows if name.startswith("val_")] or rows
    numbers = [(name, [as_number(one.get(end)) for end in ("mean", "sd", "low", "high")]) for name, one in rows]
    able = [(name, values) for name, values in numbers if values[0] is not None]
    if not able:
        return None
    outer, inner = as_list(told.get("outer")), as_list(told.get("folds"))
    return {
        "name": str(told.get("name") or ""),
        "how": str(told.get("how") or ""),
        "written": str(told.get("written") or ""),
        "count": len(outer or inner),
        "nested": bool(outer),
        "numbers": [(name, *("" if v is None else figure(v) for v in values)) for name, values in able[:MOST]],
        "settings": [f"{key}={value}" for key, value in as_dict(told.get("settings")).items()],
        "rows": f"{fmean([as_number(as_dict(as_dict(f).get('rows')).get('train')) or 0 for f in inner]):,.0f}"
        if inner
        else "",
    }
