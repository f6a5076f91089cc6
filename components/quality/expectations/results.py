"""Results of Great Expectations -> outcomes in plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kilnworks.components.quality.expectations.outcome import Outcome
from kilnworks.components.quality.expectations.rule import Rule
from kilnworks.components.quality.rows.mask import columns_of, mask_result
from kilnworks.schemas.wire import MASK

SAMPLES = 10
RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": SAMPLES}


def outcome_of(one: Any, split: str, rules: Mapping[str, Rule], sensitive: frozenset[str]) -> Outcome:
    """Our reading of one result of the library; values of sensitive columns are masked in the result as well."""
    rule = rules[one.expectation_config.meta["rule"]]
    exception = _exception(one.exception_info)
    if columns_of(one.expectation_config.kwargs) & sensitive:
        mask_result(one)
        exception = exception and f"{MASK} (the message may hold values of a sensitive column)"
    result = one.to_json_dict()["result"]
    return Outcome(
        rule=rule.name,
        text=rule.text,
        expectation=rule.expectation,
        column=rule.column,
        split=split,
        severity=rule.severity,
        success=bool(one.success) and exception is None,
        could_not_check=exception is not None,
        exception=exception,
        unexpected=result.get("unexpected_count"),
        checked=result.get("element_count"),
        samples=tuple(dict.fromkeys(_plain(v) for v in result.get("partial_unexpected_list") or () if v is not None)),
        lacking=tuple(_plain(value) for value in result.get("partial_missing_list") or ()),
        observed=_plain_tree(result.get("observed_value")),
        description=rule.description,
    )


def _plain(value: Any) -> Any:
    """A value as JSON knows it; infinity and NaN as text."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _plain_tree(value: Any) -> Any:
    """Lists and mappings of such values, cut to the first few."""
    if isinstance(value, Mapping):
        return {str(k): _plain_tree(v) for k, v in list(value.items())[:SAMPLES]}
    if isinstance(value, list | tuple):
        return [_plain_tree(v) for v in value[:SAMPLES]]
    return _plain(value)


def _exception(info: Mapping[str, Any] | None) -> str | None:
    """What a crashed check said; None where it ran. The library nests it by metric or not at all."""
    if not info:
        return None
    entries = [info] if "raised_exception" in info else [e for e in info.values() if isinstance(e, Mapping)]
    raised = [entry for entry in entries if entry.get("raised_exception")]
    return str(raised[0].get("exception_message") or "the check crashed") if raised else None
