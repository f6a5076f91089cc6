"""A run is tracked by a real MLflow server over HTTP, and read back from it; and MLflow's pages of a store."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components.reporting.invented_run import InventedRun
from tests.waiting import until

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.e2e

TRACK_AND_READ = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from kilnworks.components.tracking.tracker import track_run
run, uri, expected = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
ids = [track_run(run) for _ in range(2)]
assert ids[0] and ids[0] == ids[1], ids
from mlflow import MlflowClient
client = MlflowClient(uri, uri)
found = client.get_run(ids[0])
assert found.info.status == "FINISHED" and found.data.params["model.epochs"] == "12"
assert len(client.get_metric_history(ids[0], "loss")) == 12
assert any(a.path == "figures/roc.svg" for a in client.list_artifacts(ids[0], "figures"))
version = client.get_model_version_by_alias("churn", "champion")
assert version.run_id == ids[0] and version.tags["kilnworks.path"].endswith("serving/churn/3")
assert len(client.search_model_versions("name = 'churn'")) == 1
import mlflow, pandas
mlflow.set_tracking_uri(uri)
served = Path(version.tags["kilnworks.path"])
served.rename(served.with_name("gone"))
model = mlflow.pyfunc.load_model("models:/churn@champion")
answers = model.predict(pandas.DataFrame({"x": [1.0, -2.5]}))["y"].tolist()
assert max(abs(a - b) for a, b in zip(answers, json.loads(expected), strict=True)) < 1e-6, answers
[tagged] = client.search_runs([found.info.experiment_id], "tags.kilnworks.champion = 'true' and metrics.test_auc > 0.5")
assert tagged.info.run_id == ids[0] and tagged.inputs.dataset_inputs[0].dataset.name == "churn"
print("read back")
"""


CURVE = """
import json, sys
from pathlib import Path
import keras, numpy as np
import tensorflow as tf
from kilnworks.components.exporting.mlflow_model import write_mlflow
from kilnworks.schemas.files import write_json
from kilnworks.schemas.wire import INPUTS_FILE
folder = Path(sys.argv[1])
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
curve = tf.function(lambda x: {"y": model(x[:, None])[:, 0]}, input_signature=[tf.TensorSpec([None], name="x")])
module = tf.Module()
module.model = model
tf.saved_model.save(module, str(folder), signatures={"serving_default": curve.get_concrete_function()})
write_json(folder / INPUTS_FILE, {"x": {"dtype": "float32", "shape": [-1]}})
write_mlflow(folder)
print(json.dumps(model.predict(np.array([[1.0], [-2.5]]), verbose=0)[:, 0].tolist()))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server; what one test sends there, the next one finds."""
    folder = tmp_path_factory.mktemp("tracking")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    database, artifacts = f"sqlite:///{folder}/server.db", folder / "artifacts"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(artifacts)]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait(uri, process)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _wait(uri: str, process: subprocess.Popen) -> None:
    def answers() -> bool:
        assert process.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    assert until(answers, 240, every=1), "the server does not answer"


def save_curve(folder: Path) -> str:
    """A published model, made in a process of its own; returns what Keras itself answers for 1 and -2.5, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", CURVE, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_a_run_is_tracked_over_http_once_and_read_back(server: str, tmp_path: Path) -> None:
    run = InventedRun(tmp_path / "store").done()
    expected = save_curve(tmp_path / "store/serving/churn/3")
    command = [sys.executable, "-c", TRACK_AND_READ, str(run.path), server, expected]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "kilnworks", "mlflow", "--no-open", "--port", str(port), "--store", str(tmp_path)]
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
        process.communicate(timeout=60)
    assert process.returncode == 0
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
