"""Statistics of numbers that float64 rounds or overflows on, against Python's ints and fractions."""

import math
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.quality.contracts.evolve import evolve_contract
from kilnworks.components.quality.drift.compare import compare
from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.components.quality.profile.numbers import Numbers
from kilnworks.components.quality.profile.profile import column_statistics
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.quality.stats.summary import summarise
from kilnworks.schemas.contract import Contract, dump_contract, parse_contract
from kilnworks.schemas.errors import ContractError
from kilnworks.schemas.reference import DriftThresholds

WHOLE = st.one_of(st.integers(2**53 - 4, 2**53 + 4), st.integers(-(2**63), 2**63 - 1), st.integers(-5, 5))
HUGE = st.floats(allow_nan=False, allow_infinity=False)


def merged(values: list, dtype: type[pl.DataType], cut: int) -> dict:
    """Statistics of two batches, merged."""
    parts = [Numbers.of(pl.Series(some, dtype=dtype), alone=False) for some in (values[:cut], values[cut:])]
    return parts[0].merge(parts[1]).statistics(sensitive=False)


@given(values=st.lists(WHOLE, min_size=1, max_size=30), cut=st.integers(0, 30))
def test_whole_numbers_keep_every_digit_in_the_profile(values: list[int], cut: int) -> None:
    """Extremes, different values and quantiles, of one batch and of two, one of which may be empty."""
    for found in (column_statistics(pl.Series(values, dtype=pl.Int64)), merged(values, pl.Int64, cut)):
        assert (int(found["min"]), int(found["max"])) == (min(values), max(values))
        assert found["distinct"] == len(set(values))
        assert int(found["quantiles"]["0.5"]) == sorted(values)[round(0.5 * (len(values) - 1))]


@given(values=st.lists(HUGE, min_size=1, max_size=20), cut=st.integers(0, 20))
def test_means_of_huge_numbers_do_not_overflow(values: list[float], cut: int) -> None:
    """Mean and deviation are right wherever float64 can hold them, and None nowhere else."""
    mean = sum(map(Fraction, values)) / len(values)
    variance = sum((Fraction(v) - mean) ** 2 for v in values) / len(values)
    scale = max(1.0, *map(abs, values))
    std = math.sqrt(variance / Fraction(scale) ** 2) * scale
    for found in (column_statistics(pl.Series(values)), merged(values, pl.Float64, cut)):
        assert found["mean"] == pytest.approx(float(mean), rel=1e-9, abs=1e-9 * scale)
        if math.isfinite(std):
            assert found["std"] == pytest.approx(std, rel=1e-6, abs=1e-6 * scale)


def contract(**rules: object) -> Contract:
    """A contract on a column ``x`` of whole numbers."""
    return Contract.model_validate({"name": "c", "features": {"x": {"dtype": "int", **rules}, "z": {"dtype": "float"}}})


def test_limits_and_lists_are_kept_digit_by_digit(tmp_path: Path) -> None:
    """Through YAML, JSON and every check; a neighbour beyond the limit is found with its row."""
    top = 2**53 + 1
    made = contract(max=top, allowed=[top - 1, top])
    assert parse_contract(dump_contract(made)) == made == Contract.model_validate_json(made.model_dump_json())
    assert made.features["x"].max == top
    between = next(r for r in rules_of(made) if r.name == "x: range")
    assert between.text == f"is at most {top}"
    assert between.kwargs["max_value"] == top
    for suffix, write in ((".csv", pl.DataFrame.write_csv), (".parquet", pl.DataFrame.write_parquet)):
        file = tmp_path / f"x{suffix}"
        write(pl.DataFrame({"x": [top, top - 1, top + 1], "z": [0.5, 1.5, 2.5]}), file)
        rules = {f.rule: f.rows for f in check_file(made, file).failures}
        assert rules == {f"at most {top}": (3,), "one of the allowed values": (3,)}


@pytest.mark.parametrize("rules", [{"allowed": [1, 2**63]}, {"max": math.inf}, {"min": math.nan}])
def test_what_no_rule_can_hold_is_refused(rules: dict) -> None:
    """Codes of more than 64 bits are texts; a limit is finite."""
    with pytest.raises((ContractError, ValueError), match=r"dtype string|finite number"):
        contract(**rules)


def test_evolving_a_contract_keeps_the_digits(tmp_path: Path) -> None:
    """The smallest change that accepts one more long code."""
    made = contract(max=2**53 + 1)
    file = tmp_path / "x.csv"
    pl.DataFrame({"x": [2**53 + 2, 2**53 + 3], "z": [0.5, 1.5]}).write_csv(file)
    evolved = evolve_contract(made, file).contract
    assert evolved.features["x"].max == 2**53 + 3


def test_a_new_neighbour_of_long_codes_is_drift() -> None:
    """Codes beyond 2**53 are compared as categories, not as numbers that float64 merges."""
    made = contract(allowed=[2**53, 2**53 + 1])
    before = summarise(pl.DataFrame({"x": [2**53] * 500}), made)
    after = summarise(pl.DataFrame({"x": [2**53 + 1] * 500}), made, like=before)
    (found,) = compare(after, before, DriftThresholds())
    assert found.statistics["new_categories"] == 1.0
    assert found.drifted


def test_bins_of_neighbouring_codes_have_names_of_their_own() -> None:
    """100000001 and 100000002 are both 1e+08 in four digits."""
    made = contract()
    codes = pl.DataFrame({"x": [100000000 + i % 8 for i in range(800)]})
    (found,) = compare(summarise(codes, made), summarise(codes, made), DriftThresholds())
    assert len(set(found.bins)) == len(found.bins)
    assert any("100000001" in name for name in found.bins)


@pytest.mark.parametrize("value", ["inf", "-inf", "1e308", "1e39", "1e400"])
def test_what_no_model_can_take_is_critical_with_its_row(value: str, tmp_path: Path) -> None:
    """Whatever the severity of the feature's own rules."""
    features = {"x": {"dtype": "float", "nullable": True, "severity": "warning"}, "z": {"dtype": "float"}}
    made = Contract.model_validate({"name": "c", "features": features})
    (tmp_path / "x.csv").write_text(f"x,z\n0.5,1\n{value},2\n,3\n")
    outcome = check_file(made, tmp_path / "x.csv")
    (found,) = outcome.failures
    assert (found.severity, found.column, found.rows) == ("critical", "x", (2,))
    assert found.rule == "a finite number of at most 3.4e+38"
    finite = next(r for r in rules_of(made) if r.name == "x: finite")
    assert finite.severity == "critical"
    assert not abs(float(value)) <= finite.kwargs["max_value"]
