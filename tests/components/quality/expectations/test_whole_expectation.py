"""Whole ends beyond 2**53 in the suite, with and without gaps in the column; the library's own ends are floats."""

import pandas as pd
import pytest

from kilnworks.components.quality.expectations.gx import evaluate, pandas_engine
from kilnworks.components.quality.expectations.results import RESULT_FORMAT
from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.components.quality.expectations.suite import compile_suite
from kilnworks.components.quality.expectations.whole_expectation import needs_whole_ends
from kilnworks.schemas.contract import Contract, Feature

END = 2**53 + 1


@pytest.mark.slow
@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize(("value", "broken"), [(END - 1, 0), (END, 0), (END + 1, 1), (2**63 - 1, 1)])
def test_a_whole_end_holds_to_the_last_digit(value: int, broken: int, gap: bool) -> None:
    contract = Contract(name="c", features={"n": Feature(dtype="int", nullable=True, max=END)})
    rule = next(rule for rule in rules_of(contract) if rule.name == "n: range")
    frame = pd.DataFrame({"n": pd.array([value, 7, None] if gap else [value, 7], dtype="Int64" if gap else "int64")})
    expectation = compile_suite("s", [rule]).expectations[0]
    [found] = evaluate(pandas_engine(frame), [expectation.configuration], RESULT_FORMAT)
    assert found.result["unexpected_count"] == broken and found.success is (broken == 0)


def test_only_ends_that_no_float_equals_need_it() -> None:
    between = "expect_column_values_to_be_between"
    assert needs_whole_ends(between, {"min_value": 0, "max_value": END})
    assert not needs_whole_ends(between, {"min_value": 0, "max_value": 2**53})
    assert not needs_whole_ends(between, {"min_value": None, "max_value": 0.5})
    assert not needs_whole_ends("expect_column_values_to_be_in_set", {"min_value": END})
