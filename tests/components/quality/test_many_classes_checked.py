"""Rules, profile and drift of a label of which a row may have many classes."""

import numpy as np
import polars as pl

from kilnworks.components.quality.contracts.evolve import evolve_contract
from kilnworks.components.quality.drift.report import moved
from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.components.quality.rows.batches import rows_of_frame
from kilnworks.components.quality.rows.row_rules import broken_rows
from kilnworks.schemas.contract import Contract

CONTRACT = Contract.model_validate(
    {
        "name": "films",
        "features": {"x": {"dtype": "float"}},
        "label": {"name": "tags", "dtype": "string", "classes": ["a", "b", "c"], "many": True},
    }
)


def frame(shares: tuple[float, float, float], rows: int = 3000, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    has = random.random((rows, 3)) < np.array(shares)
    texts = [";".join(np.array(["a", "b", "c"])[row]) or "(none)" for row in has]
    return pl.DataFrame({"x": random.normal(size=rows), "tags": texts})


def test_what_no_class_is_breaks_a_critical_rule() -> None:
    values = ["a", "b;c", "(none)", "d", "a;d", None, "a,b"]
    broken = broken_rows(CONTRACT, pl.DataFrame({"x": [1.0] * 7, "tags": values}))
    assert sorted(row for one in broken for row in one.rows.to_list()) == [3, 4, 5, 6]
    assert {one.severity for one in broken} == {"critical"}
    names = [rule.expectation for rule in rules_of(CONTRACT) if rule.column == "tags"]
    assert "expect_column_values_to_match_pattern" in names and "expect_column_values_to_be_in_set" not in names


def test_drift_is_found_in_the_class_that_moved_and_in_no_other() -> None:
    before, after = frame((0.1, 0.5, 0.5)), frame((0.5, 0.5, 0.5), seed=1)
    found = moved(
        rows_of_frame(after),
        rows_of_frame(before),
        CONTRACT,
        ("new", "old"),
        rows=10_000,
        classifier=False,
        with_label=True,
    )
    assert found["drifted"] == ["tags: a"]
    assert [one["feature"] for one in found["features"]].count("tags") == 0


def test_a_proposed_contract_takes_no_row_of_classes_for_a_class(tmp_path) -> None:
    frame((0.1, 0.5, 0.5), rows=200).write_csv(tmp_path / "films.csv")
    assert evolve_contract(CONTRACT, tmp_path / "films.csv").contract.label == CONTRACT.label


def test_requests_without_a_label_are_compared_too() -> None:
    new, old = rows_of_frame(frame((0.5, 0.5, 0.5), seed=1).drop("tags")), rows_of_frame(frame((0.1, 0.5, 0.5)))
    found = moved(new, old, CONTRACT, ("new", "old"), rows=10_000, classifier=False, with_label=False)
    assert [one["feature"] for one in found["features"]] == ["x"]
