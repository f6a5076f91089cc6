"""A metric of a user's own, and a new one of a task: each in one place."""

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import fbeta_score, matthews_corrcoef

from kilnworks.components.evaluate import EvaluateConfig, conclude
from kilnworks.components.judging.metric import Metric, OwnMetric
from kilnworks.components.tasks.binary import Binary
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import StepFailed, StepSkipped, UnknownName
from tests.components.judging.own_metrics import mcc

HERE = "tests.components.judging.own_metrics"
CONTRACT = parse_contract("""
name: loans
features: {plan: {dtype: string}}
label: {name: late, dtype: string, classes: ["no", "yes"]}
""")


def data(rows: int = 300) -> tuple[np.ndarray, pl.DataFrame, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.random(rows) < 0.4
    score = np.clip(0.35 + 0.3 * truth + 0.2 * random.normal(size=rows), 0.001, 0.999).astype(np.float32)
    frame = pl.DataFrame({"late": np.where(truth, "yes", "no"), "plan": np.where(score > 0.3, "a", "b")})
    return truth, frame, np.stack([1 - score, score], axis=1)


def measured(config: EvaluateConfig, out: Path, task: Binary | None = None) -> dict:
    _, frame, probabilities = data()
    conclude(config, task or Binary.of(CONTRACT), CONTRACT, frame, {"probabilities": probabilities}, {}, out)
    return json.loads((out / "evaluation.json").read_text())


@pytest.mark.slow
def test_a_function_of_ones_own_is_measured_gated_and_sliced(tmp_path: Path) -> None:
    truth, frame, probabilities = data()
    own = {
        "f2": {"code": f"{HERE}:f2", "better": "max", "title": "F2"},
        "known": {"code": f"{HERE}:classes_known", "better": "max"},
    }
    config = EvaluateConfig.model_validate({"metrics": own, "min": {"f2": 0.1}, "slices": ["plan"], "resamples": 100})
    found = measured(config, tmp_path)
    f2 = found["metrics"]["f2"]
    assert f2["value"] == pytest.approx(fbeta_score(truth, probabilities[:, 1] > 0.5, beta=2))
    assert f2["low"] < f2["value"] < f2["high"] and f2["title"] == "F2"
    assert found["metrics"]["known"]["value"] == 2
    assert found["gate"]["checks"][0]["name"] == "f2"
    rows = (frame["plan"] == "a").to_numpy()
    (by_plan,) = found["slices"]
    (of_a,) = [one for one in by_plan["slices"] if one["value"] == "a"]
    expected = fbeta_score(truth[rows], probabilities[rows, 1] > 0.5, beta=2)
    assert of_a["metrics"]["f2"]["value"] == pytest.approx(expected)
    with pytest.raises(StepSkipped, match=r"f2 .* is below 0\.99"):
        measured(config.updated({"min": {"f2": 0.99}}), tmp_path)


@pytest.mark.slow
def test_options_count_and_reach_the_function(tmp_path: Path) -> None:
    truth, _, probabilities = data()
    half = OwnMetric.model_validate({"code": {"path": f"{HERE}:f2", "options": {"beta": 0.5}}, "better": "max"})
    two = OwnMetric.model_validate({"code": f"{HERE}:f2", "better": "max"})
    assert half.identity() != two.identity()
    found = measured(EvaluateConfig(metrics={"half": half}, resamples=100), tmp_path)
    assert found["metrics"]["half"]["value"] == pytest.approx(fbeta_score(truth, probabilities[:, 1] > 0.5, beta=0.5))


@pytest.mark.slow
def test_the_interval_is_that_of_the_same_metric_of_the_house(tmp_path: Path) -> None:
    own = {"own_f1": {"code": {"path": f"{HERE}:f2", "options": {"beta": 1.0}}, "better": "max"}}
    metrics = measured(EvaluateConfig.model_validate({"metrics": own}), tmp_path)["metrics"]
    mine, house = metrics["own_f1"], metrics["f1"]
    assert mine["value"] == pytest.approx(house["value"])
    width = house["high"] - house["low"]
    assert mine["low"] == pytest.approx(house["low"], abs=0.25 * width)
    assert mine["high"] == pytest.approx(house["high"], abs=0.25 * width)


def test_what_is_wrong_is_said_before_or_with_the_shapes(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'f2'"):
        EvaluateConfig.model_validate({"metrics": {"f2": {"code": f"{HERE}:f2", "better": "max"}}, "min": {"f22": 0.1}})
    with pytest.raises(ValueError, match="give yours another name"):
        EvaluateConfig.model_validate({"metrics": {"auc": {"code": f"{HERE}:f2", "better": "max"}}})
    with pytest.raises(ValueError, match="say which way is better"):
        EvaluateConfig.model_validate({"metrics": {"f2": f"{HERE}:f2"}})
    with pytest.raises(UnknownName, match="did you mean"):
        measured(EvaluateConfig.model_validate({"metrics": {"x": {"code": f"{HERE}:f3", "better": "max"}}}), tmp_path)
    config = EvaluateConfig.model_validate({"metrics": {"x": {"code": f"{HERE}:broken", "better": "max"}}})
    with pytest.raises(StepFailed, match=r"metric 'x' raised IndexError(.|\n)*probabilities \[300, 2\]"):
        measured(config, tmp_path)


class WithMcc(Binary):
    """One entry is all that a new metric takes."""

    extra: ClassVar[Metric] = Metric("mcc", "max", "Matthews correlation", "between truth and answer", of=mcc)

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        return (*super().metrics_of(top_k), cls.extra)


def test_a_new_metric_of_a_task_is_one_entry(tmp_path: Path) -> None:
    truth, _, probabilities = data()
    found = measured(EvaluateConfig(resamples=100), tmp_path, WithMcc.of(CONTRACT))["metrics"]["mcc"]
    assert found["value"] == pytest.approx(matthews_corrcoef(truth, probabilities[:, 1] > 0.5))
    assert found["low"] < found["value"] < found["high"]
    assert WithMcc.better()["mcc"] == "max"
