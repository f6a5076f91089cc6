"""The data: rows by split, the verdicts of the contract's rules, and a profile of every feature.

``profile.json`` is ``{split: {feature: statistics}}``, perhaps under ``splits`` or ``features``. Those statistics are
shown that are there: counts, missing, mean, std, min, max, histogram (edges, counts), frequent values.
``validation.json`` holds one entry a rule and split. Values of sensitive features are never shown.
"""

from typing import Any

from components.reporting.charts.scale import label
from components.reporting.charts.small import histogram, top_values
from components.reporting.reading import RunRecord, as_dict, as_list, as_number
from components.reporting.sections.overview import rule_failures
from components.reporting.sections.verdicts import Verdict, read_verdicts

MASK = "••• (sensitive)"
Statistics = dict[str, Any]


def data(run: RunRecord) -> dict[str, Any] | None:
    """Splits, verdicts and features; None before any data was read."""
    examples, profile = run.find("examples.json"), _profile(run.find("profile.json"))
    verdicts = read_verdicts(run.find("validation.json"))
    broken = [v for v in verdicts if v.state != "kept"]
    if not verdicts:
        broken = [v for s in run.steps for v in read_verdicts({"results": rule_failures(s)}, state="broken")]
    if not examples and not profile and not broken:
        return None
    return {
        "splits": [
            (n, f"{as_number(as_dict(s).get('rows')) or 0:,.0f}") for n, s in as_dict(examples.get("splits")).items()
        ],
        "contract": str(run.contract.get("name") or ""),
        "counts": {
            state: sum(v.state == state for v in verdicts) for state in ("kept", "broken", "warned", "unchecked")
        },
        "broken": [_broken(v, run.sensitive) for v in broken],
        "features": _features(run, profile, verdicts) if profile else [],
        "docs": _docs(run),
    }


def _profile(content: dict[str, Any]) -> dict[str, dict[str, Statistics]]:
    """Split -> feature -> statistics, whichever way round the file has it."""
    tree = as_dict(content.get("splits") or content.get("features") or content)
    found: dict[str, dict[str, Statistics]] = {}
    by_feature = "features" in content and "splits" not in content
    for outer, inner in tree.items():
        entries = as_dict(as_dict(inner).get("features") or as_dict(inner).get("columns") or inner)
        for name, statistics in entries.items():
            if isinstance(statistics, dict):
                split, feature = (name, outer) if by_feature else (outer, name)
                found.setdefault(str(split), {})[str(feature)] = statistics
    return found


def _features(
    run: RunRecord, profile: dict[str, dict[str, Statistics]], verdicts: list[Verdict]
) -> list[dict[str, Any]]:
    """A card for the label and every feature, in the order of the contract."""
    described = as_dict(run.contract.get("features"))
    about = as_dict(run.contract.get("label"))
    names = [*([str(about["name"])] if about.get("name") else []), *described]
    names += [n for split in profile.values() for n in split if n not in names]
    cards = []
    for name in dict.fromkeys(names):
        feature = as_dict(described.get(name)) or (about if name == about.get("name") else {})
        by_split = {split: columns[name] for split, columns in profile.items() if name in columns}
        if not feature and not by_split:
            continue
        masked = name in run.sensitive
        mine = [v for v in verdicts if v.column == name]
        cards.append(
            {
                "name": name,
                "label": name == about.get("name"),
                "dtype": str(feature.get("dtype") or ""),
                "unit": str(feature.get("unit") or ""),
                "description": str(feature.get("description") or ""),
                "masked": masked,
                "picture": "" if masked else picture(by_split, str(feature.get("unit") or "")),
                "facts": _facts(by_split, masked),
                "kept": sum(v.state == "kept" for v in mine),
                "broken": sum(v.state == "broken" for v in mine),
                "warned": sum(v.state == "warned" for v in mine),
                "unchecked": sum(v.state == "unchecked" for v in mine),
            }
        )
    return cards


