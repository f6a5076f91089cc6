"""Figures of the bench of first models: kept line by line, measured as scikit-learn does, told with their seeds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from bench.first.figures import Line, judged, keep, kept, losses, lowest_recall, table

CHANCE = np.random.default_rng(0)
TRUTH = CHANCE.integers(2, size=400)
SHARE = np.clip(0.25 + 0.5 * TRUTH + CHANCE.normal(0, 0.2, 400), 0.01, 0.99)
GOOD = np.column_stack([1 - SHARE, SHARE])
BLIND = CHANCE.random((400, 2))


def line(seed: int, ours: float) -> Line:
    """Of a set in which boosting has 0.8."""
    values = {"ours": ours, "boosting": 0.8, "linear": 0.7}
    bounds = {"boosting": ours - 0.8, "linear": ours - 0.7}
    return Line("rows", seed, 500, "AUC", values, bounds, bounds, {"ours": 0.5, "shares": 0.69}, 9.0, 12.0, "abc")


def test_a_bench_that_was_stopped_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "build" / "lines.jsonl"
    assert kept(file) == []
    keep(line(0, 0.9), file)
    with file.open("a") as out:
        out.write('{"set": "rows", "seed": 1, "ro')  # where a kill came
    assert kept(file) == [line(0, 0.9)]
    keep(line(2, 0.7), file)
    assert kept(file) == [line(0, 0.9), line(2, 0.7)]


@pytest.mark.slow
def test_measures_are_those_of_scikit_learn_and_intervals_hold_what_differs() -> None:
    found = judged("AUC", TRUTH, {"ours": GOOD, "boosting": BLIND, "linear": GOOD})
    ours, blind = roc_auc_score(TRUTH, GOOD[:, 1]), roc_auc_score(TRUTH, BLIND[:, 1])
    assert found["values"] == pytest.approx({"ours": ours, "boosting": blind, "linear": ours})
    assert 0 < found["low"]["boosting"] < ours - blind < found["high"]["boosting"]
    assert (found["low"]["linear"], found["high"]["linear"]) == (0, 0)
    told = losses(TRUTH, {"ours": GOOD}, np.array([0.5, 0.5]))
    assert told == pytest.approx({"ours": log_loss(TRUTH, GOOD), "shares": np.log(2)})


def test_an_error_of_the_logarithm_is_better_where_it_is_less() -> None:
    truth = CHANCE.normal(size=100)
    answers = {"ours": truth + 0.1, "boosting": truth + 0.2, "linear": truth - 0.3}
    assert judged("RMSE of log", truth, answers)["values"] == pytest.approx(
        {"ours": 0.1, "boosting": 0.2, "linear": 0.3}
    )
    lines = [replace(line(0, 0.9), measure="RMSE of log", values={"ours": 0.1, "boosting": 0.2, "linear": 0.3})]
    assert "| **0.1000** | 0.2000 | 0.3000 | -0.1000" in list(table(lines))[2]


def test_a_row_tells_how_many_seeds_it_has_and_nothing_that_was_not_measured() -> None:
    assert len(list(table([]))) == 2
    (one,) = list(table([line(0, 0.82)]))[2:]
    assert one.startswith("| rows | 500 | 1 | AUC | **0.8200** | 0.8000 | 0.7000 | +0.0200 (+0.0200 to +0.0200, rows)")
    (three,) = list(table([line(0, 0.81), line(1, 0.82), line(2, 0.83)]))[2:]
    assert "| 3 | AUC | **0.8200** |" in three
    half = 4.302652729749464 * 0.01 / 3**0.5  # quantile of Student's t with two degrees of freedom
    assert f"+0.0200 ({0.02 - half:+.4f} to {0.02 + half:+.4f}, seeds)" in three


def test_the_class_that_is_found_least_is_told() -> None:
    truth = np.array([0] * 6 + [1] * 3 + [2])
    said = np.array([0, 0, 0, 0, 0, 1, 1, 2, 0, 1])  # finds 5 of 6, 1 of 3, 0 of 1
    found = lowest_recall(truth, {"ours": np.eye(3)[truth], "boosting": np.eye(3)[said]})
    assert found == {"ours": 1.0, "boosting": 0.0}
    found = lowest_recall(truth[:9], {"ours": np.eye(3)[said[:9]]})
    assert found == {"ours": pytest.approx(1 / 3)}
    images = [replace(line(0, 0.9), recall={"ours": 0.5}), replace(line(1, 0.9), recall={"ours": 0.25}), line(2, 0.9)]
    assert "| ours 0.500, shares 0.690; recall ours 0.375 |" in list(table(images))[2]
