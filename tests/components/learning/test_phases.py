"""A training in phases, with optimizers and a critic beside the model, goes on where it was and reports any number."""

import csv
import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.modeling.generative.boltzmann import Dbn
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.errors import ConfigError, UnknownName
from tests import preloaded
from tests.components.learning.replica_runs import weights
from tests.components.learning.training_examples import PRICES, context, customers, prepared, prices, trained

pytestmark = pytest.mark.slow

SETTINGS = {
    "epochs": 3,
    "batch": 32,
    "steps_per_execution": 3,
    "reduce_on_plateau": {"patience": 1, "min_delta": 0.05},
    "seed": 6,
}
EPOCHS = 5


class CrashError(Exception):
    """What ends a run."""


def config(**settings) -> TrainConfig:
    from tests.components.learning.toys import TwoPhases

    return TrainConfig.model_validate({"model": TwoPhases(), **SETTINGS, **settings})


def lines(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((path / "history.csv").read_text().splitlines()))


def process(root: Path, *runs: dict) -> int:
    """Exit status of a process with these trainings."""
    (root / "runs.json").write_text(json.dumps(runs))
    command = [*preloaded.python(), "-m", "tests.components.learning.replica_runs", str(root / "runs.json")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(command, check=False, env=env, timeout=500, capture_output=True).returncode


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The data, and the training that nobody interrupted, with what it told about its progress."""
    root = tmp_path_factory.mktemp("phases")
    given, transform = customers(root / "data", 256)
    told = []
    (root / "out").mkdir()
    made = train(config(), given, transform, root / "out", context(root, told.append))
    return given, transform, made, told


@pytest.mark.parametrize("after", [0.0, 0.2], ids=["before the backup", "after the backup"])
def test_killed_at_every_epoch_it_ends_with_the_same_bits(straight, tmp_path: Path, after: float) -> None:
    given, transform, whole, _ = straight
    for epoch in range(1, EPOCHS + 1):
        out = tmp_path / f"out-{epoch}"
        out.mkdir()

        def crash(now, limit=epoch + after) -> None:
            if now.done >= limit:
                raise CrashError

        if epoch + after < EPOCHS or not after:
            with pytest.raises(CrashError):
                train(config(), given, transform, out, context(tmp_path, crash))
    out = tmp_path / "out"
    out.mkdir()
    made = train(config(), given, transform, out, context(tmp_path))
    assert made.training["resumed_after"] == EPOCHS - 1
    assert (out / "history.csv").read_text() == (whole.path / "history.csv").read_text()
    for one, other in zip(weights(made), weights(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    assert made.training["best"] == whole.training["best"]


def test_what_the_phases_report(straight) -> None:
    _, _, made, told = straight
    rows = lines(made.path)
    assert [r["phase"] for r in rows] == ["duel"] * 2 + ["label"] * 3
    assert [r["epoch"] for r in rows] == ["1", "2", "3", "4", "5"]
    assert all(r["g_loss"] and r["c_loss"] and not r["accuracy"] for r in rows[:2])
    assert all(r["accuracy"] and r["val_auc"] and not r["g_loss"] for r in rows[2:])
    assert [float(r["rounds"]) for r in rows[:2]] == [8, 16], "256 rows in batches of 32, counted over both epochs"
    assert [float(r["learning_rate_c_optimizer"]) for r in rows[:2]] == pytest.approx([0.01, 0.01])
    assert float(rows[2]["learning_rate"]) == pytest.approx(0.0005), "half of the optimizer's"
    assert made.training["phases"] == [{"name": "duel", "epochs": 2}, {"name": "label", "epochs": 3}]
    notes = [p.note for p in told]
    assert any(n.startswith("epoch 1/5 duel c_loss") and " g_loss " in n for n in notes)
    assert any(n.startswith("epoch 3/5 label loss") for n in notes)
    whole = {p.done: p.note for p in told if p.done == int(p.done)}
    assert len([p for p in told if p.done in whole]) == len(rows), "an epoch is reported once, when it is validated"
    for row in rows[2:]:
        assert f"loss {float(row['loss']):.4g} val_loss {float(row['val_loss']):.4g}" in whole[int(row["epoch"])]


def test_epochs_of_a_phase_that_is_not_judged_are_told_apart(straight, tmp_path: Path) -> None:
    assert {p.unjudged for p in straight[3] if p.numbers} == {0}, "both phases report what is monitored"
    given, transform = prepared(tmp_path, PRICES, {"train": prices(128, 1), "val": prices(64, 2)})
    told = []
    deep = TrainConfig(model=Dbn(units=(4,), visible="gaussian"), epochs=2, batch=64, early_stopping=None)
    trained(tmp_path, deep, given, transform, progress=told.append)
    counted = {p.done: p.unjudged for p in told if p.numbers}
    assert counted == {epoch: min(epoch, 10) for epoch in range(1, 13)}, "ten epochs of the machine have no label"


def test_a_number_of_the_step_is_monitored(tmp_path: Path) -> None:
    given, transform = customers(tmp_path / "data", 256)
    settings = {"monitor": "spread", "monitor_mode": "max", "batch": 64, "epochs": 3, "early_stopping": None}
    from tests.components.learning.toys import Tested

    (tmp_path / "out").mkdir()
    made = train(TrainConfig(model=Tested(), **settings), given, transform, tmp_path / "out", context(tmp_path))
    rows = lines(made.path)
    best = max(rows, key=lambda r: float(r["spread"]))
    assert int(best["epoch"]) == made.training["best_epoch"]
    last = tmp_path / "last"
    last.mkdir()
    with pytest.raises(UnknownName, match=r"distance(.|\n)*loss"):
        train(
            TrainConfig(model=Tested(), **settings | {"monitor": "distance", "epochs": 1}),
            given, transform, last, context(last),
        )  # fmt: skip
    with pytest.raises(UnknownName, match="number of a binary task"):
        train(TrainConfig(model=Tested(), monitor="spread"), given, transform, last, context(last))


def test_a_test_step_of_the_class_is_used(tmp_path: Path) -> None:
    """``val_loss`` is what it says; other numbers of the task stay."""
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.arrays import Encoder
    from kilnworks.components.learning.predict import forward, outputs
    from kilnworks.components.tasks.choose import choose
    from tests.components.learning.toys import Tested

    given, transform = customers(tmp_path / "data", 256)
    (tmp_path / "out").mkdir()
    made = train(TrainConfig(model=Tested(), epochs=1, batch=64), given, transform, tmp_path / "out", context(tmp_path))
    import keras

    encoder = Encoder(FeatureTransform.load(transform), choose(given.contract))
    said = outputs(
        forward(keras.saving.load_model(made.keras_path, compile=False)), encoder.whole(given.files("val"), 200)
    )[:, 0]
    truth = encoder.labels(given.files("val"))
    [row] = lines(made.path)
    assert float(row["val_loss"]) == pytest.approx(np.abs(said - truth).mean(), rel=1e-4)
    assert float(row["val_spread"]) == pytest.approx(np.square(said - truth).mean(), rel=1e-4)
    assert float(row["val_auc"]) > 0


@pytest.mark.parametrize("devices", [{}, {"strategy": "mirrored", "replicas": 2, "kind": "cpu"}], ids=["1", "2"])
def test_a_loss_that_no_metric_keeps_is_not_reported_as_0(tmp_path: Path, devices: dict) -> None:
    """Keras would: its own mean of the loss has seen nothing. Sums count each row of the validation once."""
    import keras

    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.arrays import Encoder
    from kilnworks.components.learning.predict import forward, outputs
    from kilnworks.components.tasks.choose import choose

    given, transform = customers(tmp_path / "data", 256)
    settings = {"model": {"kind": "tests.components.learning.toys:Raw"}, "epochs": 1, "batch": 256, "devices": devices}
    base = {"data": str(tmp_path / "data"), "config": settings}
    assert process(tmp_path, base | {"name": "a"}) == 0
    encoder = Encoder(FeatureTransform.load(transform), choose(given.contract))
    out = tmp_path / "a/out-a"
    model = forward(keras.saving.load_model(out / "model.keras", compile=False))
    [row] = lines(out)
    for split, prefix in (("train", ""), ("val", "val_")):
        said = outputs(model, encoder.whole(given.files(split), given.rows(split)))[:, 0]
        truth = encoder.labels(given.files(split))
        assert float(row[f"{prefix}loss"]) == pytest.approx(np.square(said - truth).mean(), rel=1e-3)
        assert float(row[f"{prefix}rows"]) == len(truth)


def test_a_phase_may_compile_itself(tmp_path: Path) -> None:
    from tests.components.learning.toys import Thaw

    given, transform = customers(tmp_path / "data", 256)
    (tmp_path / "out").mkdir()
    train(TrainConfig(model=Thaw(), batch=64), given, transform, tmp_path / "out", context(tmp_path))
    rows = lines(tmp_path / "out")
    assert [r["phase"] for r in rows] == ["head", "head", "all", "all"]
    assert [float(r["learning_rate"]) for r in rows] == pytest.approx([0.001, 0.001, 0.125, 0.125])


def test_a_feed_of_the_learner_is_used(tmp_path: Path) -> None:
    """Rows in their order and weights that do not move: every epoch has the same loss. Not where data are streamed."""
    from tests.components.learning.toys import InOrder

    given, transform = customers(tmp_path / "data", 256)
    settings = {"model": InOrder(), "epochs": 2, "batch": 200, "optimizer": {"kind": "sgd", "learning_rate": 1e-12}}
    (tmp_path / "out").mkdir()
    made = train(TrainConfig(**settings), given, transform, tmp_path / "out", context(tmp_path))
    one, two = lines(made.path)
    assert one["loss"] == two["loss"], "the same 200 of 256 rows in both epochs"
    streamed = tmp_path / "streamed"
    streamed.mkdir()
    with pytest.raises(ConfigError, match="raise memory_mb"):
        train(TrainConfig(**settings, memory_mb=0.001), given, transform, streamed, context(streamed))


@pytest.mark.nightly
def test_killed_for_real(tmp_path: Path) -> None:
    """In the second phase, by kill -9, in processes of their own."""
    customers(tmp_path / "data", 256)
    settings = {**SETTINGS, "model": {"kind": "tests.components.learning.toys:TwoPhases"}}
    base = {"data": str(tmp_path / "data"), "config": settings}

    assert process(tmp_path, base | {"name": "a", "root": "broken", "kill_at": 3.5}) == -signal.SIGKILL
    assert process(tmp_path, base | {"name": "b", "root": "broken"}, base | {"name": "c", "root": "straight"}) == 0
    resumed, whole = tmp_path / "broken/out-b", tmp_path / "straight/out-c"
    assert json.loads((resumed / "training.json").read_text())["resumed_after"] == 3
    assert (resumed / "history.csv").read_text() == (whole / "history.csv").read_text()
    with np.load(resumed / "weights.npz") as one, np.load(whole / "weights.npz") as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])
