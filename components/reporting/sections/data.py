"""The data: rows by split, the verdicts of the contract's rules, and a profile of every feature.

``profile.json`` is ``{split: {"rows", "features": {name: statistics}}}``. Values of sensitive features are never shown,
even where a file holds them.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kilnworks.components.charts.mini_charts import Bins, histogram, top_values
from kilnworks.components.charts.scale import label
from kilnworks.components.reporting.reading import RunRecord
from kilnworks.components.reporting.sections.history import history
from kilnworks.components.reporting.sections.verdicts import Verdict, read_verdicts
from kilnworks.schemas.contract import FILE_PARTS
from kilnworks.schemas.json_values import as_dict, as_list, as_number
from kilnworks.schemas.magnitudes import EXACT
from kilnworks.schemas.wire import MASK

VALUES = 6
"""Frequent values shown by feature; every class of a label up to ``CLASSES``."""
CLASSES = 12
STATES = ("kept", "broken", "warned", "unchecked")
BROKEN_SHOWN = 40

Statistics = dict[str, Any]


def data(run: RunRecord) -> dict[str, Any] | None:
    """Splits, verdicts and features; None before any data was read."""
    examples, verdicts = run.find("examples.json"), read_verdicts(run)
    if not examples and not verdicts:
        return None
    broken = [v for v in verdicts if v.state != "kept"]
    links = {(s["column"], s["rule"], s["split"]): s["id"] for s in _sample_rows(run)}
    return {
        "splits": [(n, f"{as_number(as_dict(s).get('rows')) or 0:,.0f}") for n, s in _splits(examples)],
        "contract": str(run.contract.get("name") or ""),
        "counts": {state: sum(v.state == state for v in verdicts) for state in STATES},
        "broken": [
            _broken(v, run.sensitive) | {"link": links.get((v.column, v.rule, v.split), "")}
            for v in sorted(broken, key=_urgency)[:BROKEN_SHOWN]
        ],
        "more": max(len(broken) - BROKEN_SHOWN, 0),
        "quarantine": _quarantine(run),
        "samples": _sample_rows(run),
        "history": history(run),
        "features": _features(run, verdicts),
        "docs": _docs(run),
    }


def _quarantine(run: RunRecord) -> dict[str, Any] | None:
    """Rows set aside, by split and by rule; None where the contract does not ask for it or no row is bad."""
    found = as_dict(run.find("validation.json").get("quarantine"))
    bad, total = as_dict(found.get("rows")), as_dict(found.get("total"))
    count = sum(as_number(n) or 0 for n in bad.values())
    if not count:
        return None
    return {
        "set_aside": bool(found.get("set_aside")),
        "count": f"{count:,.0f}",
        "total": f"{sum(as_number(n) or 0 for n in total.values()):,.0f}",
        "share": f"{as_number(found.get('share')) or 0:.2%}",
        "limit": f"{as_number(found.get('limit')) or 0:.2%}",
        "folder": next((p.parent.relative_to(run.path).as_posix() for _, p in run.holding("validation.json")), ""),
        "splits": [(name, f"{as_number(n) or 0:,.0f}") for name, n in bad.items()],
        "reasons": [_reason(as_dict(r), run.sensitive) for r in as_list(found.get("reasons"))[:BROKEN_SHOWN]],
    }


def _reason(reason: dict[str, Any], sensitive: frozenset[str]) -> dict[str, Any]:
    column, samples = str(reason.get("column")), [str(s) for s in as_list(reason.get("samples"))]
    return {
        "column": column,
        "rule": str(reason.get("rule")),
        "split": str(reason.get("split")),
        "rows": f"{as_number(reason.get('rows')) or 0:,.0f}",
        "samples": [MASK] if column in sensitive and samples else samples,
    }


def _sample_rows(run: RunRecord) -> list[dict[str, Any]]:
    """Whole rows of broken rules, each with an id to link to; sensitive values masked once more."""
    path = next((path for _, path in run.holding("sample_rows.json")), None)
    try:
        given = json.loads(path.read_text(encoding="utf-8")) if path else []
    except ValueError:
        given = []
    found = []
    for i, one in enumerate(map(as_dict, as_list(given))):
        names = [str(name) for name in as_list(one.get("names"))]
        rows = [
            {
                "row": as_dict(row).get("row"),
                "cells": [
                    MASK if name in run.sensitive else cell
                    for name, cell in zip(names, as_list(as_dict(row).get("cells")), strict=False)
                ],
            }
            for row in as_list(one.get("rows"))
        ]
        found.append(
            {
                **{k: str(one.get(k)) for k in ("column", "rule", "split")},
                "names": names,
                "rows": rows,
                "id": f"rows-{i}",
            }
        )
    return found


def _splits(examples: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(str(name), split) for name, split in as_dict(examples.get("splits")).items()]


def _urgency(verdict: Verdict) -> int:
    return ("broken", "unchecked", "warned").index(verdict.state)


def _features(run: RunRecord, verdicts: list[Verdict]) -> list[dict[str, Any]]:
    """A card for the label and every feature, in the order of the contract; none before there are statistics."""
    profile = {str(s): as_dict(as_dict(p).get("features")) for s, p in run.find("profile.json").items()}
    described, about = as_dict(run.contract.get("features")), as_dict(run.contract.get("label"))
    target = str(about.get("name") or "")
    names = dict.fromkeys([*([target] if target else []), *described, *(n for p in profile.values() for n in p)])
    cards = []
    for name in names if profile else ():
        feature = as_dict(described.get(name)) or (about if name == target else {})
        by_split = {split: as_dict(columns[name]) for split, columns in profile.items() if name in columns}
        masked = name in run.sensitive
        states = [v.state for v in verdicts if v.column == name]
        cards.append(
            {
                "name": name,
                "label": name == target,
                "dtype": str(feature.get("dtype") or ""),
                "unit": str(feature.get("unit") or ""),
                "description": str(feature.get("description") or ""),
                "masked": masked,
                "picture": "" if masked else picture(by_split, str(feature.get("unit") or "")),
                "facts": _facts(by_split, masked),
                **{state: states.count(state) for state in STATES},
            }
        )
    return cards


def picture(by_split: dict[str, Statistics], unit: str) -> str:
    """The classes, frequent values or histogram of a feature, splits over one another; empty where there are none."""
    for key, most in (("classes", CLASSES), ("top_values", VALUES)):
        shares = {split: _shares(as_list(s.get(key)), as_number(s.get("count"))) for split, s in by_split.items()}
        first = next((s for s in shares.values() if s), {})
        if first:
            rows = [(value, [s.get(value, 0.0) for s in shares.values()]) for value in list(first)[:most]]
            return top_values(rows, list(shares))
    bins = [(split, _bins(as_dict(s.get("histogram")))) for split, s in by_split.items()]
    drawn = [(split, b) for split, b in bins if b is not None]
    dates = any(s.get("kind") == "datetime" for s in by_split.values())
    return histogram(drawn, unit, _date if dates else label) if drawn else ""


def _shares(entries: list[Any], rows: float | None) -> dict[str, float]:
    """Value -> share of the rows."""
    found = {}
    for entry in map(as_dict, entries):
        value = entry.get("value")
        text = "(empty)" if value == "" else str(value)
        found[text] = (as_number(entry.get("count")) or 0) / rows if rows else 0.0
    return found


def _bins(given: dict[str, Any]) -> Bins | None:
    """Edges and counts as numbers; instants as seconds since 1970."""
    edges = [_edge(e) for e in as_list(given.get("edges"))]
    counts = [as_number(c) or 0.0 for c in as_list(given.get("counts"))]
    known = [e for e in edges if e is not None]
    return Bins(known, counts) if len(known) == len(edges) == len(counts) + 1 and counts else None


def _edge(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None
    return as_number(value)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _facts(by_split: dict[str, Statistics], masked: bool) -> dict[str, Any]:
    """A small table: a row a statistic, a column a split."""
    rows: list[tuple[str, list[str]]] = []
    missing = [as_number(s.get("missing_share")) for s in by_split.values()]
    if any(m is not None for m in missing):
        rows.append(("missing", ["" if m is None else f"{m:.2%}" if m else "none" for m in missing]))
    classed = any(s.get("classes") for s in by_split.values())
    for key in () if masked else ("distinct",) if classed else ("min", "mean", "max", "std", "distinct"):
        cells = [s.get(key) for s in by_split.values()]
        if any(c is not None for c in cells):
            rows.append((key, [_cell(c) for c in cells]))
    for name, tell in TOLD.items():
        told = [tell(s) for s in by_split.values()]
        if any(told):
            rows.append((name, told))
    for part in () if masked else FILE_PARTS:
        told = [_of_files(as_dict(as_dict(s.get("files")).get(part))) for s in by_split.values()]
        if any(told):
            rows.append((f"file {part}", told))
    return {"splits": list(by_split), "rows": rows}


def _of_files(statistics: Statistics) -> str:
    """A range, or the values, the most frequent first."""
    low, high = as_number(statistics.get("min")), as_number(statistics.get("max"))
    if low is not None and high is not None:
        return label(low) if low == high else f"{label(low)} to {label(high)}"
    return ", ".join(str(as_dict(value).get("value")) for value in as_list(statistics.get("top_values"))[:VALUES])


def _association(statistics: Statistics) -> str:
    """Pearson's correlation, eta or Cramer's V with the label."""
    found = as_dict(statistics.get("association"))
    value = as_number(found.get("value"))
    signs = {"pearson": "r", "eta": "η", "cramers_v": "V"}
    return "" if value is None else f"{signs.get(str(found.get('measure')), '')} {value:.2f}"


def _words(statistics: Statistics, key: str) -> str:
    """Of texts that are more than the names of a few classes."""
    value, distinct = as_number(as_dict(statistics.get("words")).get(key)), as_number(statistics.get("distinct"))
    return "" if value is None or (distinct or 0) <= CLASSES else label(value)


def _twice(statistics: Statistics) -> str:
    """Equal pictures inside the split and in others, and nearly equal ones where these can be told."""
    found = as_dict(statistics.get("duplicates"))
    if not found:
        return ""
    parts = [("here", found), *((f"in {n}", as_dict(o)) for n, o in as_dict(found.get("in_other_splits")).items())]
    told = []
    for where, counts in parts:
        exact, near = as_number(counts.get("exact")) or 0, as_number(counts.get("near"))
        close = f" ({near:,.0f} nearly)" if near is not None and near > exact else ""
        told += [f"{exact:,.0f}{close} {where}"] if exact or close else []
    return ", ".join(told) or "none"


TOLD: dict[str, Callable[[Statistics], str]] = {
    "goes with the label": _association,
    "words a row": partial(_words, key="mean"),
    "different words": partial(_words, key="vocabulary"),
    "pictures there twice": _twice,
}
"""Facts that not every column has, and what tells them."""


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value[:10]
    number = as_number(value)
    if number is None:
        return ""
    return str(value) if isinstance(value, int) and abs(value) > EXACT else label(number)


def _broken(verdict: Verdict, sensitive: frozenset[str]) -> dict[str, Any]:
    masked = verdict.column in sensitive
    return {
        "column": verdict.column or "the table",
        "split": verdict.split,
        "rule": verdict.rule,
        "state": verdict.state,
        "counts": f"{verdict.unexpected:,.0f} of {verdict.checked:,.0f}"
        if verdict.checked and verdict.unexpected
        else "",
        "samples": [MASK] if masked and verdict.samples else list(verdict.samples),
        "note": verdict.problem or ("" if masked else verdict.observed),
        "description": verdict.description,
    }


def _docs(run: RunRecord) -> str:
    """Path of the Great Expectations site, relative to the report; empty where there is none."""
    found = next((path for _, path in run.holding("data_docs/index.html")), None)
    return found.relative_to(run.path).as_posix() if found else ""
