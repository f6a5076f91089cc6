"""Rules -> a Great Expectations suite, every expectation with its severity and the feature's description."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from kilnworks.components.quality.expectations.gx import load_gx
from kilnworks.components.quality.expectations.rule import Rule
from kilnworks.components.quality.expectations.whole_expectation import needs_whole_ends, whole_between
from kilnworks.schemas.errors import ContractError


def compile_suite(name: str, rules: Iterable[Rule]) -> Any:
    """An ``ExpectationSuite`` of these rules; ``meta["rule"]`` of an expectation leads back to its rule."""
    gx = load_gx()
    return gx.ExpectationSuite(name=name, expectations=[_expectation(rule) for rule in rules])


def _expectation(rule: Rule) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    whole = needs_whole_ends(rule.expectation, rule.kwargs)
    kind = whole_between() if whole else get_expectation_impl(rule.expectation)
    _refuse_unknown_arguments(kind, rule)
    notes = f"**{rule.severity}** {rule.text}" + (f". {rule.description}" if rule.description else "")
    meta = {
        "rule": rule.name,
        "column": rule.column,
        "text": rule.text,
        "severity": rule.severity,
        "description": rule.description,
    }
    try:
        return kind(**rule.kwargs, meta=meta, severity=rule.severity, notes=notes, description=rule.text)
    except (ValueError, TypeError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        reason = "; ".join(line for line in lines[1:] if line) or str(error)
        raise ContractError(
            f"{rule.name}: {rule.expectation}: {reason}",
            "arguments that the expectation takes",
            "correct `kwargs` under `checks` in the contract",
        ) from None


def _refuse_unknown_arguments(kind: Any, rule: Rule) -> None:
    common = {
        "id",
        "meta",
        "notes",
        "result_format",
        "description",
        "catch_exceptions",
        "rendered_content",
        "batch_id",
        "severity",
    }
    known = sorted(set(kind.__fields__) - common - {"windows", "row_condition", "condition_parser"})
    allowed = {*known, "row_condition", "condition_parser"}
    for argument in rule.kwargs:
        if argument not in allowed:
            near = difflib.get_close_matches(argument, known, n=1, cutoff=0.5)
            raise ContractError(
                f"{rule.name}: {rule.expectation} takes no argument {argument!r}",
                f"one of {', '.join(known)}",
                f"did you mean {near[0]!r}?" if near else "",
            )
