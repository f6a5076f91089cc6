"""A training that is killed in the middle of an epoch ends with the weights of one that is not."""

import csv
import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.artifacts import Model
from tests import preloaded
from tests.components.learning.replica_runs import weights
from tests.components.learning.training_examples import context, customers

pytestmark = pytest.mark.slow

CONFIG = {
    "model": {"kind": "mlp", "units": [8], "dropout": 0.3, "normalization": "batch"},
    "epochs": 6,
    "batch": 32,
    "steps_per_execution": 4,
    "optimizer": {"kind": "adam", "learning_rate": 0.05},
    "reduce_on_plateau": {"patience": 1, "factor": 0.5, "min_delta": 0.01},
    "early_stopping": {"patience": 3, "min_delta": 0.02},
}


def run(root: Path, runs: list[dict]) -> int:
    """Exit status of a process with these runs."""
    (root / "runs.json").write_text(json.dumps(runs))
    command = [*preloaded.python(), "-m", "tests.components.learning.replica_runs", str(root / "runs.json")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(command, check=False, env=env, timeout=300, capture_output=True).returncode


def history(path: Path) -> list[dict]:
    with (path / "history.csv").open() as f:
        return list(csv.DictReader(f))


STREAMED = {"memory_mb": 0.01, "buffer_mb": 0.008}
"""Less than the data, in several rounds."""


@pytest.mark.parametrize("memory", [{}, STREAMED], ids=["held", "streamed"])
def test_killed_twice_in_the_middle_of_an_epoch(tmp_path: Path, memory: dict) -> None:
    """All trainings run in processes that have run nothing else, so that all use the same kernels."""
    data = tmp_path / "data"
    customers(data)
    one = {"root": "broken", "data": str(data), "config": CONFIG | memory}
    assert run(tmp_path, [{**one, "name": "first", "kill_at": 1.5}]) == -signal.SIGKILL
    assert run(tmp_path, [{**one, "name": "second", "kill_at": 3.5}]) == -signal.SIGKILL
    assert run(tmp_path, [{**one, "name": "resumed"}, {**one, "name": "whole", "root": "straight"}]) == 0

    resumed, whole = tmp_path / "broken" / "out-resumed", tmp_path / "straight" / "out-whole"
    after, straight = Model(resumed), Model(whole)

    assert after.training["streamed"] == straight.training["streamed"] == bool(memory)
    assert after.training["resumed_after"] == 3
    assert straight.training["resumed_after"] == 0
    assert history(resumed) == history(whole)
    assert len({row["learning_rate"] for row in history(whole)}) > 1, "the plateau must have been met"
    for key in ("best_epoch", "epochs_run", "best", "stopped_early"):
        assert after.training[key] == straight.training[key]
    for one, other in zip(weights(after), weights(straight), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_training_is_not_trained_further(tmp_path: Path) -> None:
    given, transform = customers(tmp_path / "data")
    config = TrainConfig.model_validate(CONFIG | {"epochs": 30})
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(train(config, given, transform, tmp_path / name, context(tmp_path)))
    first, second = (m.training for m in made)
    assert first["stopped_early"]
    assert second["resumed_after"] == second["epochs_run"] == first["epochs_run"]
    for one, other in zip(*(weights(m) for m in made), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_backup_it_starts_over(tmp_path: Path) -> None:
    given, transform = customers(tmp_path / "data")
    config = TrainConfig.model_validate(CONFIG | {"epochs": 1, "backup_epochs": 0})
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert train(config, given, transform, tmp_path / name, context(tmp_path)).training["resumed_after"] == 0
    assert not list((tmp_path / "work").iterdir())
