"""The evaluate step from predictions on: files, gate, slices, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from kilnworks.components.evaluate import EvaluateConfig, evaluate
from kilnworks.components.tasks.choose import choose
from kilnworks.schemas.artifacts import CheckedExamples, Model
from kilnworks.schemas.contract import Contract, parse_contract
from kilnworks.schemas.decision import read_decision
from kilnworks.schemas.errors import ConfigError, StepFailed, StepSkipped, UnknownName
from tests.components.tasks.judged import judged

BINARY = parse_contract("""
name: loans
features:
  plan: {dtype: string}
  region: {dtype: string, sensitive: true}
  income: {dtype: float, nullable: true}
label: {name: late, dtype: string, classes: ["no", "yes"]}
""")
MULTI = parse_contract("""
name: flowers
features: {x: {dtype: float}}
label: {name: kind, dtype: int, classes: [10, 20, 30, 40]}
""")
NUMBER = parse_contract("""
name: houses
features: {x: {dtype: float}}
label: {name: price, dtype: float}
""")


def names(contract: Contract, top_k: int = 1) -> list[str]:
    return [metric.name for metric in choose(contract).metrics_of(top_k)]


def binary_data(n: int = 600) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.random(n) < 0.4
    score = np.clip(0.35 + 0.3 * truth + 0.15 * rng.normal(size=n), 0.001, 0.999).astype(np.float32)
    plan = np.where(rng.random(n) < 0.7, "basic", "gold")
    plan[:3] = "rare"
    frame = pl.DataFrame({"late": np.where(truth, "yes", "no"), "plan": plan, "region": plan, "income": rng.random(n)})
    return frame, np.stack([1 - score, score], axis=1)


def written(out: Path) -> dict:
    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads((out / "evaluation.json").read_text(), parse_constant=no_constant)


def test_binary_evaluation_says_everything_about_the_model(tmp_path: Path) -> None:
    frame, predicted = binary_data()
    config = EvaluateConfig(min={"auc": 0.8}, max={"log_loss": 0.69}, resamples=200)
    evaluation = judged(config, BINARY, frame, predicted, {"model": "abc"}, tmp_path)
    results = written(tmp_path)
    assert results == evaluation.results
    assert list(results["metrics"]) == names(BINARY)
    assert (results["task"], results["split"], results["rows"], results["label"]) == ("binary", "test", 600, "late")
    expected = roc_auc_score(frame["late"].to_numpy() == "yes", predicted[:, 1])
    assert results["metrics"]["auc"]["value"] == pytest.approx(expected)
    assert np.sum(results["confusion"]["matrix"]) == 600
    assert results["confusion"]["labels"] == ["no", "yes"]
    assert set(results["curves"]) == {"scores", "roc", "precision_recall"}
    assert results["calibration"]["of"] == "probability of yes"
    assert results["gate"]["passed"] is True
    assert results["baseline"]["rule"] == "always no"
    decision = read_decision(tmp_path)
    assert decision.passed
    assert decision.inputs == {"model": "abc"}
    assert [c.comparison for c in decision.checks] == [">=", "<="]


def test_multiclass_and_regression_have_their_own_metrics(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 200)
    probability = rng.dirichlet(np.ones(4), 200) + 2 * np.eye(4)[truth]
    probability /= probability.sum(axis=1, keepdims=True)
    frame = pl.DataFrame({"kind": (truth + 1) * 10})
    judged(EvaluateConfig(top_k=2, resamples=100), MULTI, frame, probability, {}, tmp_path)
    results = written(tmp_path)
    assert list(results["metrics"]) == names(MULTI, 2)
    assert results["confusion"]["labels"] == ["10", "20", "30", "40"]
    assert [c["class"] for c in results["by_class"]] == ["10", "20", "30", "40"]
    assert list(results["curves"]["roc"]) == ["10", "20", "30", "40"]

    value = rng.normal(100, 20, 300)
    judged(EvaluateConfig(resamples=100), NUMBER, pl.DataFrame({"price": value}), value + 1, {}, tmp_path)
    results = written(tmp_path)
    assert list(results["metrics"]) == names(NUMBER)
    assert results["metrics"]["mae"]["value"] == pytest.approx(1)
    assert "confusion" not in results


def test_a_closed_gate_writes_both_files_and_then_skips(tmp_path: Path) -> None:
    frame, predicted = binary_data()
    config = EvaluateConfig(min={"auc": 0.999, "accuracy": 0.1}, resamples=100)
    with pytest.raises(StepSkipped) as caught:
        judged(config, BINARY, frame, predicted, {}, tmp_path)
    assert "auc" in caught.value.got
    assert "is below 0.999" in caught.value.got
    assert "accuracy" not in caught.value.got
    assert not read_decision(tmp_path).passed
    assert json.loads((tmp_path / "decision.json").read_text())["headline"] == caught.value.got
    assert written(tmp_path)["gate"]["passed"] is False
    assert caught.value.record()["details"]["checks"][0]["name"] == "auc"


def test_the_worse_end_of_the_interval_can_be_what_counts(tmp_path: Path) -> None:
    frame, predicted = binary_data()
    judged(EvaluateConfig(resamples=200), BINARY, frame, predicted, {}, tmp_path)
    auc, loss = written(tmp_path)["metrics"]["auc"], written(tmp_path)["metrics"]["log_loss"]
    between = {"auc": (auc["low"] + auc["value"]) / 2}
    above = {"log_loss": (loss["value"] + loss["high"]) / 2}
    judged(EvaluateConfig(resamples=200, min=between, max=above), BINARY, frame, predicted, {}, tmp_path)
    for limits in ({"min": between}, {"max": above}):
        with pytest.raises(StepSkipped):
            judged(EvaluateConfig(resamples=200, use="low", **limits), BINARY, frame, predicted, {}, tmp_path)


def test_one_class_missing_gives_reasons_and_closes_a_gate_on_what_is_undefined(tmp_path: Path) -> None:
    frame, predicted = binary_data()
    one = frame["late"] == "no"
    rows, predicted = frame.filter(one), predicted[one.to_numpy()]
    judged(EvaluateConfig(resamples=100, max={"brier": 1}), BINARY, rows, predicted, {}, tmp_path)
    results = written(tmp_path)
    assert results["metrics"]["auc"] == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "no row is of the positive class",
    }
    assert set(results["curves"]) == {"scores"}
    with pytest.raises(
        StepSkipped, match=r"auc is undefined and should be at least 0\.5 \(no row is of the positive class\)"
    ):
        judged(EvaluateConfig(resamples=100, min={"auc": 0.5}), BINARY, rows, predicted, {}, tmp_path)


def test_slices_measure_each_frequent_value_and_mask_sensitive_ones(tmp_path: Path) -> None:
    frame, predicted = binary_data()
    config = EvaluateConfig(slices=("plan", "region"), slice_min_rows=10, resamples=100)
    judged(config, BINARY, frame, predicted, {}, tmp_path)
    plan, region = written(tmp_path)["slices"]
    assert [s["value"] for s in plan["slices"]] == ["basic", "gold"]
    assert plan["left_out"] == {"values": 1, "rows": 3}
    gold = (frame["plan"] == "gold").to_numpy()
    expected = roc_auc_score(frame["late"].to_numpy()[gold] == "yes", predicted[gold, 1])
    assert plan["slices"][1]["metrics"]["auc"]["value"] == pytest.approx(expected)
    assert plan["slices"][1]["rows"] == gold.sum()
    assert [s["value"] for s in region["slices"]] == ["value 1 (masked)", "value 2 (masked)"]


def test_unknown_metrics_are_refused_when_the_config_is_made() -> None:
    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        EvaluateConfig(min={"acuracy": 0.8})
    EvaluateConfig(min={"top_5_accuracy": 0.8}, top_k=5)
    with pytest.raises(ValueError, match="above the largest"):
        EvaluateConfig(min={"auc": 0.9}, max={"auc": 0.8})
    with pytest.raises(ValueError, match="finite"):
        EvaluateConfig(min={"auc": float("nan")})


def checked(tmp_path: Path, contract: Contract, rows: int = 5) -> CheckedExamples:
    tmp_path.mkdir(parents=True, exist_ok=True)
    description = {"contract": contract.model_dump(mode="json"), "splits": {"test": {"rows": rows, "files": []}}}
    (tmp_path / "examples.json").write_text(json.dumps(description))
    return CheckedExamples(tmp_path)


def trained(tmp_path: Path, contract: Contract) -> Model:
    tmp_path.mkdir(parents=True, exist_ok=True)
    (tmp_path / "training.json").write_text(json.dumps({"contract": contract.model_dump(mode="json")}))
    return Model(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (EvaluateConfig(split="tset"), "did you mean 'test'"),
        (EvaluateConfig(min={"rmse": 1}), "no metric of a binary task 'rmse'"),
        (EvaluateConfig(min={"top_3_accuracy": 1}), "no metric of a binary task"),
        (EvaluateConfig(slices=("plam",)), "did you mean 'plan'"),
        (EvaluateConfig(slices=("income",)), "cannot slice by 'income'"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_the_model_is_opened(
    tmp_path: Path, config: EvaluateConfig, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluate(config, trained(tmp_path / "m", BINARY), checked(tmp_path / "e", BINARY), tmp_path)


def test_an_empty_split_and_a_foreign_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="no rows"):
        evaluate(EvaluateConfig(), trained(tmp_path / "m", BINARY), checked(tmp_path / "e", BINARY, 0), tmp_path)
    with pytest.raises(ConfigError, match="another label"):
        evaluate(EvaluateConfig(), trained(tmp_path / "m", MULTI), checked(tmp_path / "f", BINARY), tmp_path)


def test_predictions_and_labels_that_cannot_be_judged_fail_with_a_reason(tmp_path: Path) -> None:
    frame, predicted = binary_data()
    broken = predicted.copy()
    broken[5] = np.nan
    with pytest.raises(StepFailed, match="1 of 600 predictions are NaN"):
        judged(EvaluateConfig(), BINARY, frame, broken, {}, tmp_path)
    with pytest.raises(StepFailed, match="shape"):
        judged(EvaluateConfig(), BINARY, frame, predicted[:, :1], {}, tmp_path)
    strange = frame.with_columns(late=pl.lit("maybe"))
    with pytest.raises(StepFailed, match=r"600 labels .* \['maybe'\]"):
        judged(EvaluateConfig(), BINARY, strange, predicted, {}, tmp_path)
    with pytest.raises(StepFailed, match="1 labels"):
        judged(EvaluateConfig(), NUMBER, pl.DataFrame({"price": [1.0, None]}), np.ones(2), {}, tmp_path)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    frame, predicted = binary_data()
    texts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        judged(EvaluateConfig(resamples=100), BINARY, frame, predicted, {}, tmp_path / name)
        texts.append((tmp_path / name / "evaluation.json").read_bytes())
    assert texts[0] == texts[1]


def test_importing_the_step_imports_nothing_heavy() -> None:
    code = (
        "import sys, kilnworks.components.evaluate as e; e.EvaluateConfig(min={'auc': .8});"
        "print([m for m in ('numpy','polars','tensorflow','keras','sklearn','mlflow','jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_real_model_is_measured_on_every_shard(tmp_path: Path, task: str) -> None:
    from kilnworks.components.learning.predict import predict
    from kilnworks.components.preprocess import preprocess
    from tests.components.features import tabular

    contract = tabular.contract(task)
    parts = [tabular.rows(60, seed=1, task=task), tabular.rows(41, seed=2, task=task)]
    splits = {"train": [tabular.rows(200, task=task)], "test": parts}
    examples = tabular.examples(tmp_path / "examples", contract, splits)
    model = tabular.untrained(tmp_path / "model", preprocess(tabular.SETTINGS, examples, tmp_path / "transform"))
    (tmp_path / "model" / "manifest.json").write_text('{"fingerprint": "f00d"}')
    (tmp_path / "out").mkdir()
    config = EvaluateConfig(resamples=100, slices=("shop",), slice_min_rows=1)
    results = evaluate(config, model, examples, tmp_path / "out").results
    assert results["rows"] == 101
    assert results["gate"]["inputs"] == {"model": "f00d"}
    rows = pl.concat(parts)
    (predicted,) = predict(model, rows).values()
    truth = rows[contract.label.name]
    if task == "regression":
        expected, name = float(np.abs(predicted - truth.to_numpy()).mean()), "mae"
    else:
        labels = np.array([str(c) for c in contract.label.classes])
        expected, name = (
            float((labels[predicted.argmax(axis=1)] == truth.cast(pl.String).to_numpy()).mean()),
            "accuracy",
        )
    assert results["metrics"][name]["value"] == pytest.approx(expected, rel=1e-6)
    (by_shop,) = results["slices"]
    assert sum(s["rows"] for s in by_shop["slices"]) + by_shop["left_out"]["rows"] == 101
