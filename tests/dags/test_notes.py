"""The note of a run on its page: why it failed, or which gate closed."""

import datetime as dt
from types import SimpleNamespace

import pytest

from kilnworks.pipelines.core.approval import record_answer
from kilnworks.pipelines.core.reasons import LONGEST, in_one_line
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import ChampionRecord, Decided, write_champion
from kilnworks.schemas.decision import Comparand, DecisionRecord
from kilnworks.schemas.files import write_json


@pytest.fixture
def run(project):
    return Store(project).run("toy", "r1")


BEGAN = dt.datetime(2026, 11, 29, 12, 0, 0, 700_000, tzinfo=dt.UTC)


def ended(note=None, tags=("kilnworks",), dag_id="toy"):
    dag = SimpleNamespace(tags=set(tags))
    return SimpleNamespace(dag_id=dag_id, run_id="r1", note=note, dag=dag, start_date=BEGAN)


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
def test_a_rejection_is_told_with_who_and_why(run):
    from kilnworks.dags.notes import on_dag_run_success

    record_answer(run, "deployment", approved=False, by="ana", comment="too late", settings={})
    run.record("deployment", "skipped", reason="rejected")
    dag_run = ended(note="waits: model will wait")
    on_dag_run_success(dag_run, "")
    assert dag_run.note.splitlines()[0] == "approval gate closed: rejected by ana: too late"


@pytest.mark.slow
def test_a_failed_retraining_names_its_new_files(run):
    from kilnworks.dags.notes import on_dag_run_failed

    files = [{"name": "base.csv", "kind": "base"}, {"name": "new.csv", "kind": "new"}]
    write_json(run.path / "run.json", {"landed": {"files": files}})
    run.record("checked", "failed", reason="column age holds 150")
    dag_run = ended()
    on_dag_run_failed(dag_run, "")
    assert dag_run.note == "column age holds 150; new files: new.csv"


def live(store, version, since, decided):
    path = str(store / "serving" / "toy" / str(version))
    write_champion(store, ChampionRecord("toy", f"r{version}", "toy", version, path, since), decided)


@pytest.mark.slow
def test_a_move_of_the_champion_is_told_in_the_note_of_its_run(project):
    from kilnworks.dags.notes import on_dag_run_success

    live(project, 1, "2026-11-29T11:59:00+00:00", Decided("promote", "bo", "long ago"))
    early = ended(dag_id="toy_champion")
    on_dag_run_success(early, "")
    assert early.note is None, "a move of before"
    live(project, 2, "2026-11-29T12:00:00+00:00", Decided("rollback", "ana", "the new one was worse"))
    dag_run = ended(dag_id="toy_champion")
    on_dag_run_success(dag_run, "")
    assert dag_run.note == "rolled back to run r2, live as version 2, by ana: the new one was worse"


@pytest.mark.slow
@pytest.mark.parametrize("dag_id", ["toy_champion", "toy_tune", "toy_craft"])
def test_what_was_refused_says_what_its_alert_says(project, dag_id):
    from kilnworks.dags.notes import on_dag_run_failed

    alert = {"at": BEGAN.timestamp(), "run_id": "r1", "text": "no run of toy 'x'"}
    write_json(project / "alerts" / f"20261129T120001-{dag_id}-aa.json", alert)
    write_json(project / "alerts" / f"20261129T120002-{dag_id}-bb.json", {**alert, "run_id": "r2", "text": "other"})
    dag_run = ended(dag_id=dag_id)
    on_dag_run_failed(dag_run, "")
    assert dag_run.note == "no run of toy 'x'"


