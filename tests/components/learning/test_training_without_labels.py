"""An autoencoder on rows with strange ones among them: what is kept, killed and resumed, on replicas, in any labels."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.splits import Splits
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.tasks.choose import task_of
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.artifacts import CheckedExamples, Transform
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from tests.components.learning.replica_runs import weights
from tests.components.learning.test_replicas import TWO, process, saved
from tests.components.learning.training_examples import context, examples, fitted
from tests.components.modeling.dirty_rows import nine_numbers

pytestmark = pytest.mark.slow

NAMES = tuple(f"n{i}" for i in range(9))
VARIATIONAL = {"model": {"kind": "autoencoder", "units": [8], "variational": True, "noise": 0.1}}
"""Codes and noise are drawn at random, also after a training was killed."""
LABEL = {"name": "odd", "dtype": "string", "classes": ["no", "yes"]}
CONTRACT = Contract.model_validate({"name": "nine", "features": {n: {"dtype": "float"} for n in NAMES}, "label": LABEL})
CONFIG = {"model": {"kind": "autoencoder", "units": [8]}, "epochs": 4, "batch": 64, "seed": 1, "early_stopping": None}


def data(root: Path, seed: int = 0, mixed: bool = False) -> Path:
    """Checked examples and a transform; ``mixed`` gives every row the label of another one."""
    rows, odd = nine_numbers(seed, 1500, 0.07)
    odd = np.random.default_rng(9).permutation(odd) if mixed else odd
    frame = pl.DataFrame({**dict(zip(NAMES, rows.T, strict=True)), "odd": np.where(odd, "yes", "no")})
    fitted(root / "transform", examples(root / "examples", CONTRACT, {"train": frame[:1200], "val": frame[1200:]}))
    return root


def trained(root: Path, given: Path, **more):
    (root / "out").mkdir(parents=True)
    made = TrainConfig.model_validate(CONFIG | more)
    return train(made, CheckedExamples(given / "examples"), Transform(given / "transform"), root / "out", context(root))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    root = tmp_path_factory.mktemp("alone")
    return trained(root, data(root / "data"))


def test_strange_rows_are_left_out_and_the_task_is_calibrated(alone) -> None:
    assert alone.training["rows"] == {"train": 1200 - 180, "val": 300}
    task = json.loads((alone.path / "task.json").read_text())
    assert task["kind"] == "anomaly" and task["features"] == list(NAMES) and task["groups"] == list(range(9))
    assert task["threshold"] > 1 and min(task["usual"]) > 0.01


def test_the_threshold_is_the_quantile_of_the_validation_scores(alone) -> None:
    from kilnworks.components.learning.predict import predict

    frame = pl.concat(pl.read_parquet(f) for f in CheckedExamples(alone.path.parent / "data/examples").files("val"))
    scores = predict(alone, frame)["score"]
    assert np.quantile(scores, 0.99) == pytest.approx(1.0, rel=1e-4)


def test_with_a_refit_the_threshold_is_that_of_the_network_that_has_not_seen_the_validation_rows(tmp_path) -> None:
    """Errors of validation rows are those of a training without them, over the usual ones of the model that is kept."""
    model = CONFIG["model"] | {"contamination": 0.0}
    alone = trained(tmp_path / "one", data(tmp_path / "data"), model=model)
    again = trained(tmp_path / "two", tmp_path / "data", model=model, refit=1)
    transform = FeatureTransform.load(again.transform)
    frame = pl.concat(pl.read_parquet(f) for f in CheckedExamples(tmp_path / "data/examples").files("val"))
    errors, seen = (np.asarray(load_trained(made)(dict(transform.encode(frame)))) for made in (alone, again))
    task = task_of(again)
    wanted, learned = (np.quantile(np.sqrt((e / np.array(task.usual)).mean(axis=1)), 0.99) for e in (errors, seen))
    assert task.threshold == pytest.approx(wanted, rel=1e-4) and abs(wanted / learned - 1) > 1e-3


def test_labels_change_nothing(alone, tmp_path) -> None:
    other = trained(tmp_path, data(tmp_path / "data", mixed=True))
    for one, two in zip(weights(alone), weights(other), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (alone.path / "task.json").read_text() == (other.path / "task.json").read_text()


@pytest.mark.nightly
def test_replicas_and_a_killed_training(alone, tmp_path) -> None:
    given = str(data(tmp_path / "data"))
    assert process(tmp_path, [{"name": "a", "root": "cut", "data": given, "config": CONFIG, "kill_at": 2.5}]) < 0
    drawn = CONFIG | VARIATIONAL
    assert process(tmp_path, [{"name": "c", "root": "drawn", "data": given, "config": drawn, "kill_at": 2.5}]) < 0
    runs = [{"name": "two", "data": given, "config": CONFIG | TWO}]
    runs += [{"name": n, "root": n2, "data": given, "config": drawn} for n, n2 in (("d", "drawn"), ("e", "whole"))]
    assert process(tmp_path, [{"name": "b", "root": "cut", "data": given, "config": CONFIG}]) == 0
    assert process(tmp_path, runs) == 0
    cut = tmp_path / "cut/out-b"
    assert json.loads((cut / "training.json").read_text())["resumed_after"] == 2
    for one, two in zip(weights(alone), saved(cut), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (cut / "task.json").read_text() == (alone.path / "task.json").read_text()
    together = tmp_path / "two/out-two"
    assert json.loads((together / "training.json").read_text())["replicas"] == 2
    for one, two in zip(weights(alone), saved(together), strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)
    resumed, whole = tmp_path / "drawn/out-d", tmp_path / "whole/out-e"
    assert json.loads((resumed / "training.json").read_text())["resumed_after"] == 2
    assert (resumed / "history.csv").read_text() == (whole / "history.csv").read_text()
    for one, two in zip(saved(resumed), saved(whole), strict=True):
        np.testing.assert_array_equal(one, two)


def test_rows_that_are_streamed_are_not_chosen_among(alone) -> None:
    streamed = Splits(feed=object(), validation=None, streamed=True)
    with pytest.raises(ConfigError, match="raise memory_mb, or let it learn from all rows"):
        streamed.only(lambda arrays, seed: np.ones(3, bool), 0)
    assert streamed.only(None, 0) is streamed