def picture(by_split: dict[str, Statistics], unit: str) -> str:
    """The histogram or the frequent values of a feature, splits over one another; empty where there are neither."""
    bins = {split: as_dict(s.get("histogram")) for split, s in by_split.items()}
    drawn = [(s, b) for s, b in bins.items() if b.get("edges") and b.get("counts")]
    if drawn:
        edges = [as_number(e) for e in drawn[0][1]["edges"]]
        same = [(s, [as_number(c) or 0.0 for c in b["counts"]]) for s, b in drawn if b["edges"] == drawn[0][1]["edges"]]
        if len(edges) > 1 and None not in edges:
            return histogram([e for e in edges if e is not None], same, unit)
    tops = {split: _top(s) for split, s in by_split.items()}
    first = next((t for t in tops.values() if t), {})
    if not first:
        return ""
    rows = [(value, [t.get(value, 0.0) for t in tops.values()]) for value in list(first)[:6]]
    return top_values(rows, list(tops))


def _top(statistics: Statistics) -> dict[str, float]:
    """Frequent values and their share of the rows, from any of the usual spellings."""
    given = next((statistics[k] for k in ("top", "top_values", "values", "categories") if statistics.get(k)), None)
    if isinstance(given, dict):
        pairs = [(str(k), as_number(v)) for k, v in given.items()]
    else:
        pairs = []
        for entry in as_list(given):
            if isinstance(entry, dict):
                pairs.append((_value(entry.get("value")), as_number(entry.get("count", entry.get("rows")))))
            elif isinstance(entry, list) and len(entry) == 2:
                pairs.append((_value(entry[0]), as_number(entry[1])))
    rows = as_number(statistics.get("rows")) or as_number(statistics.get("count")) or sum(c or 0 for _, c in pairs)
    return {value: (count or 0) / rows if rows else 0.0 for value, count in pairs}


def _value(value: Any) -> str:
    return "(missing)" if value is None else str(value) or "(empty)"


def _facts(by_split: dict[str, Statistics], masked: bool) -> dict[str, Any]:
    """A small table: a row a statistic, a column a split."""
    rows = []
    missing = [_missing(s) for s in by_split.values()]
    if any(m is not None for m in missing):
        rows.append(("missing", ["" if m is None else f"{m:.2%}" if m else "none" for m in missing]))
    keys = (
        [] if masked else [("min", "min"), ("mean", "mean"), ("max", "max"), ("std", "std"), ("distinct", "distinct")]
    )
    for key, name in keys:
        cells = [s.get(key) for s in by_split.values()]
        if any(c is not None for c in cells):
            rows.append((name, [_cell(c) for c in cells]))
    return {"splits": list(by_split), "rows": rows}


def _missing(statistics: Statistics) -> float | None:
    """Share of rows without a value."""
    share = next((statistics[k] for k in ("missing_share", "missing_fraction") if k in statistics), None)
    if share is not None:
        return as_number(share)
    count = next((as_number(statistics[k]) for k in ("missing", "nulls", "null_count") if k in statistics), None)
    rows = as_number(statistics.get("rows")) or as_number(statistics.get("count"))
    return count / rows if count is not None and rows else None


def _cell(value: Any) -> str:
    number = None if isinstance(value, str | bool) else as_number(value)
    return "" if value is None else str(value) if number is None else label(number)


def _broken(verdict: Verdict, sensitive: frozenset[str]) -> dict[str, Any]:
    masked = verdict.column in sensitive
    return {
        "column": verdict.column or "the table",
        "split": verdict.split,
        "rule": verdict.rule,
        "state": verdict.state,
        "severity": verdict.severity,
        "counts": f"{verdict.unexpected:,.0f} of {verdict.checked:,.0f}" if verdict.checked else "",
        "samples": [MASK] if masked and verdict.samples else verdict.samples,
        "note": "" if masked else verdict.note,
        "description": verdict.description,
    }


def _docs(run: RunRecord) -> str:
    """Path of the Great Expectations site, relative to the report; empty where there is none."""
    found = next((path for _, path in run.holding("data_docs/index.html")), None)
    return found.relative_to(run.path).as_posix() if found else ""
