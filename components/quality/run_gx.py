"""Run the suite of a contract on the splits with Great Expectations and read the results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.quality.frames import to_pandas
from components.quality.gx import load_gx
from components.quality.outcome import MASK, Outcome
from components.quality.rules import WHOLE, Rule, rules_of
from components.quality.suite import compile_suite
from components.quality.whole import name_offenders, splits_table
from schemas.contract import Contract

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

SAMPLES = 10
RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": SAMPLES}


@dataclass(frozen=True)
class Checked:
    """What came out of one suite on one frame: our reading of it, and the library's result for Data Docs."""

    split: str
    outcomes: tuple[Outcome, ...]
    result: Any


def check_splits(frames: Mapping[str, pl.DataFrame], contract: Contract, suites: Mapping[str, Any]) -> list[Checked]:
    """Check every split, then the table of splits.

    Args:
        frames: what ``frames.read_split`` gives, by split.
        contract: what the frames should look like.
        suites: what ``suites_of`` gives: an ``ExpectationSuite`` by split and for ``all``.
    """
    rules = {rule.name: rule for rule in rules_of(contract)}
    sensitive = {name for name, feature in contract.features.items() if feature.sensitive}
    batches = _batch_definition()
    checked = [
        _check(batches, to_pandas(frame, contract), split, suites[split], rules, sensitive)
        for split, frame in frames.items()
        if frame.height
    ]
    shared = [rule.column for rule in rules.values() if rule.name.endswith(": in one split") and rule.column]
    table = splits_table(frames, shared).to_pandas()
    whole = _check(batches, table, WHOLE, suites[WHOLE], rules, sensitive)
    named = tuple(name_offenders(o, frames, o.column in sensitive, SAMPLES) for o in whole.outcomes)
    return [*checked, Checked(WHOLE, named, whole.result)]


def suites_of(contract: Contract, splits: tuple[str, ...]) -> dict[str, Any]:
    """The suites of a contract, by split and for the whole; wrong checks are refused here, before any data is read."""
    from components.quality.names import refuse_unknown_checks

    refuse_unknown_checks(contract)
    rules = rules_of(contract)
    names = (*splits, WHOLE)
    return {n: compile_suite(f"{contract.name} {n}", [r for r in rules if r.applies_to(n)]) for n in names}


def _batch_definition() -> Any:
    """The way into the library: an ephemeral context without progress bars, whose batches are frames."""
    gx = load_gx()
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    settings = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        progress_bars={"globally": False, "metric_calculations": False},
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=settings)
    return (
        context.data_sources.add_pandas("pandas")
        .add_dataframe_asset("rows")
        .add_batch_definition_whole_dataframe("whole")
    )


def _check(
    batches: Any, frame: pd.DataFrame, split: str, suite: Any, rules: Mapping[str, Rule], sensitive: set[str]
) -> Checked:
    result = batches.get_batch({"dataframe": frame}).validate(suite, result_format=RESULT_FORMAT)
    return Checked(split, tuple(_outcome(one, split, rules, sensitive) for one in result.results), result)


def _outcome(one: Any, split: str, rules: Mapping[str, Rule], sensitive: set[str]) -> Outcome:
    rule = rules[one.expectation_config.meta["rule"]]
    exception = _exception(one.exception_info)
    if rule.column in sensitive:
        _mask(one.result)
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


def _mask(result: dict[str, Any]) -> None:
    """Replace values of a sensitive column in a result, in place."""
    if result.get("partial_unexpected_list"):
        result["partial_unexpected_list"] = [MASK] * len(result["partial_unexpected_list"])
    for counted in result.get("partial_unexpected_counts") or ():
        if isinstance(counted, dict) and "value" in counted:
            counted["value"] = MASK
    if result.get("observed_value") is not None:
        result["observed_value"] = MASK
    result.pop("details", None)
