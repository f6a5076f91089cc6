"""A DAG run makes what a local run makes, and ends as it should."""

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from kilnworks.pipelines.core.store import Run, Store
from kilnworks.schemas.files import read_json
from tests import preloaded
from tests.dags import airflow_home
from tests.effort import some

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "project"
STEPS = ("checked", "model", "evaluation", "servable", "deployment")
CASES = {
    "plain": ("toy", {"model.epochs": 3, "live": "promote"}),
    "grouped": ("grouped", {"model.epochs": 3, "live": "promote"}),
    "closed gate": ("toy", {"evaluation.minimum": {"mean": 5}}),
    "gate closed in a group": ("grouped", {"evaluation.minimum": {"mean": 5}}),
    "no such setting": ("toy", {"model.epoch": 3}),
    "bad data": ("toy", {"model.fail": "data"}),
}
"""In this order: in one process ``dag.test()`` keeps the params of one run as the defaults of the next."""
CODE = """
import json, sys
from airflow.sdk import DAG
import kilnworks.dags.training
found = {}
for case, (name, conf) in json.loads(sys.argv[1]).items():
    run = getattr(kilnworks.dags.training, name).test(run_conf=conf)
    tasks = {ti.task_id: ti.state for ti in run.get_task_instances()}
    found[case] = {"state": run.state, "run_id": run.run_id, "tasks": tasks}
print()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def runs(airflow_database, tmp_path_factory):
    """Every case through ``dag.test()``, one after the other in one process that has no other purpose."""
    store = tmp_path_factory.mktemp("runs") / "store"
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "KILNWORKS_ROOT": str(PROJECT),
        "KILNWORKS_STORE": str(store),
        **airflow_home.only(tmp_path_factory.mktemp("dags"), "toy", "grouped"),
    }
    cases = {name: CASES[name] for name in some(CASES, [name for name in CASES if name != "closed gate"])}
    command = [*airflow_home.python(), "-c", airflow_home.forked_steps() + CODE, json.dumps(cases)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    opened = {case: Store(store).run(CASES[case][0], made["run_id"]) for case, made in found.items()}
    return {case: SimpleNamespace(**made, run=opened[case]) for case, made in found.items()}


def locally(store: Path, name: str, *arguments: str) -> Run:
    command = [*preloaded.python(), "-m", "kilnworks", "run", name, "--run-id", "local", "--store", str(store)]
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Store(store).run(name, "local")


def content(run: Run, step: str):
    """Fingerprint and bytes of an artifact; not the places that a deployment names."""
    manifest = run.manifest(step)
    files = {f: d["sha256"] for f, d in manifest["files"].items() if step != "deployment"}
    return manifest["fingerprint"], files


def test_every_artifact_equals_that_of_a_local_run(runs, project, tmp_path):
    made = runs["plain"]
    assert made.state == "success"
    assert set(made.tasks.values()) == {"success"}
    local = locally(tmp_path / "other", "toy", "--set", "model.epochs=3", "--promote")
    for step in STEPS:
        assert content(made.run, step) == content(local, step)
    record = read_json(made.run.path / "run.json")
    assert record["overrides"] == {"model.epochs": 3}
    assert record["trigger"] == "Airflow, manual"


def test_steps_that_share_a_process_make_the_same(runs):
    made = runs["grouped"]
    assert made.tasks == {"checked": "success", "learn": "success", "deployment": "success", "finish": "success"}
    for step in STEPS:
        assert content(made.run, step) == content(runs["plain"].run, step)
        assert made.run.outcome(step)["outcome"] in ("done", "cached")


def test_a_run_with_a_failed_step_ends_failed_and_still_has_its_report(runs):
    made = runs["bad data"]
    assert made.state == "failed"
    assert made.tasks == {
        "checked": "success",
        "model": "failed",
        "evaluation": "upstream_failed",
        "servable": "upstream_failed",
        "deployment": "upstream_failed",
        "finish": "success",
    }
    assert (made.run.path / "report.html").is_file()


@pytest.mark.nightly
def test_a_closed_gate_skips_what_hangs_on_it_and_is_no_failure(runs):
    made = runs["closed gate"]
    assert made.state == "success"
    skipped = {task for task, state in made.tasks.items() if state == "skipped"}
    assert skipped == {"evaluation", "servable", "deployment"}
    assert made.run.outcome("deployment")["reason"] == "servable was skipped"
    assert "mean 2 is below 5" in made.run.outcome("evaluation")["reason"]


def test_a_gate_that_closes_inside_a_group_skips_what_hangs_on_the_group(runs):
    made = runs["gate closed in a group"]
    assert made.state == "success"
    assert made.tasks == {"checked": "success", "learn": "success", "deployment": "skipped", "finish": "success"}
    assert made.run.outcome("servable")["outcome"] == "skipped"


def test_a_setting_that_is_none_ends_the_run_at_once(runs):
    made = runs["no such setting"]
    assert made.state == "failed"
    assert made.tasks["checked"] == "failed"
