"""The files that a retraining is made of, and which of them hold bad rows; from ``landed`` of ``run.json``."""

from typing import Any

from kilnworks.components.reporting.reading import RunRecord
from kilnworks.schemas.json_values import as_dict, as_list, as_number

SHOWN = 50


def landed(run: RunRecord) -> dict[str, Any] | None:
    """Bad files first, then new ones, the base, and those of earlier runs; None for a run that nothing landed for."""
    files = [as_dict(file) for file in as_list(as_dict(run.run.get("landed")).get("files"))]
    if not files:
        return None
    order = {"new": 0, "base": 1}
    files.sort(key=lambda f: (not f.get("bad"), order.get(str(f.get("kind")), 2), str(f.get("name"))))
    bad = any(f.get("bad") for f in files)
    return {"files": [_file(f) for f in files[:SHOWN]], "more": max(0, len(files) - SHOWN), "bad": bad}


def _file(file: dict[str, Any]) -> dict[str, str]:
    rows = as_number(file.get("rows"))
    return {
        "name": str(file.get("name") or ""),
        "kind": str(file.get("kind") or ""),
        "rows": "" if rows is None else f"{rows:,.0f}",
        "bad": str(file.get("bad") or ""),
    }
