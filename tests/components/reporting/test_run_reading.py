"""Reading a run, and its short form for tables."""

import json
import shutil
from pathlib import Path

import pytest

from kilnworks.components.reporting.reading import read_history, read_run
from kilnworks.components.reporting.summary import run_summary
from kilnworks.schemas.json_values import as_number
from tests.components.reporting.invented_run import CHAIN, InventedRun, dump


def test_steps_come_inputs_first_with_their_sources(tmp_path: Path) -> None:
    run = read_run(InventedRun(tmp_path).done().path)
    assert [s.name for s in run.steps] == list(CHAIN)
    assert run.steps[5].sources == {"model": "model", "examples": "checked", "evaluation": "evaluation"}
    assert not any(s.assumed for s in run.steps)
    assert run.sensitive == {"income"}


def test_a_step_without_a_record_of_its_inputs_is_put_after_the_last_and_marked(tmp_path: Path) -> None:
    invented = InventedRun(tmp_path)
    invented.examples()
    shutil.rmtree(invented.path / "checked")
    invented.checked_failed()
    step = read_run(invented.path).steps[-1]
    assert (step.name, step.outcome, step.assumed) == ("checked", "failed", True)
    assert list(step.sources.values()) == ["examples"]
    assert step.error["type"] == "DataInvalid"


def test_steps_that_the_run_announces_are_waiting_until_they_begin(tmp_path: Path) -> None:
    invented = InventedRun(tmp_path)
    content = json.loads((invented.path / "run.json").read_text())
    steps = [{"name": n, "component": c, "inputs": i} for n, (_, c, i) in CHAIN.items()]
    dump(invented.path / "run.json", {**content, "steps": steps})
    invented.examples()
    run = read_run(invented.path)
    assert {s.name: s.outcome for s in run.steps} == {**dict.fromkeys(CHAIN, "waiting"), "examples": "done"}
    assert run.outcome == "unfinished"
    assert run.steps[3].sources == {"examples": "checked", "transform": "transform"}


def test_summary_of_each_state(tmp_path: Path) -> None:
    done = run_summary(InventedRun(tmp_path / "a").done().path)
    assert (done["outcome"], done["champion"], done["version"]) == ("done", True, 3)
    assert set(done["metrics"]) >= {"auc", "log_loss"}
    assert done["seconds"] == pytest.approx(0.008 + 0.94 + 38.2 + 1.12 + 4.4 + 0.31)
    json.dumps(done)

    closed = InventedRun(tmp_path / "b")
    closed.examples()
    closed.checked()
    closed.model()
    closed.evaluation(limit=0.99)
    skipped = run_summary(closed.path)
    assert skipped["outcome"] == "skipped"
    assert skipped["reason"].startswith("evaluation gate closed")
    assert not skipped["champion"]

    assert run_summary(tmp_path / "s" / "runs" / "p" / "r")["outcome"] == "empty"


def test_skipped_steps_hang_on_the_one_that_closed_the_gate_whatever_their_names(tmp_path: Path) -> None:
    run = InventedRun(tmp_path)
    run.examples()
    run.checked()
    run.model()
    run.evaluation(limit=0.99)
    at = "2026-01-02T03:04:20.000Z"
    for step, blocker in (("servable", "evaluation"), ("deployment", "servable")):
        record = {"step": step, "outcome": "skipped", "at": at, "reason": "in other words", "blocked_by": blocker}
        dump(run.path / "outcomes" / f"{step}.json", record)
    steps = read_run(run.path).steps
    assert [s.name for s in steps] == list(CHAIN)
    assert [list(s.sources.values()) for s in steps[-2:]] == [["evaluation"], ["servable"]]


def test_another_run_as_champion_is_not_this_one(tmp_path: Path) -> None:
    run = InventedRun(tmp_path).done()
    pointer = tmp_path / "champions" / "churn.json"
    dump(pointer, {**json.loads(pointer.read_text()), "run_id": "later", "path": "/elsewhere/4"})
    assert not run_summary(run.path)["champion"]


def test_history_cells_that_hold_no_number_are_none(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,val_loss\n0,0.5,\n1,nan,0.25\n\n")
    assert read_history(path) == {"epoch": [0, 1], "loss": [0.5, None], "val_loss": [None, 0.25]}
    path.write_text("")
    assert read_history(path) == {}
    assert [as_number(v) for v in ("1.5", None, "x", float("inf"), True)] == [1.5, None, None, None, 1.0]
