"""``docs/serving.md`` as its reader would follow it: every block, in processes where this project is not installed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import preloaded

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/serving.md"
DEFINITION = """
from pathlib import Path

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.sources import CsvSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.schemas.contract import parse_contract

CONTRACT = parse_contract('''
name: rooms
features:
  temperature: {dtype: float, nullable: true}
  room: {dtype: string, nullable: true}
  at: {dtype: datetime, nullable: true}
label: {name: heated, dtype: string, classes: ["no", "yes"]}
''')
ROOMS = supervised(
    "rooms",
    IngestConfig(contract=CONTRACT, source=CsvSource(path=str(Path(__file__).parents[1] / "rooms.csv"))),
    TrainConfig(model=Mlp(units=(8,)), epochs=3),
    evaluation=EvaluateConfig(resamples=100),
)
"""
ELSEWHERE = """
import importlib.abc, sys

class Nowhere(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("kilnworks", "kilnworks_client", "components", "schemas", "pipelines", "dags"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nowhere())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The folder after a run: a room is heated below 20 degrees."""
    folder = tmp_path_factory.mktemp("rooms")
    (folder / "pipelines").mkdir()
    (folder / "pipelines/rooms.py").write_text(DEFINITION)
    rows = [(t := 15 + i * 7 % 100 / 10, ["kitchen", "bath", "hall"][i % 3], i, t < 20) for i in range(600)]
    lines = [f"{t},{r},2024-01-{i % 28 + 1:02d}T{i % 24:02d}:00:00,{'yes' if h else 'no'}" for t, r, i, h in rows]
    (folder / "rooms.csv").write_text("\n".join(["temperature,room,at,heated", *lines]) + "\n")
    environment = {**os.environ, "KILNWORKS_ROOT": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    for arguments in (["run", "rooms"], ["mlflow", "--once"]):
        command = [*preloaded.python(), "-m", "kilnworks", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _said(code, folder):
    """What a script prints."""
    command = [sys.executable, "-I", "-W", "ignore", "-c", ELSEWHERE + code]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_block_runs_and_all_answer_the_same(project):
    keras_block, tensorflow_block, mlflow_block = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    (servable,) = project.glob("store/runs/rooms/*/servable")
    same = "\nprint('probability', answers['probabilities'].numpy()[0, 1])"
    by_keras = _said(keras_block + same, servable)
    assert by_keras.count("b'") == 2, "two rows have a class each"
    by_tensorflow = _said(tensorflow_block + same, project)
    by_mlflow = _said(mlflow_block + "\nprint('probability', model.predict(rows)['probabilities'][0][1])", project)
    found = [float(re.search(r"probability (\S+)", said)[1]) for said in (by_keras, by_tensorflow, by_mlflow)]
    assert found == pytest.approx([found[0]] * 3, abs=1e-6)
    assert "class" in by_mlflow and "score" in by_mlflow


@pytest.mark.nightly
def test_the_script_beside_the_file_runs(project):
    (servable,) = project.glob("store/runs/rooms/*/servable")
    said = _said(f"import runpy\nrunpy.run_path({str(servable / 'standalone.py')!r})", project)
    assert {line.split()[0] for line in said.splitlines()} == {"class", "probabilities", "score"}
