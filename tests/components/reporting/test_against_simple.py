"""What the report says simple models are: those of the task, and only those that there are."""

import json
import re

import pytest

from kilnworks.components.judging.simple_models import USUAL
from kilnworks.components.reporting.report import render_report
from kilnworks.components.tasks.choose import TASKS
from tests.components.reporting.invented_run import InventedRun, dump

GAIN = {"value": 0.2, "low": 0.1, "high": 0.3, "method": "bootstrap", "rows": 40}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_a_task_that_is_compared_says_with_what(task) -> None:
    assert bool(task.simple) == bool(task.compared)
    assert set(task.simple) <= set(USUAL)


@pytest.mark.parametrize(
    ("task", "names", "words"),
    [
        ("detection", ["constant"], ": the mean box of each class, in the same places of every image (constant)."),
        ("regression", [*USUAL], ": the mean of the training rows (constant), ridge regression (linear)."),
        ("binary", ["constant"], ": the shares of the classes in the training rows (constant)."),
        ("of another release", [*USUAL], "."),
    ],
)
def test_the_page_says_what_they_are(tmp_path, task, names, words) -> None:
    run = InventedRun(tmp_path)
    run.done()
    place = run.path / "evaluation/evaluation.json"
    found = json.loads(place.read_text())
    simple = {name: {"metrics": {}, "gains": {"map50": GAIN}} for name in names}
    dump(place, {**found, "task": task, "simple": simple})
    page = re.sub(r"\s+", " ", render_report(run.path))
    assert f"judged on the same rows{words}</p>" in page


def test_there_is_a_column_of_limits_where_a_metric_has_one(tmp_path) -> None:
    run = InventedRun(tmp_path)
    run.done()
    assert ">gate</th>" in render_report(run.path)
    place = run.path / "evaluation/evaluation.json"
    found = json.loads(place.read_text())
    dump(place, {**found, "gate": {**found["gate"], "checks": []}})
    page = render_report(run.path)
    assert "95 % interval" in page and ">gate</th>" not in page and 'data-k="gate"' not in page
