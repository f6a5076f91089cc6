"""docs/custom-models.md, executed: run, asked, served over gRPC, code edited and run again, killed and resumed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "pipelines"]
BLOCK = re.compile(r"^`([\w/]+\.py)`\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLASSES = ("setosa", "versicolor", "virginica")
SLOW = """
import time
import keras


class Slow(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        time.sleep(0.3)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The folder that the page describes."""
    from sklearn.datasets import load_iris

    folder = tmp_path_factory.mktemp("flowers")
    blocks = dict(BLOCK.findall((ROOT / "docs/custom-models.md").read_text()))
    assert set(blocks) == {"my_flowers/models.py", "pipelines/flowers.py"}
    for name, text in {**blocks, "my_flowers/slow.py": SLOW}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    values, label = load_iris(return_X_y=True)
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    noise = np.random.default_rng(0).normal(0, 0.05, (4, *values.shape))
    frame = pl.DataFrame({name: (values[:, i] + noise[:, :, i]).reshape(-1) for i, name in enumerate(names)})
    kinds = pl.Series("kind", [CLASSES[k] for k in np.tile(label, 4)])
    frame.with_columns(kinds).write_csv(folder / "flowers.csv")
    kilnworks(folder, "run", "flowers", "--run-id", "first")
    return folder


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KILNWORKS")}
    return {**kept, "KILNWORKS_ROOT": str(folder), "KILNWORKS_STORE": str(folder / "store")}


def kilnworks(folder: Path, *argv: str) -> str:
    done = subprocess.run(
        [*COMMAND, *argv], cwd=ROOT, env=environment(folder), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def step(folder: Path, run: str, name: str, file: str) -> dict:
    return dict(json.loads((folder / f"store/runs/flowers/{run}/{name}/{file}").read_text()))


def test_it_learns_and_its_own_numbers_are_in_the_history(project):
    assert step(project, "first", "evaluation", "evaluation.json")["metrics"]["accuracy"]["value"] > 0.85
    history = pl.read_csv(project / "store/runs/flowers/first/model/history.csv")
    assert {"confidence", "val_confidence"} <= set(history.columns)
    rates = history["learning_rate"].to_list()
    assert rates == pytest.approx([0.01 / 2 ** (epoch // 5) for epoch in range(len(rates))], rel=1e-5)


def test_predicted_here_and_over_grpc_it_answers_the_same(project):
    from components.serving.client import Client

    rows = pl.read_csv(project / "flowers.csv").head(20)
    kilnworks(project, "predict", "flowers", str(project / "flowers.csv"), "--output", str(project / "out.csv"))
    here = pl.read_csv(project / "out.csv").head(20)
    command = [*COMMAND, "serve", "--port=0", "--rest_api_port=0"]
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment(project), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        port = json.loads(server.stdout.readline())["grpc_port"]
        inputs = {n: rows[n].to_numpy().astype(np.float32) for n in rows.columns if n != "kind"}
        answer = Client(f"127.0.0.1:{port}").predict("flowers", inputs).outputs
    finally:
        server.terminate()
        assert server.wait(timeout=60) == 0
        server.stdout.close()
    expected = here.select(f"probability_{name}" for name in CLASSES).to_numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_edited_code_is_run_again_and_nothing_before_it(project):
    path = project / "my_flowers/models.py"
    text = path.read_text()
    path.write_text(text.replace("gamma=2.0", "gamma=1.0"))
    try:
        kilnworks(project, "run", "flowers", "--run-id", "edited", "--to", "model")
    finally:
        path.write_text(text)
    before, after = (step(project, run, "model", "manifest.json")["fingerprint"] for run in ("first", "edited"))
    assert before != after
    assert step(project, "first", "transform", "manifest.json") == step(project, "edited", "transform", "manifest.json")


def test_killed_it_goes_on_behind_its_last_epoch(project):
    settings = ["--set", 'model.callbacks=["my_flowers.slow:Slow"]', "--set", "model.epochs=9", "--to", "model"]
    command = [*COMMAND, "run", "flowers", "--run-id", "killed", *settings]
    child = subprocess.Popen(command, cwd=ROOT, env=environment(project), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list((project / "store").rglob("backup.npz")) and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    kilnworks(project, *command[len(COMMAND) :])
    training = step(project, "killed", "model", "training.json")
    assert 1 <= training["resumed_after"] < 9 and training["epochs_run"] == 9
