"""A GAN on small images: killed and resumed bit by bit, two replicas, and what it refuses of the data."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kilnworks.components.learning import fit, training
from kilnworks.components.learning.rounds import budget
from kilnworks.components.learning.rounds.budget import Budget
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.errors import ConfigError
from tests.components.learning.replica_runs import weights
from tests.components.learning.test_replicas import TWO, process, saved
from tests.components.learning.training_examples import DIGITS, context, digits, examples, fitted

pytestmark = pytest.mark.slow

MODEL = {"noise": 5, "filters": 2, "judge_epochs": 1, "judge_features": 4}
TOLD = "tests.components.learning.replicas_told:Told"
SETTINGS = {"epochs": 2, "batch": 32, "seed": 3, "monitor": "val_distance", "early_stopping": None}


class CrashError(Exception):
    """What ends a run."""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Small digits, encoded."""
    root = tmp_path_factory.mktemp("digits")
    made = examples(root / "examples", DIGITS, digits())
    return made, fitted(root / "transform", made), root


def test_killed_while_the_networks_fight_it_ends_with_the_same_bits(given, tmp_path: Path) -> None:
    config = TrainConfig.model_validate({"model": {"kind": "dcgan", **MODEL}, **SETTINGS})
    (tmp_path / "whole").mkdir()
    whole = train(config, *given[:2], tmp_path / "whole", context(tmp_path / "w"))

    def crash(now) -> None:
        if now.done >= 2.2:
            raise CrashError

    (tmp_path / "out-cut").mkdir()
    with pytest.raises(CrashError):
        train(config, *given[:2], tmp_path / "out-cut", context(tmp_path / "cut", crash))
    (tmp_path / "out").mkdir()
    made = train(config, *given[:2], tmp_path / "out", context(tmp_path / "cut"))
    assert made.training["resumed_after"] == 2
    assert (made.path / "history.csv").read_text() == (whole.path / "history.csv").read_text()
    for one, other in zip(weights(made), weights(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    assert made.training["samples"] == whole.training["samples"], "also the images of epochs before the kill"
    assert [one["epoch"] for one in made.training["samples"]] == [1, 2, 0]
    assert (made.path / "judge.keras").is_file()
    task = json.loads((made.path / "task.json").read_text())
    assert (task["kind"], task["noise"], task["conditional"]) == ("generation", 5, True)
    assert made.training["best"].keys() >= {"val_distance", "val_classes_seen", "generator_loss", "critic_loss"}
    assert made.training["best_epoch"] > 1, "the phase of the features is not judged"


@pytest.mark.nightly
def test_two_replicas_draw_other_seeds_and_keep_the_same_weights(given, tmp_path: Path) -> None:
    kinds = {"two": {"kind": "wgan_gp", "critic_steps": 2}, "spectral": {"kind": "dcgan"}}
    told = {name: str(tmp_path / f"{name}.json") for name in kinds}
    configs = {
        name: {
            "model": {**MODEL, **kind},
            **SETTINGS,
            **TWO,
            "callbacks": [{"path": TOLD, "options": {"file": told[name]}}],
        }
        for name, kind in kinds.items()
    }
    machine = {"kind": "rbm", "units": [4], "divergence_epochs": 1}
    chains, free = ({"model": machine | more, "batch": 32, **TWO} for more in ({"chains": 8}, {}))
    runs = [
        {"name": name, "data": str(given[2]), "config": one}
        for name, one in (*configs.items(), ("chains", chains), ("free", free))
    ]
    assert process(tmp_path, runs) == 0
    refused = json.loads((tmp_path / "chains/out-chains/error.json").read_text())
    assert "chains=8 on 2 replicas" in json.dumps(refused), "each would have persistent chains of its own"
    assert all(np.isfinite(one).all() for one in saved(tmp_path / "free/out-free")), "without them it learns on both"
    for name in configs:
        out = tmp_path / name / f"out-{name}"
        assert not (out / "error.json").exists()
        assert all(np.isfinite(one).all() for one in saved(out))
        found = json.loads(Path(told[name]).read_text())
        assert (found["replicas"], found["apart"]) == (2, 0), "generator, average and critic are the same on both"
        one, other = (np.array(seeds) for seeds in found["seeds"])
        assert (one != other).all(), "what is drawn is not"
    out = tmp_path / "two/out-two"
    rows = list(csv.DictReader((out / "history.csv").read_text().splitlines()))
    assert [bool(row["val_distance"]) for row in rows] == [False, True, True]
    assert all(np.isfinite(float(row["val_distance"])) for row in rows[1:])


@pytest.mark.parametrize(("seconds", "features", "adversarial"), [(60, 3, 3), (6, 1, 1)])
def test_a_budget_leaves_half_of_it_to_the_networks_that_are_judged(
    given, tmp_path: Path, monkeypatch, seconds: int, features: int, adversarial: int
) -> None:
    """Of a minute, three epochs of ten seconds are half; of six seconds, one of each is trained all the same."""
    now, ended = [0.0], Budget.on_epoch_end

    def on_epoch_end(self, epoch, logs=None) -> None:
        now[0] += 10.0
        ended(self, epoch, logs)

    for module in (budget, fit, training):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(Budget, "on_epoch_end", on_epoch_end)
    model = {"kind": "dcgan", **MODEL, "judge_epochs": 5}
    config = TrainConfig.model_validate(
        {"model": model, **SETTINGS, "epochs": 5, "budget_minutes": seconds / 60, "health": "none"}
    )
    (tmp_path / "out").mkdir()
    made = train(config, *given[:2], tmp_path / "out", context(tmp_path))
    rows = list(csv.DictReader((made.path / "history.csv").read_text().splitlines()))
    assert [row["phase"] for row in rows] == ["features"] * features + ["adversarial"] * adversarial
    distances = [float(row["val_distance"]) for row in rows[features:]]
    assert made.training["best_epoch"] == features + 1 + int(np.argmin(distances))
    assert made.training["budget"]["over"] is True


def test_what_decides_the_best_epoch_has_to_be_there(given, tmp_path: Path) -> None:
    loss = TrainConfig.model_validate({"model": {"kind": "dcgan", **MODEL}, **SETTINGS, "monitor": "val_accuracy"})
    with pytest.raises(ConfigError, match=r"val_accuracy(.|\n)*val_distance"):
        train(loss, *given[:2], tmp_path / "out", context(tmp_path))
    again = TrainConfig.model_validate({"model": {"kind": "dcgan", **MODEL}, **SETTINGS, "refit": 1})
    with pytest.raises(ConfigError, match="not judged by validation rows"):
        train(again, *given[:2], tmp_path / "out", context(tmp_path))
