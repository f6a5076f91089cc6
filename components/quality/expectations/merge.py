"""Results of one rule on several batches -> the result on all their rows.

How a rule is merged follows from what it asks:

==========  =============================================================================================
row         each row by itself: counts add up, and the share that may break the rule is judged on the sum
schema      the columns: must hold in each batch
distinct    which values there are: checked on the different values of all batches together
total       a mean, sum, extreme or number of rows: added up batch by batch, judged by the expectation
unique      no value twice: hashes of all rows, see ``uniqueness``
whole       everything else: its columns alone are read whole, thinned evenly above ``WHOLE_ROWS`` rows
==========  =============================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from kilnworks.components.quality.expectations.results import SAMPLES

Kind = Literal["row", "schema", "distinct", "total", "unique", "whole"]

WHOLE_ROWS = 5_000_000
"""Most rows of a column that is read whole."""
ORDERED = (
    "expect_column_values_to_be_increasing",
    "expect_column_values_to_be_decreasing",
    "expect_compound_columns_to_be_unique",
    "expect_column_proportion_of_unique_values_to_be_between",
)
"""Rules that rows left out would falsify; their columns are never thinned."""
_NOT_BY_ROW = (
    *ORDERED,
    "expect_column_value_z_scores_to_be_less_than",
    "expect_column_values_to_not_be_outliers",
)
_SCHEMA = (
    "expect_column_values_to_be_of_type",
    "expect_column_values_to_be_in_type_list",
    "expect_column_type_to_be",
    "expect_column_to_exist",
    "expect_table_column_count_to_be_between",
    "expect_table_column_count_to_equal",
    "expect_table_columns_to_match_ordered_list",
    "expect_table_columns_to_match_set",
)
_DISTINCT = (
    "expect_column_distinct_values_to_be_in_set",
    "expect_column_distinct_values_to_contain_set",
    "expect_column_distinct_values_to_equal_set",
    "expect_column_unique_value_count_to_be_between",
)
TOTALS = {
    "expect_column_mean_to_be_between": "column.mean",
    "expect_column_sum_to_be_between": "column.sum",
    "expect_column_min_to_be_between": "column.min",
    "expect_column_max_to_be_between": "column.max",
    "expect_column_stdev_to_be_between": "column.standard_deviation",
    "expect_table_row_count_to_be_between": "table.row_count",
    "expect_table_row_count_to_equal": "table.row_count",
}
"""Expectation -> the metric that it judges."""


def kind_of(configuration: Any) -> Kind:
    """How results of this expectation merge."""
    from great_expectations.expectations.registry import get_expectation_impl

    name = configuration.type
    if name == "expect_column_values_to_be_unique":
        return "unique" if not configuration.kwargs.get("row_condition") else "whole"
    if name in _SCHEMA:
        return "schema"
    if getattr(get_expectation_impl(name), "map_metric", None) and name not in _NOT_BY_ROW:
        return "row"
    if configuration.kwargs.get("row_condition"):
        return "whole"
    return "distinct" if name in _DISTINCT else "total" if name in TOTALS else "whole"


def crashed(one: Any) -> bool:
    """Whether the check itself failed."""
    info = one.exception_info or {}
    entries = [info] if "raised_exception" in info else [e for e in info.values() if isinstance(e, Mapping)]
    return any(entry.get("raised_exception") for entry in entries)


def merge_schema(results: Sequence[Any]) -> Any:
    """The first result that is no success, else the first."""
    return next((one for one in results if not one.success), results[0])


def merge_rows(results: Sequence[Any]) -> Any:
    """Counts of a row-level rule added up; a batch on which the check crashed decides."""
    broken = next((one for one in results if crashed(one)), None)
    if broken is not None:
        return broken
    parts = [one.result for one in results]
    total, unexpected = _sum(parts, "element_count"), _sum(parts, "unexpected_count")
    missing = _sum(parts, "missing_count") if any("missing_count" in part for part in parts) else None
    samples = [value for part in parts for value in part.get("partial_unexpected_list") or ()]
    whole = map_result(total, missing, unexpected, samples)
    whole["partial_unexpected_counts"] = _counts(parts)
    return _replaced(results[0], whole, _enough(total - (missing or 0), unexpected, results[0]))


def map_result(total: int, missing: int | None, unexpected: int, samples: Sequence[Any]) -> dict[str, Any]:
    """The result of a row-level rule from its counts, with the names that the library gives them."""
    there = total - (missing or 0)
    percent = 100 * unexpected / there if there else None
    found = {
        "element_count": total,
        "unexpected_count": unexpected,
        "unexpected_percent": percent,
        "partial_unexpected_list": list(samples[:SAMPLES]),
    }
    if missing is not None:
        found["missing_count"] = missing
        found["missing_percent"] = 100 * missing / total if total else None
        found["unexpected_percent_total"] = 100 * unexpected / total if total else None
        found["unexpected_percent_nonmissing"] = percent
    return found


def unique_result(configuration: Any, total: int, missing: int, unexpected: int, samples: Sequence[Any]) -> Any:
    """The result of the rule that no value is there twice."""
    from great_expectations.core import ExpectationValidationResult

    result = map_result(total, missing, unexpected, samples)
    result["partial_unexpected_counts"] = []
    blank = ExpectationValidationResult(success=True, expectation_config=configuration, result={})
    return _replaced(blank, result, _enough(total - missing, unexpected, blank))


def total_result(configuration: Any, value: Any) -> Any:
    """What the expectation says of a figure that was added up over all batches."""
    from great_expectations.core import ExpectationValidationResult

    judged = configuration.to_domain_obj()._validate(metrics={TOTALS[configuration.type]: value})
    return ExpectationValidationResult(
        success=bool(judged["success"]), expectation_config=configuration, result=judged["result"]
    )


def _enough(considered: int, unexpected: int, one: Any) -> bool:
    mostly = float(one.expectation_config.kwargs.get("mostly", 1.0))
    return considered == 0 or (considered - unexpected) / considered >= mostly


def _replaced(one: Any, result: dict[str, Any], success: bool) -> Any:
    one.result = result
    one.success = success
    return one


def _sum(parts: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(int(part.get(name) or 0) for part in parts)


def _counts(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The most frequent values that break a rule, of those that each batch names."""
    found: dict[str, dict[str, Any]] = {}
    for counted in (c for part in parts for c in part.get("partial_unexpected_counts") or () if "value" in c):
        entry = found.setdefault(repr(counted["value"]), {"value": counted["value"], "count": 0})
        entry["count"] += counted["count"]
    return sorted(found.values(), key=lambda entry: -entry["count"])[:SAMPLES]
