"""Deep Q-learning: goals by hand, the optimum of a small world, and a run that is broken off and goes on."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.environments.exact import value_iteration
from kilnworks.components.environments.grid import GridWorld
from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.control.dqn import Dqn
from kilnworks.components.sources.base import Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.environment import EnvironmentSource
from kilnworks.components.tasks.control import Control
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.errors import ConfigError
from tests.components.learning.replica_runs import weights
from tests.components.learning.training_examples import context, prepared

pytestmark = pytest.mark.slow

MAP = ("S..", ".X.", "..G")
WORLD = EnvironmentSource(
    id="kilnworks.components.environments.grid:GridWorld", options={"map": list(MAP)}, max_steps=30, episodes=20
)


def config(**more) -> TrainConfig:
    model = {"kind": "dqn", "environment": WORLD.environment, "units": (32,), "discount": 0.9, "warm_up": 200,
             "steps": 200, "target_every": 50, "exploration": {"end": 0.3, "steps": 600}, "n_step": 2,
             "memory": 700, **more.pop("model", {})}  # fmt: skip
    base = {"epochs": 4, "batch": 32, "optimizer": {"kind": "adam", "learning_rate": 3e-3}, "monitor": "val_return",
            "early_stopping": None}  # fmt: skip
    return TrainConfig.model_validate({"model": model, **base, **more})


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    contract = WORLD.contract("w")
    rows = pl.concat(WORLD.frames(Wanted(contract_columns(contract))))
    return prepared(tmp_path_factory.mktemp("played"), contract, {"train": rows[:120], "val": rows[120:160]})


def trained(root, settings, played, progress=lambda _: None):
    out = root / "out"
    out.mkdir(parents=True, exist_ok=True)
    return train(settings, *played, out, context(root, progress))


def test_it_finds_the_optimum_of_a_small_world(tmp_path, played):
    import keras

    model = trained(tmp_path, config(epochs=12, checkpoints="every", model={"n_step": 3}), played)
    network = keras.saving.load_model(model.path / "checkpoints/epoch-0012.keras", compile=False)
    world = GridWorld(MAP)
    exact = value_iteration(world.P, 0.9)
    found = np.asarray(network({"observation": np.arange(9)}))
    at, path = world.reset()[0], []
    while True:
        path.append(at)
        action = int(found[at].argmax())
        assert exact[at, action] == pytest.approx(exact[at].max()), f"from {at}"
        at, _, ends, *_ = world.step(action)
        if ends:
            break
    assert len(path) == 4 and world.squares[at] == "G"
    np.testing.assert_allclose(found[path].max(axis=1), exact[path].max(axis=1), atol=0.5)
    assert float(model.training["best"]["val_return"]) == 16
    epochs = pl.read_csv(model.path / "history.csv").filter(pl.col("val_return") == 16)["epoch"]
    assert len(epochs) > 1 and model.training["best_epoch"] == epochs.max(), "the latest, whose values are nearest"


@pytest.mark.parametrize(
    "priority", [pytest.param({}, id="prioritized"), pytest.param(None, id="alike", marks=pytest.mark.nightly)]
)
def test_a_run_that_is_broken_off_goes_on_to_the_same_weights(tmp_path, played, priority):
    settings = config(model={"priority": priority})
    whole = trained(tmp_path / "whole", settings, played)

    def broken(now) -> None:
        if now.done >= 2.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "broken", settings, played, broken)
    resumed = trained(tmp_path / "broken", settings, played)
    assert resumed.training["resumed_after"] == 2
    for one, other in zip(weights(whole), weights(resumed), strict=True):
        assert (one == other).all()
    assert (whole.path / "history.csv").read_text() == (resumed.path / "history.csv").read_text()


def network(task: Control, **settings):
    architecture = Dqn(environment=WORLD.environment, units=(4,), **settings)
    tensor = EncodedTensor(name="observation", shape=(), dtype="int64", kind="as_sent")
    return architecture.network((tensor,), task)


@pytest.mark.parametrize("double", [True, False], ids=["double", "plain"])
@pytest.mark.parametrize("dueling", [True, False], ids=["dueling", "one"])
def test_goals_are_those_of_the_formula(double, dueling):
    from kilnworks.components.modeling.control.q_learning import QLearning

    task = Control.of(WORLD.contract("w"))
    online, target = network(task, dueling=dueling), network(task, dueling=dueling)
    trained = QLearning(online, target, double=double, target_every=2, memory=8)
    target.set_weights([w + 0.1 for w in network(task, dueling=dueling).get_weights()])
    later, reward, discount = np.array([0, 3, 8]), np.array([1.0, -2.0, 3.0], np.float32), np.array([0.9, 0.81, 0.0])
    told = {"later": {"observation": later}, "reward": reward, "discount": discount.astype(np.float32)}
    ours, theirs = (np.asarray(m({"observation": later})) for m in (online, target))
    for i, goal in enumerate(np.asarray(trained.goals(told))):
        best = (ours if double else theirs)[i].argmax()
        assert goal == pytest.approx(reward[i] + discount[i] * theirs[i, best], rel=1e-5)


def test_one_step_of_gradients_and_a_copy_every_second_step():
    import keras

    from kilnworks.components.modeling.control.q_learning import QLearning

    task = Control.of(WORLD.contract("w"))
    online, target = network(task), network(task)
    trained = QLearning(online, target, double=True, target_every=2, memory=8)
    trained.compile(optimizer=keras.optimizers.SGD(0.1), loss=task.loss())
    told = {"later": {"observation": np.array([1, 2])}, "action": np.array([0, 3], np.int32),
            "reward": np.array([1.0, -1.0], np.float32), "discount": np.array([0.9, 0.0], np.float32),
            "place": np.array([5, 2], np.int32)}  # fmt: skip
    seen = {"observation": np.array([0, 4])}
    wanted = np.abs(np.asarray(trained.goals(told)) - np.asarray(online(seen))[[0, 1], [0, 3]])
    before = [np.array(w) for w in target.get_weights()]
    told = keras.tree.map_structure(keras.ops.convert_to_tensor, told)
    logs = trained.train_step((seen, told, keras.ops.ones(2)))
    errors = np.asarray(trained.errors)
    np.testing.assert_allclose(errors[[5, 2]], wanted, rtol=1e-5)
    assert not errors[[0, 1, 3, 4, 6, 7]].any()
    huber = np.where(wanted <= 1, wanted**2 / 2, wanted - 0.5).mean()
    assert float(logs["loss"]) == pytest.approx(huber, rel=1e-5)
    assert all((a == b).all() for a, b in zip(before, target.get_weights(), strict=True))
    trained.train_step((seen, told, keras.ops.ones(2)))
    assert all((a == b).all() for a, b in zip(online.get_weights(), target.get_weights(), strict=True))


def test_advantages_have_mean_0_beside_the_value():
    task = Control.of(WORLD.contract("w"))
    model = network(task)
    values = np.asarray(model({"observation": np.arange(9)}))
    import keras

    alone = keras.Model(model.input, model.get_layer("value_output").output)
    np.testing.assert_allclose(values.mean(axis=1), np.asarray(alone({"observation": np.arange(9)}))[:, 0], atol=1e-6)


def test_another_environment_and_too_small_a_memory_are_refused(tmp_path, played):
    with pytest.raises(ConfigError, match="has 2 actions"):
        trained(tmp_path, config(model={"environment": "CartPole-v1"}), played)
    with pytest.raises(ValueError, match="more than the memory"):
        Dqn(environment="CartPole-v1", warm_up=200, memory=100)
