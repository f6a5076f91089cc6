"""Pruning: the schedule and the masks against the paper's formula and a loop, zeros in what is exported, going on."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kilnworks.components.compress import CompressConfig, compress
from kilnworks.components.compressing.pruning import Pruner, pruned, smallest, sparsity_at
from kilnworks.components.compressing.sides import check_measured
from kilnworks.components.compressing.smaller import to_pruned, trained_by
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.tasks.generation.generation import Generation
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.artifacts import Model, Transform
from kilnworks.schemas.context import Progress
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import read_json, write_json
from tests.components.learning.training_examples import TABLE, context, prepared, table, trained

SETTINGS = CompressConfig(to="pruned", sparsity=0.7, prune_epochs=3, settle_epochs=2, resamples=200)


def test_the_schedule_is_that_of_the_paper():
    """s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3 (Zhu & Gupta 2017), with s_i and t_0 of 0."""
    final, steps = 0.9, 7
    for epoch in range(1, 12):
        t = min(epoch, steps)
        assert sparsity_at(epoch, steps, final) == pytest.approx(final + (0 - final) * (1 - t / steps) ** 3)
    assert sparsity_at(steps, steps, final) == final


def test_the_smallest_magnitudes_are_taken_and_what_was_taken_stays():
    weights = np.random.default_rng(1).normal(size=(17, 9)).astype(np.float32)
    mask = smallest(weights, 0.4)
    limit = sorted(abs(float(value)) for value in weights.reshape(-1))[round(0.4 * weights.size) - 1]
    np.testing.assert_array_equal(mask, [[float(abs(float(v)) > limit) for v in row] for row in weights])
    later = smallest(weights * mask + mask * 0.01, 0.6)
    assert (later[mask == 0] == 0).all() and (later == 0).sum() == round(0.6 * weights.size)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A table, learned by a small network, and its examples."""
    root = tmp_path_factory.mktemp("pruned")
    given, transform = prepared(root, TABLE, {"train": table(600, 1), "val": table(200, 2), "test": table(300, 3)})
    return trained(root, TrainConfig(model=Mlp(units=(32, 16)), epochs=4, batch=64), given, transform), given


def made(config: CompressConfig, model: tuple, root: Path, name: str = "out", progress=lambda _: None) -> Model:
    (root / name).mkdir()
    return compress(config, *model, root / name, context(root / f"at-{name}", progress))


@pytest.fixture(scope="module")
def whole(model, tmp_path_factory):
    """What a pruning that nobody stopped makes of it."""
    return made(SETTINGS, model, tmp_path_factory.mktemp("whole"))


def kernels(folder: Path) -> list[np.ndarray]:
    """Matrices in the variables of a SavedModel."""
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    found = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map()]
    return [one for one in found if getattr(one, "ndim", 0) == 2 and one.size >= 256]


@pytest.mark.slow
def test_weights_that_are_zero_stay_so_up_to_the_saved_model(model, whole, tmp_path):
    from kilnworks.components.compressing.report import saved

    told = read_json(whole.path / "compression.json")
    found = kernels(saved(whole, tmp_path / "saved"))
    assert len(found) == len(told["variables"]) >= 2
    for kernel in found:
        assert (kernel == 0).mean() == pytest.approx(0.7, abs=1 / kernel.size), kernel.shape
    assert all((kernel == 0).mean() < 0.01 for kernel in kernels(saved(model[0], tmp_path / "before")))
    before, now = told["models"]
    assert told["split"] == "test", "whose metrics the command tells"
    assert now["nonzero"] < 0.6 * before["nonzero"] and now["values"] == before["values"]
    assert now["packed"] < before["packed"] and set(now["metrics"]) == {"val", "test"}
    phases = [line.split(",")[1] for line in (whole.path / "history.csv").read_text().splitlines()[1:]]
    assert phases == ["prune"] * 3 + ["settle"] * 2
    assert whole.training["best_epoch"] > 3, "an epoch with other sparsity does not count"


