"""A run is tracked by a real MLflow server over HTTP, and read back from it; and MLflow's pages of a store."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilnworks.schemas.crashes import ending
from scripts.airflow.home import is_free
from tests import preloaded
from tests.components.reporting.invented_run import InventedRun
from tests.ports import held_port
from tests.waiting import LONG_SECONDS, until

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server; what one test sends there, the next one finds."""
    with held_port() as port:
        yield from tracking(tmp_path_factory.mktemp("tracking"), port)


def tracking(folder: Path, port: int) -> Iterator[str]:
    """An MLflow server on that port, as long as the generator is open; its address."""
    database, artifacts = f"sqlite:///{folder}/server.db", folder / "artifacts"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(artifacts)]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait(uri, process, folder / "log")
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(LONG_SECONDS)


def _wait(uri: str, process: subprocess.Popen, log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, f"the server ended with {ending(process.returncode)}:\n{log.read_text()[-3000:]}"
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    assert until(answers, 240, every=1), f"the server does not answer:\n{log.read_text()[-3000:]}"


def at_work(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """``mlflow_at_work.py`` in a process that finds TensorFlow loaded."""
    command = [*preloaded.python(), "-m", "tests.e2e.mlflow_at_work", *words]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def save_curve(folder: Path) -> str:
    """A published model, made in a process of its own; returns what Keras itself answers for 1 and -2.5, as JSON."""
    done = at_work("curve", str(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_a_run_is_tracked_over_http_once_and_read_back(server: str, tmp_path: Path) -> None:
    run = InventedRun(tmp_path / "store").done()
    expected = save_curve(tmp_path / "store/serving/churn/3")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server}
    done = at_work("read", str(run.path), server, expected, env=environment)
    assert done.stdout.strip() == "read back", done.stderr


@pytest.mark.nightly
def test_the_command_brings_runs_to_the_server_once(server: str, tmp_path: Path) -> None:
    InventedRun(tmp_path, "first").done()
    InventedRun(tmp_path, "goes-on").outcome("examples", "running")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server}
    command = [sys.executable, "-m", "kilnworks", "mlflow", "--no-open", "--store", str(tmp_path)]
    for words in ("churn: 1 brought in, 0 there already, 1 not ended", "churn: 0 brought in, 1 there already"):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert words in done.stdout and f"MLflow at {server}" in done.stdout
    assert not (tmp_path / "mlflow").exists()


def test_the_pages_of_the_stores_own_database_are_served_until_they_are_ended(tmp_path: Path) -> None:
    InventedRun(tmp_path, "first").done()
    with held_port() as port:
        shown(tmp_path, port)


def shown(store: Path, port: int) -> None:
    """The pages of a store at a port, until they are ended."""
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "kilnworks", "mlflow", "--no-open", "--port", str(port), "--store", str(store)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("churn: 1 brought in")
        assert process.stdout.readline().startswith(f"MLflow at http://127.0.0.1:{port} shows sqlite:///")
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search",
            b'{"experiment_ids": ["1"], "filter": "tags.kilnworks.champion = \'true\'"}',
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert json.load(answer)["runs"][0]["info"]["run_name"] == "first"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LONG_SECONDS)
    assert process.returncode == 0
    assert until(lambda: is_free(port))
