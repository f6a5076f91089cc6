"""Gaps between groups as the report shows them: the numbers of the evaluation, the limit, and who is too small."""

import json

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.reporting.reading import RunRecord, StepRecord
from kilnworks.components.reporting.sections.evaluation import evaluation
from kilnworks.components.reporting.sections.fairness import fairness
from tests.components.fairness.test_fairness_gaps import LOANS, loans
from tests.components.tasks.judged import judged


def test_what_was_measured_is_shown(tmp_path):
    frame, predicted = loans(400)
    config = EvaluateConfig(slices=("region",), gap={"selection_rate": 0.9}, resamples=100)
    judged(config, LOANS, frame, predicted, {}, tmp_path)
    results = json.loads((tmp_path / "evaluation.json").read_text())
    (shown,) = fairness(results)
    (told,) = results["fairness"]
    assert shown["column"] == "region" and shown["small"] == "islet (5 rows)" and shown["more"] == 0
    first, measured = shown["gaps"][0], told["gaps"][0]
    assert first["name"] == "Selection rate" and first["value"] == f"{measured['value']:.3g}"
    assert first["between"] == f"{measured['most']} above {measured['least']}" and first["limit"] == "≤ 0.9"
    assert first["passed"] and "<svg" in first["picture"]
    assert [row["group"] for row in shown["thresholds"]] == [one["group"] for one in told["thresholds"]]
    assert all(0 < float(row["equal_true_positive"]) < 1 for row in shown["thresholds"])
    shown = evaluation(RunRecord(tmp_path, {}, (StepRecord("evaluation", "done", folder=tmp_path),)))
    (slices,) = shown["slices"]
    cells = [value for row in slices["rows"] for value, _ in row["cells"]]
    assert len(slices["names"]) == 5 and "undefined" not in cells, "a gap is no metric of a slice"


def test_a_gap_that_nothing_defines_says_why(tmp_path):
    frame, predicted = loans(60)
    judged(
        EvaluateConfig(slices=("region",), slice_min_rows=1000, resamples=100), LOANS, frame, predicted, {}, tmp_path
    )
    (shown,) = fairness(json.loads((tmp_path / "evaluation.json").read_text()))
    assert {gap["value"] for gap in shown["gaps"]} == {"undefined"}
    assert shown["gaps"][0]["interval"] == "fewer than two groups define it" and "north" in shown["small"]
    assert fairness({}) == []
