"""A process whose trainings diverge on two replicas ends: nothing of TensorFlow waits for Python at its exit."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import preloaded
from tests.components.learning.training_examples import customers

pytestmark = pytest.mark.slow

DIVERGING = {
    "model": {"kind": "mlp", "units": [8]},
    "epochs": 2,
    "batch": 64,
    "devices": {"strategy": "mirrored", "replicas": 2, "kind": "cpu"},
    "optimizer": {"kind": "sgd", "learning_rate": 1e30},
}
AT_ONCE = 3


@pytest.mark.parametrize("processes", [3, pytest.param(30, marks=[pytest.mark.nightly, pytest.mark.timeout(3000)])])
def test_all_end(tmp_path: Path, processes: int) -> None:
    customers(tmp_path / "data", 256)
    for start in range(0, processes, AT_ONCE):
        running = [begun(tmp_path / str(start + i), tmp_path / "data") for i in range(AT_ONCE)]
        for process in running:
            _, text = process.communicate(timeout=500)
            assert process.returncode == 0, text[-2000:]
    errors = [json.loads(p.read_text())["type"] for p in tmp_path.glob("*/*/out-*/error.json")]
    assert errors == ["TrainingDiverged"] * (3 * processes)


def begun(root: Path, data: Path) -> subprocess.Popen:
    """A process with three such trainings."""
    root.mkdir()
    runs = [{"name": f"r{i}", "data": str(data), "config": DIVERGING} for i in range(3)]
    (root / "runs.json").write_text(json.dumps(runs))
    command = [*preloaded.python(), "-m", "tests.components.learning.replica_runs", str(root / "runs.json")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
