"""Two replicas do what one does. Their runs share a process, in which devices are split before TensorFlow starts."""

import csv
import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.errors import ConfigError
from tests import preloaded
from tests.components.learning.replica_runs import weights
from tests.components.learning.training_examples import DIGITS, context, customers, digits, examples, fitted, small
from tests.effort import some

pytestmark = pytest.mark.slow

TWO = {"devices": {"strategy": "mirrored", "replicas": 2, "kind": "cpu"}}
PLAIN = {"model": {"kind": "mlp", "units": [8]}, "epochs": 2, "batch": 64, "seed": 4}
CLIPPED = {
    "sgd": {**PLAIN, "optimizer": {"kind": "sgd", "learning_rate": 1.0, "clip": {"by": "global_norm", "limit": 0.05}}},
    "norm": {**PLAIN, "optimizer": {"kind": "sgd", "learning_rate": 1.0, "clip": {"by": "norm", "limit": 0.02}}},
    "value": {**PLAIN, "optimizer": {"kind": "sgd", "learning_rate": 1.0, "clip": {"by": "value", "limit": 0.01}}},
    "adam": {**PLAIN, "optimizer": {"kind": "adam", "clip": {"limit": 0.05}}},
    "penalty": {**PLAIN, "model": {"kind": "mlp", "units": [8], "l2": 0.05, "l1": 0.01}, "class_weight": "balanced"},
    "normalized": {**PLAIN, "model": {"kind": "mlp", "units": [8], "normalization": "batch"}},
    "average": {**PLAIN, "optimizer": {"kind": "sgd", "ema": 0.9}},
    "prior": {
        **PLAIN,
        "model": {"kind": "tabular", "units": [8], "members": 2, "dropout": 0.0, "prior": 0.1},
        "optimizer": {"kind": "sgd", "learning_rate": 0.1},
    },
}
RICH = {
    "model": {"kind": "mlp", "units": [8], "dropout": 0.3, "normalization": "batch"},
    "epochs": 4,
    "batch": 64,
    "reduce_on_plateau": {"patience": 1, "min_delta": 0.02},
}


PICTURES = {"model": {"kind": "cnn", "filters": [4]}, "epochs": 1, "batch": 96}
STILL = {"shift": 0.0, "rotation": 0.0, "zoom": 0.0, "contrast": 0.0}
BLOCKS = {
    "model": {"kind": "vision", "filters": [4], "dropout": 0.0, "augmentation": STILL},
    "optimizer": {"kind": "sgd", "learning_rate": 0.01},
    "epochs": 1,
    "batch": 96,
}
"""Residual blocks with batch normalization, of images that are not changed at random."""
STREAMED = {**PLAIN, "memory_mb": 0.01, "buffer_mb": 0.008}
TEXTS = {**PLAIN, "model": {"kind": "custom", "build": "tests.components.modeling.raw_models:plans", "inputs": "raw"}}
ALONE = {**CLIPPED, "pictures": PICTURES, "blocks": BLOCKS, "streamed": STREAMED, "texts": TEXTS}
SAME = some(ALONE, ("sgd", "norm", "value", "average", "blocks", "streamed", "texts"))
"""What is run on two replicas and on one device."""
AUTO = {
    "auto-few": {"kind": "cpu"},
    "auto-enough": {"kind": "cpu", "min_replica_batch": 32},
}
"""Run where the processor is split in two; a batch has 64 rows."""


def process(root: Path, runs: list[dict]) -> int:
    (root / "runs.json").write_text(json.dumps(runs))
    command = [*preloaded.python(), "-m", "tests.components.learning.replica_runs", str(root / "runs.json")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, check=False, env=env, timeout=500, capture_output=True, text=True)
    if done.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(done.stderr[-3000:])
    return done.returncode


def saved(out: Path) -> list[np.ndarray]:
    with np.load(out / "weights.npz") as found:
        return [found[n] for n in found.files]


