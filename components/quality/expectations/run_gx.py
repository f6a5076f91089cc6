"""Run the suite of a contract on the splits with Great Expectations, a few columns and a batch of rows at a time.

::

    for each split, for each group of columns that some rules are about:
        for each batch of rows: the group's columns as a small pandas frame -> results      memory: one group, one batch
        results of the batches -> one result a rule                                          see ``merge``
    then the table of splits
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from kilnworks.components.quality.expectations.frames import checked_frame, to_pandas
from kilnworks.components.quality.expectations.gx import evaluate, pandas_engine
from kilnworks.components.quality.expectations.merge import (
    ORDERED,
    TOTALS,
    WHOLE_ROWS,
    Kind,
    kind_of,
    merge_rows,
    merge_schema,
    total_result,
    unique_result,
)
from kilnworks.components.quality.expectations.outcome import Outcome
from kilnworks.components.quality.expectations.results import RESULT_FORMAT, SAMPLES, outcome_of
from kilnworks.components.quality.expectations.rule import WHOLE
from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.components.quality.expectations.split_table import name_offenders, splits_table
from kilnworks.components.quality.expectations.suite import compile_suite
from kilnworks.components.quality.rows.batches import Rows
from kilnworks.components.quality.rows.mask import columns_of, sensitive_columns
from kilnworks.components.quality.rows.tensor_columns import file_columns, stored_column
from kilnworks.components.quality.rows.uniqueness import Shared, repeats, shared
from kilnworks.schemas.contract import Contract

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Checked:
    """What came out of one suite on one split: our reading of it, and the library's result for Data Docs."""

    split: str
    outcomes: tuple[Outcome, ...]
    result: Any


def check_splits(splits: Mapping[str, Rows], contract: Contract, suites: Mapping[str, Any]) -> list[Checked]:
    """Check every split, then the table of splits.

    Args:
        splits: the rows by split.
        contract: what they should look like.
        suites: what ``suites_of`` gives: an ``ExpectationSuite`` by split and for ``all``.
    """
    checked = [
        read_results(_check_rows(rows, suites[split], contract), split, suites[split], contract)
        for split, rows in splits.items()
        if rows.height
    ]
    heights = {split: rows.height for split, rows in splits.items()}
    return [*checked, check_whole(heights, _shared_keys(splits, contract), contract, suites[WHOLE])]


def suites_of(contract: Contract, splits: tuple[str, ...]) -> dict[str, Any]:
    """The suites of a contract, by split and for the whole; wrong checks are refused here, before any data is read."""
    from kilnworks.components.quality.expectations.expectation_names import refuse_unknown_checks

    refuse_unknown_checks(contract)
    rules = rules_of(contract)
    names = (*splits, WHOLE)
    return {n: compile_suite(f"{contract.name} {n}", [r for r in rules if r.applies_to(n)]) for n in names}


def check_whole(
    heights: Mapping[str, int], found: Mapping[str, Shared | None], contract: Contract, suite: Any
) -> Checked:
    """The rules on the table of splits, from the rows of each split and what keys they share."""
    engine = pandas_engine(splits_table(heights, found).to_pandas())
    results = evaluate(engine, suite.expectation_configurations, RESULT_FORMAT)
    one = read_results(results, WHOLE, suite, contract)
    hidden = sensitive_columns(contract)
    named = tuple(name_offenders(o, heights, found, o.column in hidden) for o in one.outcomes)
    return Checked(WHOLE, named, one.result)


def shared_columns(contract: Contract) -> list[str]:
    """Columns of which no value may be in two splits."""
    ends = ": in one split"
    return [rule.column for rule in rules_of(contract) if rule.name.endswith(ends) and rule.column]


def read_results(results: Sequence[Any], split: str, suite: Any, contract: Contract) -> Checked:
    """Outcomes of results, and the results as one of the whole suite; values of sensitive columns are masked."""
    from great_expectations.core import ExpectationSuiteValidationResult

    rules, hidden = {rule.name: rule for rule in rules_of(contract)}, sensitive_columns(contract)
    outcomes = tuple(outcome_of(one, split, rules, hidden) for one in results)
    kept = sum(bool(one.success) for one in results)
    statistics = {
        "evaluated_expectations": len(results),
        "successful_expectations": kept,
        "unsuccessful_expectations": len(results) - kept,
        "success_percent": 100 * kept / len(results) if results else None,
    }
    whole = ExpectationSuiteValidationResult(
        results=list(results), success=kept == len(results), suite_name=suite.name, statistics=statistics, meta={}
    )
    return Checked(split, outcomes, whole)


def _shared_keys(splits: Mapping[str, Rows], contract: Contract) -> dict[str, Shared | None]:
    """What the splits share of each key; None where one of them lacks the column."""
    return {
        name: shared(splits, name, SAMPLES) if all(name in rows.columns for rows in splits.values()) else None
        for name in shared_columns(contract)
    }


