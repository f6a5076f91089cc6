"""Networks trained again on all rows: what they are, how they are averaged, killed, and kept within a budget."""

from types import SimpleNamespace

import numpy as np
import pytest

from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning import fit, training
from kilnworks.components.learning.rounds import budget, refit
from kilnworks.components.learning.rounds.budget import Budget
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.reporting.sections.wording import budget_words
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.errors import ConfigError
from tests.components.learning.replica_runs import weights
from tests.components.learning.training_examples import TABLE, context, customers, prepared, table, trained
from tests.effort import some

pytestmark = pytest.mark.slow

QUICK = {"model": Mlp(units=(8,)), "epochs": 4, "batch": 32, "optimizer": {"kind": "adam", "learning_rate": 0.01}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return customers(tmp_path_factory.mktemp("refit") / "data", 256)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Two networks on all rows."""
    return trained(tmp_path_factory.mktemp("whole"), TrainConfig(**QUICK, refit=2), *data)


def rows(made) -> dict[str, np.ndarray]:
    transform = FeatureTransform.load(made.transform)
    return dict(transform.encode(table(50, 9)))


def test_each_is_what_training_on_all_rows_for_the_best_epochs_gives_and_the_answer_is_their_mean(
    data, whole, tmp_path
) -> None:
    told = whole.training["refit"]
    best = whole.training["best_epoch"]
    assert told == {"networks": 2, "epochs": best, "rows": 456, "seconds": told["seconds"]}
    both = table(256, 1).vstack(table(200, 2))
    given, _ = prepared(tmp_path / "both", TABLE, {"train": both})
    alone = []
    for seed in (1, 2):
        config = TrainConfig(**{**QUICK, "epochs": best}, seed=seed, monitor="loss", early_stopping=None)
        made = trained(tmp_path, config, given, data[1], f"alone-{seed}")
        assert made.training["best_epoch"] == best, "the loss falls, so the last epoch is kept"
        alone.append(load_trained(made)(rows(whole), training=False).numpy())
    got = load_trained(whole)(rows(whole), training=False).numpy()
    np.testing.assert_allclose(got, np.mean(alone, axis=0), atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


PLACES = {"choosing": 0.6, "first network": 1.3, "second network": 2.6}


@pytest.mark.parametrize("place", some(PLACES, ["first network"]))
def test_killed_at_any_place_it_ends_with_the_same_bits(data, whole, tmp_path, place) -> None:
    def crash(now) -> None:
        if now.done >= PLACES[place]:
            raise KeyboardInterrupt

    config = TrainConfig(**QUICK, refit=2)
    for out, progress in (("one", crash), ("two", lambda _: None)):
        (tmp_path / out).mkdir()
        try:
            made = train(config, *data, tmp_path / out, context(tmp_path, progress))
        except KeyboardInterrupt:
            assert out == "one"
    for one, other in zip(weights(made), weights(whole), strict=True):
        np.testing.assert_array_equal(one, other)


def test_progress_never_goes_back(data, tmp_path) -> None:
    seen: list = []
    trained(tmp_path, TrainConfig(**QUICK, refit=1), *data, progress=seen.append)
    done = [p.done for p in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].total == 2
    assert any(p.note.startswith("network 1 on all rows: epoch 1/") for p in seen)


def test_without_time_the_best_epoch_is_kept_and_said(data, tmp_path) -> None:
    plain = trained(tmp_path, TrainConfig(**{**QUICK, "epochs": 1}), *data, "plain")
    made = trained(tmp_path, TrainConfig(**QUICK, refit=3, budget_minutes=1e-4), *data, "hurried")
    assert made.training["refit"]["networks"] == 0
    assert made.training["budget"]["over"] is True
    assert made.training["epochs_run"] == 1, "one epoch is always trained"
    for one, other in zip(weights(made), weights(plain), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def epochs_take(monkeypatch):
    """Makes the epochs of all networks take these seconds, one after the other, and nothing else any time."""

    def take(*seconds: float) -> list[float]:
        left, now, ended = list(seconds), [0.0], Budget.on_epoch_end

        def on_epoch_end(self, epoch, logs=None) -> None:
            now[0] += left.pop(0)
            ended(self, epoch, logs)

        told = SimpleNamespace(perf_counter=lambda: now[0])
        for module in (budget, fit, refit, training):
            monkeypatch.setattr(module, "time", told)
        monkeypatch.setattr(Budget, "on_epoch_end", on_epoch_end)
        return now

    return take


@pytest.mark.parametrize(
    ("networks", "answers"),
    [
        (0, "the one that learned from the training rows alone answers"),
        (1, "network 1 answers alone"),
    ],
)
def test_a_network_that_the_budget_ends_in_is_left_out_and_said(
    data, tmp_path, monkeypatch, epochs_take, networks, answers
) -> None:
    """An epoch takes a second until the machine gets busy, in a network that was to take 3 * 456 / 256 s: 5.3."""
    (tmp_path / "out").mkdir()
    config = TrainConfig(**QUICK, refit=2, budget_minutes=0.5)
    now = epochs_take(*[1.0] * (4 + 3 * networks), *[12.0] * 2)
    made = train(config, *data, tmp_path / "out", context(tmp_path))
    assert now[0] <= 30
    told = made.training["refit"]
    assert (told["networks"], told["left_out"], told["cut"], told["epochs"]) == (networks, 2 - networks, True, 3)
    words = f"the budget of 0.5 min ended before network {networks + 1} on all rows was ready: {answers}"
    assert budget_words(made.training) == words
    monkeypatch.undo()
    alone = trained(tmp_path, TrainConfig(**QUICK, refit=networks), *data, "alone")
    for one, other in zip(weights(made), weights(alone), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_killed_run_goes_on_with_what_is_left_of_the_budget(data, tmp_path, epochs_take) -> None:
    """Of 30.6 s 15 are gone when it is killed in its last epoch; a network on all rows takes 16 or more."""

    def kill(now) -> None:
        if now.note.startswith("epoch 5/5"):
            raise KeyboardInterrupt

    epochs_take(*[3.0] * 6)
    config = TrainConfig(**{**QUICK, "epochs": 5}, refit=1, budget_minutes=0.51)
    for out in ("one", "two"):
        (tmp_path / out).mkdir()
    with pytest.raises(KeyboardInterrupt):
        train(config, *data, tmp_path / "one", context(tmp_path, kill))
    made = train(config, *data, tmp_path / "two", context(tmp_path))
    assert (made.training["resumed_after"], made.training["refit"]["networks"]) == (4, 0)
    assert budget_words(made.training).startswith("the budget of 0.51 min left no time for the network on all rows")


def test_time_to_go_counts_the_networks_to_come(data, tmp_path) -> None:
    seen: list = []
    made = trained(tmp_path, TrainConfig(**QUICK, refit=2), *data, progress=seen.append)
    took = 4 + 2 * made.training["best_epoch"] * 456 / 256
    again = [now for now in seen if "on all rows" in now.note]
    assert {round(now.expected, 6) for now in again} == {round(took, 6)}
    assert again[-1].left == pytest.approx(0)
    done = [now.so_far for now in seen]
    assert done == sorted(done)


def test_what_cannot_be_trained_on_all_rows_is_refused(data, tmp_path) -> None:
    alone, transform = prepared(tmp_path, TABLE, {"train": table(100, 1)})
    with pytest.raises(ConfigError, match="no validation rows"):
        trained(tmp_path, TrainConfig(**QUICK, monitor="loss", refit=1), alone, transform)
    with pytest.raises(ConfigError, match="streamed"):
        trained(tmp_path, TrainConfig(**QUICK, refit=1, memory_mb=0.001), *data, "streamed")
    with pytest.raises(ValueError, match="refit and reduce_on_plateau"):
        TrainConfig(**QUICK, refit=1, reduce_on_plateau={})
