"""Rules checked batch by batch find what they find on all rows at once."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.quality.expectations.merge import kind_of
from kilnworks.components.quality.expectations.outcome import Outcome
from kilnworks.components.quality.expectations.run_gx import check_splits, suites_of
from kilnworks.components.quality.rows.batches import rows_of_frame
from kilnworks.components.quality.rows.uniqueness import repeats, shared
from kilnworks.schemas.contract import parse_contract

CONTRACT = parse_contract(
    """
    name: kinds
    key: id
    features:
      x: {dtype: float, nullable: true, max_missing: 0.3, min: -2, max: 2}
      n: {dtype: int, min: 0, max: 8}
      c: {dtype: string, allowed: [a, b]}
      w: {dtype: string, max_length: 3, regex: "[a-z]*$"}
    label: {name: y, dtype: int, classes: [0, 1]}
    checks:
      - {expectation: expect_column_mean_to_be_between, kwargs: {column: x, min_value: -0.2, max_value: 0.2}}
      - {expectation: expect_column_sum_to_be_between, kwargs: {column: n, max_value: 150}}
      - {expectation: expect_column_max_to_be_between, kwargs: {column: n, max_value: 8}}
      - {expectation: expect_column_stdev_to_be_between, kwargs: {column: x, max_value: 1}}
      - {expectation: expect_column_median_to_be_between, kwargs: {column: n, max_value: 4}}
      - {expectation: expect_table_row_count_to_be_between, kwargs: {min_value: 30}}
      - {expectation: expect_table_columns_to_match_set, kwargs: {column_set: [id, x, n, c, w, y]}}
      - {expectation: expect_column_values_to_be_increasing, kwargs: {column: n}}
      - {expectation: expect_column_unique_value_count_to_be_between, kwargs: {column: c, max_value: 2}}
      - {expectation: expect_column_pair_values_a_to_be_greater_than_b, kwargs: {column_A: n, column_B: y}}
      - {expectation: expect_column_values_to_be_in_set, kwargs: {column: c, value_set: [a], mostly: 0.4}}
      - {expectation: expect_compound_columns_to_be_unique, kwargs: {column_list: [c, n, y]}}
    """
)


def frame_of(rows: int, seed: int) -> pl.DataFrame:
    """Rows of which some break each rule, more or fewer by the seed."""
    r = np.random.default_rng(seed)
    spoiled = r.uniform(0, 0.1)
    return pl.DataFrame(
        {
            "id": [f"r{n}" for n in r.integers(0, rows * 40, rows)],
            "x": [None if u < 0.25 else float(v) for u, v in zip(r.random(rows), r.normal(0, 1, rows), strict=True)],
            "n": np.where(r.random(rows) < spoiled, 9, r.integers(0, 9, rows)),
            "c": np.where(r.random(rows) < spoiled, "z", np.array(["a", "b"])[r.integers(0, 2, rows)]),
            "w": [None if u < spoiled / 2 else "abcde"[: int(8 * u)] for u in r.random(rows)],
            "y": r.integers(0, 2, rows),
        },
        schema_overrides={"x": pl.Float64},
    )


def outcomes(frame: pl.DataFrame, batch_rows: int) -> dict[str, Outcome]:
    suites = suites_of(CONTRACT, ("train",))
    checked = check_splits({"train": rows_of_frame(frame, batch_rows)}, CONTRACT, suites)
    return {outcome.rule: outcome for one in checked for outcome in one.outcomes}


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.integers(20, 60), seed=st.integers(0, 999), batch=st.integers(7, 25))
def test_batches_agree_with_all_rows_at_once(rows, seed, batch):
    frame = frame_of(rows, seed)
    at_once, merged = outcomes(frame, 10_000), outcomes(frame, batch)
    assert at_once.keys() == merged.keys()
    for name, one in at_once.items():
        other = merged[name]
        assert (one.success, one.unexpected, one.checked) == (other.success, other.unexpected, other.checked), name
        assert one.could_not_check == other.could_not_check, name
        if isinstance(one.observed, float):
            assert math.isclose(one.observed, other.observed, rel_tol=1e-12), name
        if one.expectation != "expect_column_values_to_be_unique":
            assert set(one.samples) == set(other.samples), name


@pytest.mark.slow
def test_kinds():
    suite = suites_of(CONTRACT, ("train",))["train"]
    kinds = {c.meta["rule"]: kind_of(c) for c in suite.expectation_configurations}
    assert [kinds[f"check {i}: {c}"] for i, c in ((1, "x"), (5, "n"), (8, "n"), (9, "c"))] == [
        "total",
        "whole",
        "whole",
        "distinct",
    ]
    assert kinds["id: unique"] == "unique" and kinds["x: dtype"] == "schema" and kinds["x: range"] == "row"
    assert kinds["check 10: table"] == "row" and kinds["check 12: table"] == "whole"


@given(st.lists(st.one_of(st.none(), st.integers(0, 12)), max_size=40), st.integers(1, 9))
def test_repeats_against_a_loop(values, batch):
    found = repeats(rows_of_frame(pl.DataFrame({"k": pl.Series(values, dtype=pl.Int64)}), batch), "k", 3)
    twice = {v for v in values if v is not None and values.count(v) > 1}
    assert found.rows == sum(v in twice for v in values)
    assert set(found.values) <= twice and len(found.values) == min(3, len(twice))


@pytest.mark.slow
@given(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=12), min_size=1, max_size=3))
def test_shared_against_a_loop(splits):
    rows = {f"s{i}": rows_of_frame(pl.DataFrame({"k": pl.Series(v, dtype=pl.Int64)}), 4) for i, v in enumerate(splits)}
    found = shared(rows, "k", 20)
    sets = [{v for v in values if v is not None} for values in splits]
    both = {v for i, s in enumerate(sets) for v in s if any(v in t for j, t in enumerate(sets) if j != i)}
    assert found.values == len(both) and set(found.samples) == {str(v) for v in both}
    assert found.rows == {f"s{i}": sum(v in both for v in values) for i, values in enumerate(splits)}


def test_parts_of_the_hash_range_add_up(monkeypatch):
    frame = pl.DataFrame({"k": [i % 700 for i in range(1_000)]})
    monkeypatch.setattr("kilnworks.components.quality.rows.uniqueness.PART_ROWS", 90)
    assert repeats(rows_of_frame(frame, 128), "k", 5).rows == 600
    assert shared({"a": rows_of_frame(frame), "b": rows_of_frame(frame.head(10))}, "k", 5).rows == {"a": 20, "b": 10}
