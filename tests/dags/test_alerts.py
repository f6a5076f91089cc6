"""What people are told, in one line."""

import asyncio
from types import SimpleNamespace

import pytest

from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.decision import Comparand, DecisionRecord
from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.files import read_json

pytestmark = pytest.mark.slow


@pytest.fixture
def run(project):
    return Store(project).run("toy", "r1")


def context(task_id="evaluation", steps=("evaluation",), **extra):
    ti = SimpleNamespace(dag_id="toy", task_id=task_id)
    return {"ti": ti, "task": SimpleNamespace(steps=steps), "run_id": "r1", **extra}


def alerts(store):
    return [read_json(path) for path in sorted((store / "alerts").glob("*.json"))]


def test_a_failed_task_is_told_by_its_error_with_the_columns_rules_and_rows(run, project):
    from kilnworks.dags.alerts import task_failed

    listed = [f"{column} [train]: is between 0 and 120 (3 of 90 rows break it)" for column in "abcde"]
    error = DataInvalid("5 critical rule(s) of contract 'toy' broken:\n    " + "\n    ".join(listed))
    run.record("model", "failed", reason=error.got, error=error.record())
    task_failed(context("learn", ("checked", "model")))
    found = alerts(project)
    assert [(a["kind"], a["task"], a["text"]) for a in found] == [
        ("failed", "learn", f"5 critical rule(s) of contract 'toy' broken: {'; '.join(listed[:3])}; ... and 2 more")
    ]


def test_a_task_that_died_without_a_word_is_told_by_the_exception(run, project):
    from kilnworks.dags.alerts import task_failed

    task_failed(context(exception=RuntimeError("the command ended with signal SIGKILL")))
    assert alerts(project)[0]["text"] == "the command ended with signal SIGKILL"


def test_an_exception_without_words_is_told_too(run, project):
    from kilnworks.dags.alerts import task_failed

    task_failed(context(exception=TimeoutError()))
    assert [a["text"] for a in alerts(project)] == ["failed"]


def test_a_closed_gate_is_told_by_its_record_and_those_behind_it_are_not(run, project):
    from kilnworks.dags.alerts import gate_closed

    check = Comparand(name="auc", measured=0.71, comparison=">=", wanted=0.8, passed=False)
    scratch = run.path / "evaluation.skipped"
    scratch.mkdir(parents=True)
    record = DecisionRecord(gate="evaluation", passed=False, rule="auc at least 0.8", checks=(check,))
    record.write(scratch)
    gate_closed(context())
    gate_closed(context("servable", ("servable",)))
    assert [(a["kind"], a["text"]) for a in alerts(project)] == [("gate closed", record.headline)]


def test_an_alert_links_to_its_run(project, monkeypatch):
    from kilnworks.dags.alerts import tell

    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/team/")
    tell("failed", "toy", "manual__2026-01-02T03:04:05+00:00", "model", "text")
    told = "https://airflow.example/team/dags/toy/runs/manual__2026-01-02T03%3A04%3A05%2B00%3A00"
    assert [a["link"] for a in alerts(project)] == [told]


def test_a_late_run_is_told(project):
    from kilnworks.dags.alerts import deadline_missed

    asyncio.run(deadline_missed("toy", 3600, context={"dag_run": {"dag_run_id": "r9"}}))
    assert [(a["kind"], a["run_id"]) for a in alerts(project)] == [("late", "r9")]
