"""A run is tracked by a real MLflow server over HTTP, and read back from it."""

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
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from kilnworks.components.tracking.tracker import track_run
run, store, uri = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
ids = [track_run(run, store) for _ in range(2)]
assert ids[0] and ids[0] == ids[1], ids
from mlflow import MlflowClient
client = MlflowClient(uri, uri)
found = client.get_run(ids[0])
assert found.info.status == "FINISHED" and found.data.params["model.epochs"] == "12"
assert len(client.get_metric_history(ids[0], "training/loss")) == 12
assert any(a.path == "figures/roc.svg" for a in client.list_artifacts(ids[0], "figures"))
version = client.get_model_version_by_alias("churn", "champion")
assert version.run_id == ids[0] and version.tags["kilnworks.path"].endswith("serving/churn/3")
assert len(client.search_model_versions("name = 'churn'")) == 1
import mlflow, pandas
mlflow.set_tracking_uri(uri)
served = Path(version.tags["kilnworks.path"])
served.rename(served.with_name("gone"))
model = mlflow.pyfunc.load_model("models:/churn@champion")
assert model.predict(pandas.DataFrame({"x": [1.0, -2.5]}))["y"].tolist() == [3.0, -4.0]
print("read back")
"""


LINE = """
import sys
from pathlib import Path
import tensorflow as tf
from kilnworks.components.exporting.mlflow_model import write_mlflow
from kilnworks.schemas.files import write_json
from kilnworks.schemas.wire import INPUTS_FILE
folder = Path(sys.argv[1])
line = tf.function(lambda x: {"y": 2.0 * x + 1.0}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": line.get_concrete_function()})
write_json(folder / INPUTS_FILE, {"x": {"dtype": "float32", "shape": [-1]}})
write_mlflow(folder)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    database, folder = f"sqlite:///{tmp_path}/server.db", tmp_path / "server"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(folder)]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
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


def save_line(folder: Path) -> None:
    """A published model that answers ``2 x + 1``, made in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", LINE, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_run_is_tracked_over_http_once_and_read_back(server: str, tmp_path: Path) -> None:
    run = InventedRun(tmp_path / "store").done()
    save_line(tmp_path / "store/serving/churn/3")
    command = [sys.executable, "-c", TRACK_AND_READ, str(run.path), str(tmp_path / "store"), server]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "read back", done.stderr
