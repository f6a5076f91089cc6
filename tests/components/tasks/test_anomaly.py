"""Scores of anomalies against loops and scikit-learn; a label is judged by and never learned from."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.evaluate import EvaluateConfig, conclude
from kilnworks.components.tasks.anomaly import Anomaly
from kilnworks.components.tasks.choose import choose, read_task, write_task
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, StepSkipped

FEATURES = {"a": {"dtype": "float"}, "b": {"dtype": "float"}, "c": {"dtype": "float"}}
PLAIN = Contract.model_validate({"name": "p", "features": FEATURES})
LABEL = {"name": "odd", "dtype": "string", "classes": ["no", "yes"]}
LABELLED = Contract.model_validate({"name": "p", "features": FEATURES, "label": LABEL})
USUAL = np.array([0.04, 0.25, 1.0, 0.09])


def calibrated(contract: Contract = LABELLED, quantile: float = 0.9) -> tuple[Anomaly, np.ndarray]:
    """Four columns of three features, and the squared errors of 500 rows."""
    errors = (np.random.default_rng(0).normal(0, np.sqrt(USUAL), (500, 4)) ** 2).astype(np.float32)
    return Anomaly.of(contract).calibrated(("a", "b", "c"), (0, 1, 1, 2), USUAL, errors, quantile), errors


def test_scores_are_root_mean_squares_in_usual_errors_and_the_threshold_is_one() -> None:
    task, errors = calibrated()
    whole = [np.sqrt(np.mean([e / u for e, u in zip(row, USUAL, strict=True)])) for row in errors.astype(float)]
    threshold = np.quantile(whole, 0.9)
    answers = {name: np.asarray(value) for name, value in task.answers(errors).items()}
    assert answers["score"] == pytest.approx(np.array(whole) / threshold, rel=1e-5)
    assert answers["anomaly"].tolist() == [int(one > threshold) for one in whole] and answers["anomaly"].sum() == 50
    relative = errors / USUAL
    features = [relative[:, 0], (relative[:, 1] + relative[:, 2]) / 2, relative[:, 3]]
    assert answers["errors"] == pytest.approx(np.sqrt(np.stack(features, axis=1)) / threshold, rel=1e-5)
    assert {a.name: a.shape for a in task.answered} == {"score": (), "anomaly": (), "errors": (3,)}
    told = task.table(answers)
    assert told.columns == ["score", "anomaly", "strangest"]
    assert told["strangest"].to_list() == [("a", "b", "c")[i] for i in answers["errors"].argmax(axis=1)]


def test_a_label_is_not_learned_from() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0], "odd": ["no", "yes"]})
    assert Anomaly.learned(LABELLED, frame).tolist() == [0, 0]
    seen = LabelStatistics.of(LABELLED, [Anomaly.learned(LABELLED, frame)])
    assert Anomaly.fitted(LABELLED, seen, TaskSettings()) == Anomaly.of(LABELLED)
    assert Anomaly.of(LABELLED).judged_by(frame)[0].tolist() == [0, 1]
    assert Anomaly.needed(PLAIN) == [] and Anomaly.of(PLAIN).judged_by(frame)[0].tolist() == [0, 0]
    assert not Anomaly.suits(PLAIN) and choose(LABELLED, None, Anomaly) is Anomaly


def test_the_label_has_two_classes() -> None:
    for label in ({**LABEL, "classes": ["a", "b", "c"]}, {"name": "odd", "dtype": "float"}):
        with pytest.raises(ConfigError, match="two classes, of which the second"):
            Anomaly.of(Contract.model_validate({"name": "p", "features": FEATURES, "label": label}))


def evaluated(task: Anomaly, contract: Contract, errors: np.ndarray, odd: np.ndarray, config: EvaluateConfig, out):
    answers = {name: np.asarray(value) for name, value in task.answers(errors).items()}
    frame = pl.DataFrame({"odd": np.where(odd, "yes", "no"), "a": np.zeros(len(odd))})
    return answers, conclude(config, task, contract, frame, answers, {}, out).results


def test_metrics_are_those_of_scikit_learn(tmp_path) -> None:
    from sklearn import metrics

    task, errors = calibrated()
    odd = np.random.default_rng(1).random(500) < 0.1
    errors[odd] *= 4
    answers, results = evaluated(task, LABELLED, errors, odd, EvaluateConfig(min={"average_precision": 0.1}), tmp_path)
    found = results["metrics"]
    assert found["average_precision"]["value"] == pytest.approx(metrics.average_precision_score(odd, answers["score"]))
    assert found["auc"]["value"] == pytest.approx(metrics.roc_auc_score(odd, answers["score"]))
    assert found["precision"]["value"] == pytest.approx(metrics.precision_score(odd, answers["anomaly"]))
    assert found["recall"]["value"] == pytest.approx(metrics.recall_score(odd, answers["anomaly"]))
    assert found["flagged"]["value"] == pytest.approx(answers["anomaly"].mean())
    assert all(one["low"] < one["value"] < one["high"] for one in found.values())
    assert [one["feature"] for one in results["errors_by_feature"]]
    names = [name for name, _ in Anomaly.pictures(results)]
    assert names == ["anomaly_scores", "roc", "precision_recall", "errors_by_feature"]


def test_without_a_label_what_needs_one_is_undefined_and_no_limit_on_it_passes(tmp_path) -> None:
    task, errors = calibrated(PLAIN)
    none = np.zeros(500, bool)
    _, results = evaluated(task, PLAIN, errors, none, EvaluateConfig(max={"flagged": 0.2}), tmp_path)
    assert results["metrics"]["average_precision"]["value"] is None
    assert "no label" in results["metrics"]["auc"]["reason"] and results["label"] == ""
    assert [name for name, _ in Anomaly.pictures(results)] == ["anomaly_scores", "errors_by_feature"]
    with pytest.raises(StepSkipped):
        evaluated(task, PLAIN, errors, none, EvaluateConfig(min={"auc": 0.5}), tmp_path)


def test_the_loss_of_the_validation_split_leaves_out_the_largest_errors() -> None:
    task, errors = calibrated()
    errors[::10] = 1e4
    rows = np.log(errors.astype(float).mean(axis=1) + 1e-2)
    wanted = np.sort(rows)[:400].mean()
    totals = task.totals()
    for part in np.array_split(errors, 7):
        totals.add(np.zeros((len(part), 1), np.float32), part)
    assert totals.numbers() == {"loss": pytest.approx(wanted, rel=1e-5)}


def test_a_score_within_rounding_of_the_threshold_is_no_difference_and_another_one_is() -> None:
    task, _ = calibrated()
    wanted = {"score": np.array([1.000001, 0.5, 3.0], np.float32), "anomaly": np.array([1, 0, 1], np.int32)}
    assert task.difference("anomaly", np.array([0, 0, 1], np.int32), wanted).tolist() == [0, 0, 0]
    assert task.difference("anomaly", np.array([1, 1, 1], np.int32), wanted).tolist() == [0, np.inf, 0]
    errors = {"errors": np.array([[0.1, 50.0], [0.1, 0.5]], np.float32)}
    moved = errors["errors"] + np.float32(1e-3)
    assert task.difference("errors", moved, errors) == pytest.approx([2e-5, 1e-3], rel=1e-2)


def test_it_is_kept_beside_a_model(tmp_path) -> None:
    task, _ = calibrated()
    write_task(task, tmp_path)
    assert read_task(tmp_path / "task.json") == task


def test_a_label_that_only_judges_need_not_be_in_every_split_and_no_classifier_takes_it() -> None:
    from kilnworks.components.quality.expectations.rules import rules_of

    judging = Contract.model_validate({**LABELLED.model_dump(), "label": {**LABEL, "learned": False}})
    learned, judged = ({rule.name for rule in rules_of(contract)} for contract in (LABELLED, judging))
    assert learned - judged == {"odd: every class"} and judged <= learned
    assert choose(judging, None, Anomaly) is Anomaly
    with pytest.raises(ConfigError, match="'odd' has learned: false"):
        choose(judging)