def _check_rows(rows: Rows, suite: Any, contract: Contract) -> list[Any]:
    """One result an expectation, in the order of the suite."""
    results: dict[str, Any] = {}
    groups = _groups(suite.expectation_configurations, rows, contract)
    if len(rows.batches) == 1:
        for frame, group in zip(rows.batches[0].frames(groups), groups.values(), strict=True):
            results |= _by_rule(_evaluate(frame, group, contract))
    else:
        for columns, group in groups.items():
            results |= _check_group(rows, columns, group, contract)
    return [results[c.meta["rule"]] for c in suite.expectation_configurations]


def _groups(configurations: Sequence[Any], rows: Rows, contract: Contract) -> dict[tuple[str, ...], list[Any]]:
    """Expectations by the stored columns that they need; those that name none need all."""
    found: dict[tuple[str, ...], list[Any]] = {}
    every = (*contract.columns, *file_columns(contract, rows.schema))
    for one in configurations:
        asked = {stored_column(name, contract, rows.schema) for name in columns_of(one.kwargs)}
        conditional = one.kwargs.get("row_condition")
        needed = every if not asked or conditional else tuple(sorted(asked))
        found.setdefault(tuple(name for name in needed if name in rows.schema), []).append(one)
    return found


def _check_group(rows: Rows, columns: tuple[str, ...], group: Sequence[Any], contract: Contract) -> dict[str, Any]:
    """Results by rule of expectations about the same columns, over several batches."""
    by_kind: dict[Kind, list[Any]] = {}
    for one in group:
        by_kind.setdefault(_kind_of(one, rows), []).append(one)
    results: dict[str, Any] = {}
    by_batch = [*by_kind.pop("row", ()), *by_kind.pop("schema", ())]
    if by_batch:
        parts = [_evaluate(batch.frame(columns), by_batch, contract) for batch in rows.batches]
        for same in zip(*parts, strict=True):
            merged = merge_rows(same) if kind_of(same[0].expectation_config) == "row" else merge_schema(same)
            results |= _by_rule([merged])
    for kind, some in by_kind.items():
        results |= _by_rule(_MERGED[kind](rows, columns, some, contract))
    return results


def _kind_of(one: Any, rows: Rows) -> Kind:
    """How results merge; figures of a column that is made of a tensor come from all its rows."""
    kind, column = kind_of(one), one.kwargs.get("column")
    made = column is not None and column not in rows.schema
    return "whole" if made and kind in ("total", "unique") else kind


def _by_rule(results: Sequence[Any]) -> dict[str, Any]:
    return {one.expectation_config.meta["rule"]: one for one in results}


def _evaluate(frame: pl.DataFrame, group: Sequence[Any], contract: Contract) -> list[Any]:
    return evaluate(pandas_engine(to_pandas(checked_frame(frame, contract), contract)), group, RESULT_FORMAT)


def _distinct(rows: Rows, columns: tuple[str, ...], group: Sequence[Any], contract: Contract) -> list[Any]:
    """Rules on which values there are, on the different values of all batches."""
    parts = [checked_frame(batch.frame(columns), contract) for batch in rows.batches]
    names = sorted({name for one in group for name in columns_of(one.kwargs)})
    results: list[Any] = []
    for name in names:
        values = pl.concat([part.select(name).unique() for part in parts]).unique(maintain_order=True)
        some = [one for one in group if columns_of(one.kwargs) == {name}]
        results += evaluate(pandas_engine(to_pandas(values, contract)), some, RESULT_FORMAT)
    return results


def _totals(rows: Rows, columns: tuple[str, ...], group: Sequence[Any], contract: Contract) -> list[Any]:
    """Rules on figures that add up."""
    return [total_result(one, _figure(rows, TOTALS[one.type], one.kwargs.get("column"))) for one in group]


def _figure(rows: Rows, metric: str, column: str | None) -> Any:
    if column is None:
        return rows.height
    value = pl.col(column)
    of: dict[str, Callable[[], pl.Expr]] = {
        "column.mean": value.mean,
        "column.sum": value.sum,
        "column.min": value.min,
        "column.max": value.max,
        "column.standard_deviation": value.std,
    }
    return rows.scan().select(of[metric]()).collect(engine="streaming").item()


def _unique(rows: Rows, columns: tuple[str, ...], group: Sequence[Any], contract: Contract) -> list[Any]:
    results = []
    for one in group:
        name = one.kwargs["column"]
        missing = sum(batch.column(name).null_count() for batch in rows.batches)
        found = repeats(rows, name, SAMPLES)
        results.append(unique_result(one, rows.height, missing, found.rows, found.values))
    return results


def _whole(rows: Rows, columns: tuple[str, ...], group: Sequence[Any], contract: Contract) -> list[Any]:
    """Rules on the whole columns: read whole, or thinned evenly where the rule allows it."""
    every = max(1, -(-rows.height // WHOLE_ROWS))
    results: list[Any] = []
    for step, some in _by_step(group, every):
        results += _evaluate(rows.thinned(columns, step), some, contract)
    return results


def _by_step(group: Sequence[Any], every: int) -> Iterator[tuple[int, list[Any]]]:
    ordered = [one for one in group if one.type in ORDERED]
    others = [one for one in group if one.type not in ORDERED]
    for step, some in ((1, ordered), (every, others)):
        if some:
            yield step, some


_MERGED = {"distinct": _distinct, "total": _totals, "unique": _unique, "whole": _whole}