@pytest.mark.slow
def test_a_pruning_that_was_stopped_goes_on_to_the_same_weights(model, whole, tmp_path):
    class Stopped(Exception):
        pass

    def stop(progress):
        if progress.done >= 3.5:
            raise Stopped

    (tmp_path / "part").mkdir()
    with pytest.raises(Stopped):
        compress(SETTINGS, *model, tmp_path / "part", context(tmp_path / "at", stop))
    (tmp_path / "again").mkdir()
    again = compress(SETTINGS, *model, tmp_path / "again", context(tmp_path / "at"))
    assert again.training["resumed_after"] == 3
    from kilnworks.components.modeling.kept import load_trained

    for one, other in zip(load_trained(whole).get_weights(), load_trained(again).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_an_ensemble_of_members_is_pruned_too(tmp_path):
    """Its training step is one of ours, around other outputs."""
    given, transform = prepared(tmp_path, TABLE, {"train": table(400, 1), "val": table(100, 2), "test": table(200, 3)})
    config = TrainConfig(model=Tabular(units=(32,), members=4), epochs=2, batch=64)
    smaller = made(SETTINGS, (trained(tmp_path, config, given, transform), given), tmp_path, "small")
    told = read_json(smaller.path / "compression.json")
    assert told["variables"] and all(one["zero"] >= 0.699 for one in told["variables"])


@pytest.mark.slow
def test_an_epoch_before_the_final_sparsity_is_not_kept_though_its_loss_is_the_smallest(model, tmp_path):
    """The training loss is there in every phase, unlike what the validation says."""
    given, transform = model[1], Transform(model[0].path / "transform")
    config = TrainConfig(model=Mlp(units=(32, 16)), epochs=4, batch=64, monitor="loss")
    whole = trained(tmp_path, config, given, transform)
    (tmp_path / "small").mkdir()
    seen: list[Progress] = []
    at = context(tmp_path / "at", seen.append)
    told = to_pruned(whole, given, tmp_path / "small", at, sparsity=0.95, epochs=3, settle=2, rate=0.001)
    assert all(one["zero"] >= 0.949 for one in told["variables"])
    rows = [line.split(",") for line in (tmp_path / "small" / "history.csv").read_text().splitlines()]
    losses = [float(row[rows[0].index("loss")]) for row in rows[1:]]
    assert losses[0] < min(losses[3:]), "or the test says nothing"
    assert Model(tmp_path / "small").training["best_epoch"] > 3
    assert seen[-1].unjudged == 3


@pytest.mark.slow
def test_layers_that_learn_in_the_last_phase_alone_are_pruned_too():
    base, given = keras.layers.Dense(32, name="base", trainable=False), keras.Input((16,), name="x")
    model = keras.Model({"x": given}, keras.layers.Dense(16, name="head")(base(given)))

    def thawed():
        base.trainable = True

    learner = Learner(model, (Phase("head", model), Phase("fine_tune", model, prepare=thawed)))
    pruner = Pruner(1, 0.5)
    pruned(learner, [np.asarray(v) for v in model.variables], pruner, 1, 1.0)
    assert [kernel.path for kernel in pruner.kernels] == ["base/kernel", "head/kernel"]


@pytest.mark.slow
def test_what_cannot_be_pruned_is_said(model, tmp_path):
    given = model[1]
    _, transform = prepared(tmp_path, TABLE, {"train": table(300, 1), "val": table(100, 2), "test": table(100, 3)})
    tiny = trained(tmp_path, TrainConfig(model=Mlp(units=(2,), embedding_size=2), epochs=1), given, transform, "tiny")
    with pytest.raises(ConfigError, match="without a trained kernel of 256 weights or more"):
        made(SETTINGS, (tiny, given), tmp_path, "a")
    with pytest.raises(ConfigError, match="int8 for a model without a matrix"):
        made(CompressConfig(), (tiny, given), tmp_path, "b")
    several = TrainConfig(model=Mlp(units=(32, 16)), epochs=1, refit=2)
    mean = trained(tmp_path, several, given, transform, "mean")
    with pytest.raises(ConfigError, match="the mean of several networks"):
        made(SETTINGS, (mean, given), tmp_path, "c")
    with pytest.raises(ConfigError, match="split 'later' has no rows"):
        made(SETTINGS.updated({"split": "later"}), model, tmp_path, "d")
    with pytest.raises(ConfigError, match="metric of a binary task"):
        made(SETTINGS.updated({"metric": "rmse"}), model, tmp_path, "e")
    with pytest.raises(ConfigError, match="compressing a model of generation, which is not judged by answers to rows"):
        check_measured(Generation(), SETTINGS, None)
    (tmp_path / "tuned").mkdir()
    handed = {"config": {"model": {"kind": "transfer", "base": "own"}}}
    write_json(tmp_path / "tuned" / "training.json", handed)
    with pytest.raises(ConfigError, match="made by the step finetune"):
        trained_by(Model(tmp_path / "tuned"))