def numbers(out: Path) -> list[dict[str, float]]:
    """What history.csv says, a line an epoch."""
    return [
        {k: float(v) for k, v in row.items()} for row in csv.DictReader((out / "history.csv").read_text().splitlines())
    ]


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory) -> Path:
    """Everything that is run on two replicas; a killed process first."""
    root = tmp_path_factory.mktemp("mirrored")
    customers(root / "data")
    data = str(root / "data")
    assert process(root, [{"name": "a", "root": "rich", "data": data, "config": RICH | TWO, "kill_at": 2.5}]) < 0
    fitted(root / "pictures/transform", examples(root / "pictures/examples", DIGITS, digits()))
    where = {n: str(root / "pictures") if n in ("pictures", "blocks") else data for n in SAME}
    runs = [{"name": n, "data": where[n], "config": ALONE[n] | TWO} for n in SAME]
    runs += [
        {"name": n, "root": n2, "data": data, "config": RICH | TWO} for n, n2 in (("b", "rich"), ("c", "straight"))
    ]
    diverging = {**PLAIN, **TWO, "optimizer": {"kind": "sgd", "learning_rate": 1e30}}
    runs.append({"name": "diverging", "data": data, "config": diverging})
    runs += [{"name": n, "data": data, "config": PLAIN | {"devices": d}} for n, d in AUTO.items()]
    assert process(root, runs) == 0
    return root


@pytest.mark.parametrize("name", SAME)
def test_same_weights_as_on_one_device(mirrored: Path, tmp_path: Path, name: str) -> None:
    from kilnworks.schemas.artifacts import CheckedExamples, Transform

    out = tmp_path / "out"
    out.mkdir()
    data = mirrored / ("pictures" if name in ("pictures", "blocks") else "data")
    alone = train(
        TrainConfig.model_validate(ALONE[name]),
        CheckedExamples(data / "examples"),
        Transform(data / "transform"),
        out,
        context(tmp_path),
    )
    together = mirrored / name / f"out-{name}"
    for one, two in zip(weights(alone), saved(together), strict=True):
        # over replicas a variance is the mean of squares less the squared mean, which rounds otherwise
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5 if name == "blocks" else 1e-6)
    for one, two in zip(numbers(out), numbers(together), strict=True):
        assert one == pytest.approx(two, rel=1e-5)


def test_clipping_was_felt(mirrored: Path) -> None:
    """The limits above are so low that other weights come out than without them."""
    found = [saved(mirrored / n / f"out-{n}")[0] for n in ("sgd", "norm", "value")]
    assert not np.allclose(found[0], found[1], atol=1e-4)
    assert not np.allclose(found[1], found[2], atol=1e-4)


def test_killed_and_resumed(mirrored: Path) -> None:
    resumed, straight = mirrored / "rich" / "out-b", mirrored / "straight" / "out-c"
    assert json.loads((resumed / "training.json").read_text())["resumed_after"] == 2
    assert json.loads((straight / "training.json").read_text())["replicas"] == 2
    assert (resumed / "history.csv").read_text() == (straight / "history.csv").read_text()
    for one, other in zip(saved(resumed), saved(straight), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_small_batch_is_not_spread(mirrored: Path) -> None:
    few, enough = (json.loads((mirrored / n / f"out-{n}" / "training.json").read_text()) for n in AUTO)
    assert (few["strategy"], few["replicas"]) == ("single", 1)
    assert few["placement"] == (
        "a batch of 64 rows on 2 devices is 32 each; more than one device needs at least 256 each"
    )
    assert (enough["strategy"], enough["replicas"]) == ("mirrored", 2)
    assert enough["placement"] == "a batch of 64 rows gives each of 2 of 2 devices 32 rows"


def test_divergence_is_found_on_replicas(mirrored: Path) -> None:
    error = json.loads((mirrored / "diverging" / "out-diverging" / "error.json").read_text())
    assert error["type"] == "TrainingDiverged"
    assert error["details"]["epoch"] == 1
    assert 2 <= error["details"]["step"] <= 4


def test_more_replicas_than_devices(tmp_path: Path) -> None:
    import tensorflow as tf

    tf.config.list_logical_devices("CPU")
    given, transform = customers(tmp_path / "data", 64)
    with pytest.raises(ConfigError, match="2 replicas asked for, no GPU visible"):
        train(small(devices={"strategy": "mirrored", "replicas": 2}), given, transform, tmp_path, context(tmp_path))
    with pytest.raises(ConfigError, match="1 logical processors in this process"):
        train(small(**TWO), given, transform, tmp_path, context(tmp_path))
    with pytest.raises(ConfigError, match="no visible GPU"):
        train(small(devices={"strategy": "single", "kind": "gpu"}), given, transform, tmp_path, context(tmp_path))


def test_mirrored_on_the_one_processor(tmp_path: Path) -> None:
    given, transform = customers(tmp_path / "data", 128)
    (tmp_path / "out").mkdir()
    made = train(
        small(devices={"strategy": "mirrored"}, epochs=1), given, transform, tmp_path / "out", context(tmp_path)
    )
    assert (made.training["strategy"], made.training["replicas"]) == ("mirrored", 1)
