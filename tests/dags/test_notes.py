"""The note of a run on its page: why it failed, or which gate closed."""

from types import SimpleNamespace

import pytest

from kilnworks.pipelines.core.reasons import LONGEST, in_one_line
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.decision import Comparand, DecisionRecord
from kilnworks.schemas.files import write_json


@pytest.fixture
def run(project):
    return Store(project).run("toy", "r1")


def ended(note=None, tags=("kilnworks",)):
    return SimpleNamespace(dag_id="toy", run_id="r1", note=note, dag=SimpleNamespace(tags=set(tags)))


def closed(run, gate):
    check = Comparand(name="auc", measured=0.71, comparison=">=", wanted=0.8, passed=False)
    folder = run.path / "evaluation.skipped"
    folder.mkdir(parents=True)
    record = DecisionRecord(gate=gate, passed=False, rule="auc at least 0.8", checks=(check,))
    record.write(folder)
    run.record("evaluation", "skipped", reason=record.headline)
    return record


@pytest.mark.slow
def test_a_failed_run_says_which_rules_were_broken(run):
    from kilnworks.dags.notes import on_dag_run_failed

    run.record("checked", "failed", reason="1 rule(s) broken:\n    age [train]: is below 120 (3 of 9 rows break it)")
    run.record("model", "skipped", reason="step 'checked' failed")
    dag_run = ended()
    on_dag_run_failed(dag_run, "")
    assert dag_run.note == "1 rule(s) broken: age [train]: is below 120 (3 of 9 rows break it)"


@pytest.mark.slow
def test_a_run_that_stopped_at_a_gate_says_at_which(run):
    from kilnworks.dags.notes import on_dag_run_success

    record = closed(run, "evaluation")
    dag_run = ended()
    on_dag_run_success(dag_run, "")
    assert dag_run.note == record.headline == "evaluation gate closed: auc 0.71 is below 0.8"


@pytest.mark.slow
def test_a_good_run_says_verdict_version_and_metrics(run, project):
    from kilnworks.dags.notes import on_dag_run_success

    write_json(run.path / "evaluation" / "manifest.json", {"fingerprint": "f"})
    write_json(run.path / "evaluation" / "evaluation.json", {"metrics": {"auc": {"value": 0.81234}}})
    write_json(run.path / "deployment" / "manifest.json", {"fingerprint": "g"})
    write_json(run.path / "deployment" / "deployment.json", {"version": 3})
    for step in ("evaluation", "deployment"):
        run.record(step, "done", seconds=1.0)
    dag_run = ended()
    on_dag_run_success(dag_run, "")
    assert dag_run.note == "published, version 3, auc 0.8123"
    write_json(project / "champions" / "toy.json", {"run_id": "r1"})
    dag_run = ended()
    on_dag_run_success(dag_run, "")
    assert dag_run.note == "live, version 3, auc 0.8123"


@pytest.mark.slow
def test_a_trial_and_a_good_run_say_nothing(run):
    from kilnworks.dags.notes import on_dag_run_success

    run.record("checked", "done", seconds=1.0)
    closed(run, "trial")
    dag_run = ended()
    on_dag_run_success(dag_run, "")
    assert dag_run.note is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "dag_run",
    [
        ended(note="mine"),
        ended(tags=["another team"]),
        SimpleNamespace(dag_id="toy", run_id="r1", note=None, dag=None),
    ],
    ids=["a person's note", "another team's run", "set by hand"],
)
def test_a_note_of_a_person_stays_and_the_runs_of_others_are_theirs(run, dag_run):
    from kilnworks.dags.notes import on_dag_run_failed

    run.record("checked", "failed", reason="bad")
    before = dag_run.note
    on_dag_run_failed(dag_run, "")
    assert dag_run.note == before


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", ""),
        ("no space left", "no space left"),
        ("2 broken:\n    a: x\n\n    b: y\n", "2 broken: a: x; b: y"),
        ("broken:\n a\n b\n c\n d\n e", "broken: a; b; c; ... and 2 more"),
        ("column a holds 1\nin 3 rows", "column a holds 1; in 3 rows"),
    ],
)
def test_an_error_in_one_line(reason, told):
    assert in_one_line(reason) == told


def test_a_very_long_reason_is_cut():
    assert in_one_line("x" * 5000) == "x" * (LONGEST - 3) + "..."
