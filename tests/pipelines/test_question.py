"""What a person is asked before a step: both models on the same rows, better and worse, both reports."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from kilnworks.pipelines.core.compare import FILE, compare, on_same_rows, unmeasured
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.question import question, require_evaluation
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.artifacts import CheckedExamples, Deployment, Evaluation, Model
from kilnworks.schemas.champion import ChampionRecord, write_champion
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import DataInvalid, StepFailed, StepSkipped, StoreError, UnknownName
from kilnworks.schemas.files import write_json


class RowsConfig(Config):
    values: tuple[float, ...] = (1.0, 2.0, 6.0)


class JudgeConfig(Config):
    most: float = 1e9
    half_width: float = 0.1


def rows(config: RowsConfig, out: Path) -> CheckedExamples:
    write_json(out / "examples.json", {"values": config.values})
    return CheckedExamples(out)


def learn(config: Config, examples: CheckedExamples, out: Path) -> Model:
    """The mean of the rows."""
    write_json(out / "training.json", {"mean": fmean(values(examples))})
    return Model(out)


def judge(config: JudgeConfig, model: Model, examples: CheckedExamples, out: Path) -> Evaluation:
    """The mean absolute error of the model on the rows; closed above a limit."""
    mean = json.loads((model.path / "training.json").read_text())["mean"]
    if any(v < 0 for v in values(examples)):
        raise DataInvalid("values below 0", "positive values", "mend them")
    mae = fmean(abs(v - mean) for v in values(examples))
    metric = {"value": mae, "low": mae - config.half_width, "high": mae + config.half_width}
    none = {"value": None, "low": None, "high": None}
    own = {"value": mean * mean / mean, "low": None, "high": None}
    write_json(out / "evaluation.json", {"metrics": {"mae": metric, "r2": none, "own": own}})
    if mae > config.most:
        raise StepSkipped(f"mae {mae} is above {config.most}")
    return Evaluation(out)


def publish(config: Config, model: Model, out: Path) -> Deployment:
    return Deployment(out)


def values(examples: CheckedExamples) -> list[float]:
    return list(json.loads((examples.path / "examples.json").read_text())["values"])


def pipeline(*given: float, **judged) -> Pipeline:
    return Pipeline(
        "meters",
        (
            Step("rows", rows, RowsConfig(values=given)),
            Step("model", learn, Config(), {"examples": "rows"}),
            Step("evaluation", judge, JudgeConfig(**judged), {"model": "model", "examples": "rows"}),
            Step("deployment", publish, Config(), {"model": "model"}),
        ),
    )


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def ran(store, run_id, defined):
    run = store.run("meters", run_id)
    run_all(defined, run, selected=("rows", "model", "evaluation"))
    return run


def live(store, run_id, version=7):
    write_champion(store.root, ChampionRecord("meters", run_id, "meters", version, "x", "now"))


def error_of(trained_on, measured_on):
    """The mean absolute error of a mean, worked out apart from the pipeline."""
    mean = sum(trained_on) / len(trained_on)
    return sum(abs(v - mean) for v in measured_on) / len(measured_on)


def test_the_first_model_has_no_champion_beside_it(store):
    text = question(pipeline(1, 2, 6), ran(store, "first", pipeline(1, 2, 6)))
    assert text.startswith("There is no champion yet.")
    assert "| mae |  | 2.0000 (1.9000 to 2.1000) |  |" in text


def test_both_are_measured_on_the_rows_of_the_run(store):
    ran(store, "old", pipeline(1, 2, 6))
    live(store, "old")
    defined = pipeline(4, 5, 9, 10)
    run = ran(store, "new", defined)
    theirs, mine = error_of([1, 2, 6], [4, 5, 9, 10]), error_of([4, 5, 9, 10], [4, 5, 9, 10])
    assert "Each on rows of its own" in question(defined, run)
    found = compare(defined, run)
    assert found["metrics"]["mae"]["value"] == pytest.approx(theirs)
    text = question(defined, run)
    assert "version 7, of run `old`" in text
    assert f"| mae | {theirs:.4f} ({theirs - 0.1:.4f} to {theirs + 0.1:.4f}) | {mine:.4f} (" in text
    assert f"| {mine - theirs:+.4f}, better |" in text
    assert "| r2 |  |  |  |" in text
    assert "| own | 3.0000 | 7.0000 | +4.0000 |" in text, "nobody has said which way is better"
    assert "Both are measured on the same rows" in text


def test_worse_is_said_and_what_lies_within_the_interval(store):
    ran(store, "old", pipeline(4, 5, 9, 10))
    live(store, "old")
    defined = pipeline(4, 5, 9, 10, half_width=0.2)
    run = ran(store, "new", defined)
    (run.path / "evaluation" / "evaluation.json").write_text(
        json.dumps({"metrics": {"mae": {"value": 2.6, "low": 2.4, "high": 2.8}}})
    )
    compare(defined, run)
    assert "| mae | 2.5000 (2.3000 to 2.7000) | 2.6000 (2.4000 to 2.8000) | +0.1000, worse (within the interval) |" in (
        question(defined, run)
    )


def test_evaluations_of_the_same_rows_need_no_second_measurement(store):
    ran(store, "old", pipeline(1, 2, 6))
    live(store, "old")
    run = ran(store, "again", pipeline(1, 2, 6))
    assert on_same_rows(pipeline(1, 2, 6), run)["mae"]["value"] == error_of([1, 2, 6], [1, 2, 6])
    assert not (run.path / FILE).exists()
    assert "Both are measured on the same rows" in question(pipeline(1, 2, 6), run)


@pytest.mark.parametrize("change", ["champion", "evaluation"])
def test_what_was_measured_for_another_champion_or_evaluation_does_not_count(store, change):
    ran(store, "old", pipeline(1, 2, 6))
    ran(store, "other", pipeline(3, 3, 3))
    live(store, "old")
    defined = pipeline(4, 5, 9, 10)
    run = ran(store, "new", defined)
    compare(defined, run)
    assert on_same_rows(defined, run) is not None
    if change == "champion":
        live(store, "other", version=8)
    else:
        defined = pipeline(4, 5, 9, 11)
        ran(store, "new", defined)
    assert on_same_rows(defined, run) is None


def test_a_gate_that_the_champion_would_not_pass_closes_nothing(store):
    ran(store, "old", pipeline(1, 2, 6))
    live(store, "old")
    defined = pipeline(40, 41, most=5.0)
    run = ran(store, "new", defined)
    assert compare(defined, run)["metrics"]["mae"]["value"] == error_of([1, 2, 6], [40, 41])
    assert run.manifest("evaluation") is not None


def test_an_evaluation_that_breaks_with_the_champion_is_an_error_of_ours(store):
    run_all(pipeline(0, 0), store.run("meters", "old"), selected=("rows", "model"))
    live(store, "old")
    run = ran(store, "new", pipeline(4, 5))
    assert unmeasured(pipeline(4, 5), run)
    with pytest.raises(StepFailed, match="raised ZeroDivisionError"):
        compare(pipeline(4, 5), run)
    assert not (run.path / FILE).exists()


def test_why_the_champion_could_not_be_measured_is_said(store):
    ran(store, "old", pipeline(1, 2, 6))
    live(store, "old")
    run = ran(store, "new", pipeline(4, 5))
    assert "do not say which is better: no such column" in question(pipeline(4, 5), run, trouble="no such column")


def test_both_reports_are_linked(store):
    ran(store, "old", pipeline(1, 2, 6))
    live(store, "old")
    text = question(pipeline(4, 5), ran(store, "new", pipeline(4, 5)), lambda run: f"/reports/{run.run_id}")
    assert "[report](/reports/old)" in text
    assert "[report](/reports/new)" in text


def test_nothing_to_compare_is_an_error_that_says_so(store):
    run = store.run("meters", "r")
    with pytest.raises(StoreError, match="has no evaluation"):
        compare(pipeline(1, 2), run)
    ran(store, "r", pipeline(1, 2))
    with pytest.raises(UnknownName, match="champion"):
        compare(pipeline(1, 2), run)


def test_what_was_not_measured_cannot_be_approved_where_the_definition_measures(store):
    defined = pipeline(1, 2, 6, most=0.5)
    run = ran(store, "closed", defined)
    assert run.manifest("evaluation") is None
    with pytest.raises(StoreError, match="run closed of meters has no evaluation"):
        require_evaluation(defined, run, "deployment")
    require_evaluation(defined, run, "model")
    unmeasured = replace(defined, steps=tuple(s for s in defined.steps if s.name != "evaluation"))
    require_evaluation(unmeasured, run, "deployment")
    require_evaluation(pipeline(1, 2, 6), ran(store, "open", pipeline(1, 2, 6)), "deployment")