@pytest.mark.slow
@pytest.mark.parametrize(("later", "note"), [(0.5, "retraining gate passed: 3 new rows"), (-60.0, None)])
def test_what_was_decided_on_new_data_is_the_note_of_that_run(project, later, note):
    from kilnworks.dags.notes import on_dag_run_success

    record = {"at": BEGAN.timestamp() + later, "headline": "retraining gate passed: 3 new rows"}
    write_json(project / "retraining" / "toy" / "decisions" / "000001.json", record)
    dag_run = ended(dag_id="toy_retrain")
    on_dag_run_success(dag_run, "")
    assert dag_run.note == note


@pytest.mark.slow
@pytest.mark.parametrize("text", ["{", "[]", '{"since": "2026-11-29T13:00:00+00:00", "at": "?", "run_id": "r1"}'])
@pytest.mark.parametrize("dag_id", ["toy_champion", "toy_retrain"])
def test_a_record_that_is_damaged_is_no_note(project, dag_id, text):
    from kilnworks.dags.notes import on_dag_run_failed

    for name in ("promotions/toy/000001", f"alerts/20261129T120001-{dag_id}-aa", "retraining/toy/decisions/000001"):
        path = project / f"{name}.json"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    dag_run = ended(dag_id=dag_id)
    on_dag_run_failed(dag_run, "")
    assert dag_run.note is None


@pytest.mark.slow
def test_a_gate_whose_record_is_damaged_hides_no_other_reason(run):
    from kilnworks.dags.notes import on_dag_run_failed

    run.record("model", "failed", reason="no space left")
    for name in ("model/decision.json", "approvals/model.json"):
        (run.path / name).parent.mkdir()
        (run.path / name).write_text("{")
    dag_run = ended()
    on_dag_run_failed(dag_run, "")
    assert dag_run.note == "no space left"


@pytest.mark.slow
def test_what_the_gates_let_go_live_meanwhile_was_not_moved_by_hand(project):
    from kilnworks.dags.notes import on_dag_run_success

    live(project, 1, "2026-11-29T12:00:01+00:00", Decided("promote", "ana", "better"))
    live(project, 2, "2026-11-29T12:00:02+00:00", Decided())
    dag_run = ended(dag_id="toy_champion")
    on_dag_run_success(dag_run, "")
    assert dag_run.note == "promoted run r1, live as version 1, by ana: better"


@pytest.mark.slow
@pytest.mark.parametrize("dag_id", ["tennis_champion", "tennis_retrain"])
def test_a_pipeline_may_be_called_as_other_dags_are(project, dag_id):
    from kilnworks.dags.notes import on_dag_run_failed

    Store(project).run(dag_id, "r1").record("checked", "failed", reason="column age holds 150")
    live(project, 1, "2026-11-29T12:00:01+00:00", Decided("promote", "ana", "better"))
    dag_run = ended(dag_id=dag_id)
    on_dag_run_failed(dag_run, "")
    assert dag_run.note == "column age holds 150"


@pytest.mark.slow
def test_a_run_that_waited_says_so_no_longer(project):
    from kilnworks.dags.notes import on_dag_run_success

    alert = {"kind": "no pool", "run_id": "r1", "text": "decide will wait"}
    write_json(project / "alerts" / "20261129T120001-toy_retrain-aa.json", alert)
    dag_run = ended(note="waits: decide will wait", dag_id="toy_retrain")
    on_dag_run_success(dag_run, "")
    assert dag_run.note is None


@pytest.mark.slow
def test_a_note_is_one_that_every_database_takes(run):
    """PostgreSQL refuses more than 1,000 characters and a NUL, no driver takes a half of a surrogate pair."""
    from kilnworks.dags.notes import on_dag_run_failed

    for step in range(5):
        run.record(f"step{step}", "failed", reason=f"file \udcff\0 token=s3cretvalue <{'x' * 500}")
    dag_run = ended()
    on_dag_run_failed(dag_run, "")
    assert dag_run.note.startswith("file ? token=*** \\<xxx")
    assert len(dag_run.note) == 1000 and dag_run.note.endswith("...")
    assert "\0" not in dag_run.note and dag_run.note.encode()


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
