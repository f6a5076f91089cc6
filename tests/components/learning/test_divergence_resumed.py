"""Machines on rows of an image and of numbers: killed and resumed bit by bit, chains among what is kept."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.features.settings import PreprocessConfig
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from tests.components.learning.replica_runs import weights
from tests.components.learning.training_examples import context, examples, fitted

pytestmark = pytest.mark.slow

CONTRACT = Contract.model_validate(
    {
        "name": "six",
        "features": {f"n{i}": {"dtype": "float"} for i in range(6)},
        "label": {"name": "kind", "dtype": "string", "classes": ["a", "b"]},
    }
)
STACK = {"units": [5, 4], "divergence_epochs": 2, "chains": 8}
SETTINGS = {"epochs": 2, "batch": 32, "seed": 3, "steps_per_execution": 3}


class CrashError(Exception):
    """What ends a run."""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Rows of two kinds, scaled between 0 and 1, and the same standardised."""
    root = tmp_path_factory.mktemp("six")
    draw = np.random.default_rng(0)
    kind = draw.integers(0, 2, 360)
    rows = np.array([[5, 0, 5, 0, 5, 0], [0, 5, 5, 0, 0, 5]])[kind] + draw.normal(size=(360, 6))
    frame = pl.DataFrame({**{f"n{i}": rows[:, i] for i in range(6)}, "kind": np.array(["a", "b"])[kind]})
    made = examples(root / "examples", CONTRACT, {"train": frame[:300], "val": frame[300:]})
    minmax = {name: {"scale": "minmax"} for name in CONTRACT.features}
    config = PreprocessConfig.model_validate({"features": minmax})
    return made, fitted(root / "minmax", made, config), fitted(root / "standard", made)


@pytest.mark.parametrize("kind", ["rbm", "dbn"])
def test_killed_at_every_epoch_it_ends_with_the_same_bits(given, tmp_path: Path, kind: str) -> None:
    config = TrainConfig.model_validate({"model": {"kind": kind, **STACK}, **SETTINGS})
    epochs = 4 if kind == "rbm" else 6
    (tmp_path / "whole").mkdir()
    whole = train(config, *given[:2], tmp_path / "whole", context(tmp_path / "w"))
    for epoch in range(1, epochs):
        out = tmp_path / f"out-{epoch}"
        out.mkdir()

        def crash(now, limit=epoch + 0.2) -> None:
            if now.done >= limit:
                raise CrashError

        with pytest.raises(CrashError):
            train(config, *given[:2], out, context(tmp_path / "cut", crash))
    (tmp_path / "out").mkdir()
    made = train(config, *given[:2], tmp_path / "out", context(tmp_path / "cut"))
    assert made.training["resumed_after"] == epochs - 1
    assert (made.path / "history.csv").read_text() == (whole.path / "history.csv").read_text()
    for one, other in zip(weights(made), weights(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    lines = (made.path / "history.csv").read_text().splitlines()
    assert "val_pseudo_likelihood" in lines[0] and "divergence_2" in lines[3]
    assert made.training["best_epoch"] > (2 if kind == "rbm" else 4), "only the last phase is judged"
    if kind == "rbm":
        task = json.loads((made.path / "task.json").read_text())
        assert task["kind"] == "codes" and len(task["columns"]) == 6 and task["count"] == 4
        assert all(0 <= mean <= 1 for mean in task["mean"])


def test_other_scales_are_refused_by_the_names_of_features(given, tmp_path: Path) -> None:
    config = TrainConfig.model_validate({"model": {"kind": "rbm", **STACK}, **SETTINGS})
    with pytest.raises(ConfigError, match=r"n0.*for Bernoulli units(.|\n)*scale=\"minmax\"(.|\n)*gaussian"):
        train(config, given[0], given[2], tmp_path / "out", context(tmp_path))


def test_gaussian_units_take_standardised_numbers(given, tmp_path: Path) -> None:
    settings = SETTINGS | {
        "model": {"kind": "rbm", "visible": "gaussian", "units": [6], "divergence_epochs": 40, "divergence_rate": 0.5}
    }
    settings |= {"early_stopping": None}
    (tmp_path / "out").mkdir()
    made = train(TrainConfig.model_validate(settings), given[0], given[2], tmp_path / "out", context(tmp_path))
    assert made.training["best"]["val_loss"] < 0.75, "1 is the mean of every column"
