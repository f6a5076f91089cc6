"""``kilnworks run`` and ``kilnworks step``, which Airflow's tasks call, end with the numbers that matter."""

import pytest

from kilnworks.components.reporting.sections.wording import budget_words
from kilnworks.pipelines.cli.app import main

JUDGED = """
import json
from pathlib import Path

from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.schemas.artifacts import Evaluation
from tests.pipelines.chain import MakeConfig, make


def judge(config: MakeConfig, out: Path) -> Evaluation:
    gain = {"value": 0.15, "low": 0.1, "high": 0.2}
    told = {
        "metrics": {"auc": {"value": 0.75, "low": 0.7, "high": 0.8}},
        "rows": 40,
        "split": "test",
        "simple": {"linear": {"metrics": {"auc": 0.6}, "gains": {"auc": gain}}},
        "gate": {"passed": True, "rule": "auc at least 0.7"},
    }
    (out / "evaluation.json").write_text(json.dumps(told))
    return Evaluation(out)


JUDGED = Pipeline("judged", (Step("one", make, MakeConfig()), Step("evaluation", judge, MakeConfig())))
"""
LINES = [
    "result   AUC 0.75 (0.7 to 0.8) on 40 test rows",
    "against  linear AUC 0.6 (gain +0.1 to +0.2)",
    "gate     open: auc at least 0.7",
]


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """The lines that a command prints, in a project with a pipeline that judges."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "judged.py").write_text(JUDGED)
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setattr("kilnworks.pipelines.cli.running.finish_run", lambda run: run.path / "report.html")

    def lines(*words: str) -> list[str]:
        assert main(words) == 0
        return capsys.readouterr().out.splitlines()

    return lines


def test_a_run_and_the_step_that_judges_end_with_the_numbers(told) -> None:
    lines = told("run", "judged", "--run-id", "r1")
    assert [line for line in lines if line in LINES] == LINES
    assert told("step", "judged", "one", "--run-id", "r2")[-1] not in LINES
    assert told("step", "judged", "evaluation", "--run-id", "r2")[-3:] == LINES


def test_what_a_budget_kept_a_training_from_is_said_before_the_result() -> None:
    half = {"config": {"budget_minutes": 0.5}, "epochs_run": 7}
    assert budget_words(half) == budget_words({"refit": {"left_out": 1}}) == ""
    over = {**half, "budget": {"over": True}}
    assert budget_words(over) == "", "it has come to its end"
    ended = "the budget of 0.5 min ended training after 7 epochs, the best of which is kept"
    assert budget_words({**over, "stopped_early": True}) == ended
    again = {"networks": 2, "left_out": 1, "cut": False}
    told = budget_words({**over, "stopped_early": True, "refit": again})
    assert told == f"{ended}; left no time for network 3 on all rows: the mean of the 2 before it answers"
