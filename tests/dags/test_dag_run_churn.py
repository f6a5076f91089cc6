"""The churn pipeline by Airflow: every fingerprint is that of the local run, so every artifact is found again."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from kilnworks.pipelines.core.store import Store
from tests import preloaded
from tests.dags import airflow_home

pytestmark = [pytest.mark.nightly, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
CONF = {"model.epochs": 1, "evaluation.min": {}}
CODE = """
import json, sys
from airflow.sdk import DAG
import kilnworks.dags.training
run = kilnworks.dags.training.churn.test(run_conf=json.loads(sys.argv[1]))
print()
print(json.dumps([run.state, run.run_id]))
"""


def test_by_airflow_every_artifact_of_the_local_run_is_found_again(airflow_database, tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "KILNWORKS_ROOT": str(ROOT), "KILNWORKS_STORE": str(tmp_path)}
    settings = [word for name, value in CONF.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    local = [*preloaded.python(), "-m", "kilnworks", "run", "churn", "--run-id", "local", "--promote", *settings]
    subprocess.run(local, check=True, env=env, cwd=ROOT, capture_output=True)
    command = [*airflow_home.python(), "-c", CODE, json.dumps({**CONF, "live": "promote"})]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    state, run_id = json.loads(done.stdout.strip().splitlines()[-1])
    assert state == "success"
    ours, theirs = Store(tmp_path).run("churn", "local"), Store(tmp_path).run("churn", run_id)
    for step in ("examples", "checked", "transform", "model", "evaluation", "servable", "deployment"):
        assert theirs.manifest(step)["fingerprint"] == ours.manifest(step)["fingerprint"]
        assert (step, theirs.outcome(step)["outcome"]) == (step, "cached")
