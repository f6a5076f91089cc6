"""The numbers that a run ends with, on a terminal, in a pipe and in Airflow's log."""

import io
import json
import re
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score, roc_auc_score

from kilnworks.components.evaluate import EvaluateConfig, conclude
from kilnworks.components.reporting.report import render_report
from kilnworks.components.reporting.results import result_lines
from kilnworks.components.tasks.choose import choose
from kilnworks.pipelines.cli.console import MOST_LINES, Console, watched
from kilnworks.pipelines.core.events import StepEvent
from kilnworks.schemas.context import Progress
from kilnworks.schemas.contract import parse_contract
from tests.components.reporting.invented_run import InventedRun

FRAUD = parse_contract("""
name: fraud
features: {x: {dtype: float}}
label: {name: kind, dtype: string, classes: ["fine", "fraud"]}
""")


def judged_run(folder: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """A run with an evaluation of rows of which few are fraud; truth and score."""
    r = np.random.default_rng(0)
    truth = r.random(900) < 0.06
    score = 1 / (1 + np.exp(-(2.0 * truth - 3 + r.normal(size=900))))
    answers = np.stack([1 - score, score], axis=1)
    constant = np.tile([0.94, 0.06], (900, 1))
    frame = pl.DataFrame({"kind": np.where(truth, "fraud", "fine")})
    run = folder / "runs" / "fraud" / "r1"
    out = run / "evaluation"
    out.mkdir(parents=True)
    (run / "run.json").write_text('{"pipeline": "fraud", "run_id": "r1"}')
    config = EvaluateConfig(resamples=200, better_than=("constant",))
    simple = {"constant": {"probabilities": constant}}
    conclude(config, choose(FRAUD).of(FRAUD), FRAUD, frame, {"probabilities": answers}, {}, out, simple=simple)
    (out / "manifest.json").write_text('{"kind": "Evaluation"}')
    return run, truth, score


def test_a_run_ends_with_its_numbers_those_of_the_rare_class_first(tmp_path):
    run, truth, score = judged_run(tmp_path)
    told = dict(result_lines(run))
    precision, area = average_precision_score(truth, score), roc_auc_score(truth, score)
    assert told["result"].startswith(f"Average precision {precision:.4g} (") and f"AUC {area:.4g} (" in told["result"]
    assert told["result"].endswith(f"on 900 test rows, of which {truth.mean():.1%} are fraud")
    assert re.fullmatch(r"constant AUC 0\.5 \(gain \+0\.\d+ to \+0\.\d+\)", told["against"])
    assert told["gate"].startswith("open: on test: gain in auc over the constant model")
    page = render_report(run)
    assert re.search(r">fraud</div><div class=\"v\">" + f"{truth.mean():.1%}", page)
    assert page.index("Average precision") < page.index("AUC")


def test_before_an_evaluation_there_is_nothing_to_say(tmp_path):
    assert result_lines(tmp_path) == []


def test_a_balanced_class_is_told_by_auc(tmp_path):
    run = InventedRun(tmp_path)
    run.evaluation()
    assert dict(result_lines(run.path))["result"].startswith("AUC ")


def test_a_value_without_an_interval_is_told_and_so_is_one_that_is_not_defined(tmp_path):
    """An evaluation of one's own need not say how many rows it judged."""
    out = tmp_path / "evaluation"
    out.mkdir()
    (tmp_path / "run.json").write_text('{"pipeline": "p", "run_id": "r"}')
    (out / "manifest.json").write_text('{"kind": "Evaluation"}')
    (out / "evaluation.json").write_text('{"metrics": {"auc": {"value": 0.75, "low": null}, "f1": {"value": null}}}')
    assert result_lines(tmp_path) == [("result", "AUC 0.75, F1 undefined")]


def test_the_metric_of_the_simple_models_is_told_of_the_model_too(tmp_path):
    """Of numbers the mean absolute error comes first, and gains are those of the root mean squared error."""
    out = tmp_path / "evaluation"
    out.mkdir()
    (tmp_path / "run.json").write_text('{"pipeline": "p", "run_id": "r"}')
    (out / "manifest.json").write_text('{"kind": "Evaluation"}')
    gain = {"value": 1.2, "low": 1.1, "high": 1.3}
    metrics = {name: {"value": value} for name, value in (("mae", 1.5), ("rmse", 2.0), ("r2", 0.9))}
    simple = {"linear": {"metrics": {"mae": 2.5, "rmse": 3.2}, "gains": {"rmse": gain}}}
    told = {"task": "regression", "metrics": metrics, "simple": simple}
    (out / "evaluation.json").write_text(json.dumps(told))
    assert result_lines(tmp_path) == [
        ("result", "Mean absolute error 1.5, R² 0.9, Root mean squared error 2"),
        ("against", "linear Root mean squared error 3.2 (gain +1.1 to +1.3)"),
    ]


def test_parts_of_a_network_are_told_in_per_cent():
    text = io.StringIO()
    with watched(Console(file=text, force_terminal=False), None) as hear:
        for done in (2.0, 45 / 13):
            hear(StepEvent("model", "running", Progress(done, 6, "network 1 on all rows"), done))
    assert text.getvalue().splitlines()[-1].startswith("model: 58% network 1 on all rows")


def test_prices_are_told_as_people_write_them(tmp_path):
    """The fifth digit used to be told by an exponent, 4.743e+04."""
    out = tmp_path / "evaluation"
    out.mkdir()
    (tmp_path / "run.json").write_text('{"pipeline": "p", "run_id": "r"}')
    (out / "manifest.json").write_text('{"kind": "Evaluation"}')
    metrics = {"mae": {"value": 47434.6, "low": 35258.0, "high": 62400.0}, "rmse": {"value": 74150.0}}
    simple = {"linear": {"metrics": {"rmse": 1157012.0}, "gains": {"rmse": {"low": -17210.0, "high": 67120.0}}}}
    told = {"task": "regression", "metrics": metrics, "simple": simple}
    (out / "evaluation.json").write_text(json.dumps(told))
    assert result_lines(tmp_path) == [
        ("result", "Mean absolute error 47,430 (35,260 to 62,400), R² undefined, Root mean squared error 74,150"),
        ("against", "linear Root mean squared error 1,157,000 (gain -17,000 to +67,000)"),
    ]


def test_a_pipe_gets_few_lines_of_many_epochs_and_the_last_one():
    for epochs, most in ((200, MOST_LINES + 2), (5, 5), (60, MOST_LINES + 2)):
        text = io.StringIO()
        with watched(Console(file=text, force_terminal=False), None) as hear:
            hear(StepEvent("model", "running"))
            for tenth in range(10 * epochs + 1):
                note = f"epoch {tenth // 10}"
                hear(StepEvent("model", "running", Progress(tenth / 10, epochs, note), tenth / 10))
        lines = text.getvalue().splitlines()[1:]
        assert epochs // -(-epochs // MOST_LINES) - 1 <= len(lines) <= most
        assert lines[-1].startswith(f"model: {epochs}/{epochs} epoch {epochs}")


def test_within_a_part_progress_is_told_in_per_cent():
    """A training of three networks is a third of a network further, not 1.52174/3."""
    text = io.StringIO()
    with watched(Console(file=text, force_terminal=False), None) as hear:
        hear(StepEvent("model", "running", Progress(1 + 12 / 23, 3, "network 1 on all rows: epoch 12/23"), 80.0))
    assert text.getvalue().startswith("model: 51% network 1 on all rows: epoch 12/23")
