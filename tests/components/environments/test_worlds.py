"""Environments by name, their spaces as contracts, episodes, and the exact optimum of a small world."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces

from kilnworks.components.environments.environment import Environment
from kilnworks.components.environments.episodes import play, random_policy
from kilnworks.components.environments.exact import value_iteration
from kilnworks.components.environments.grid import GridWorld
from kilnworks.components.environments.spaces import contract_of
from kilnworks.components.judging.control.played import policy_value
from kilnworks.components.sources.base import Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.environment import EnvironmentSource
from kilnworks.schemas.contract import load_contract
from kilnworks.schemas.errors import ConfigError, DataInvalid, KilnworksError, StepFailed

ROOT = Path(__file__).parents[3]
GRID = "kilnworks.components.environments.grid:GridWorld"
SMALL = ("S.", "XG")


class Broken(GridWorld):
    """Observes what its space does not hold, pays what is no number, or answers as Gym did before Gymnasium."""

    def __init__(self, how: str = "observes") -> None:
        super().__init__()
        self.how = how

    def reset(self, *, seed=None, options=None):
        observation, told = super().reset(seed=seed)
        return observation if self.how == "begins as before" else (observation, told)

    def step(self, action):
        observation, reward, *rest = super().step(action)
        if self.how == "raises":
            raise RuntimeError("out of coal")
        if self.how == "steps as before":
            return observation, reward, False, {}
        if self.how in ("names nothing", "pays nothing"):
            return ({}, reward, *rest) if self.how == "names nothing" else (observation, None, *rest)
        return (1000, reward, *rest) if self.how == "observes" else (observation, float("nan"), *rest)


class Alike:
    """Has all that an environment has, and is none."""

    observation_space, action_space = GridWorld().observation_space, GridWorld().action_space
    reset, step = GridWorld.reset, GridWorld.step


def named(how: str) -> Environment:
    return Environment(id=f"{__name__}:Broken", options={"how": how})


@pytest.mark.parametrize("slip", [0.0, 0.3])
def test_dynamic_programming_finds_the_best_of_all_policies(slip):
    world = GridWorld(SMALL, slip)
    best = value_iteration(world.P, 0.9).max(axis=1)
    every = [policy_value(world.P, np.array(p), 0.9) for p in itertools.product(range(4), repeat=4)]
    np.testing.assert_allclose(best, np.max(every, axis=0), atol=1e-8)


def test_the_world_does_what_it_says():
    world, draw = GridWorld(slip=0.4), np.random.default_rng(0)
    at, _ = world.reset(seed=1)
    for _ in range(300):
        action = int(draw.integers(4))
        outcomes = {(after, reward, ends) for _, after, reward, ends in world.P[at][action]}
        at, reward, ends, *_ = world.step(action)
        assert (at, reward, ends) in outcomes and world.observation_space.contains(at)
        if ends:
            at, _ = world.reset()
    assert world.render().shape == (6 * 24, 8 * 24, 3)


def test_episodes_do_not_depend_on_how_many_run_beside_one_another():
    whole = play(Environment(id="CartPole-v1"), lambda seen: (seen["observation"][:, 2] > 0).astype(int), 40, 7)
    parts = [play(Environment(id="CartPole-v1"), lambda seen: (seen["observation"][:, 2] > 0).astype(int), 1, 7 + i)
             for i in (0, 20, 39)]  # fmt: skip
    assert [whole.returns[i] for i in (0, 20, 39)] == [part.returns[0] for part in parts]
    assert (whole.returns == whole.lengths).all()


def test_a_limit_cuts_and_is_no_end():
    played = play(Environment(id=GRID, max_steps=5), random_policy(4, 0), 3, 0)
    assert (played.lengths[~played.terminated] == 5).all() and not played.terminated.all()


@pytest.mark.parametrize(
    ("space", "feature"),
    [
        (spaces.Discrete(5, start=2), {"dtype": "int", "min": 2, "max": 6}),
        (spaces.Box(-1, 1, (3,)), {"dtype": "float", "shape": (3,), "min": -1, "max": 1}),
        (spaces.Box(-np.inf, 1, (3,)), {"dtype": "float", "shape": (3,), "min": None}),
        (spaces.Box(0, 255, (8, 9, 3), np.uint8), {"dtype": "image", "shape": (8, 9, 3)}),
        (spaces.MultiDiscrete([3, 4]), {"dtype": "int", "shape": (2,), "max": 3}),
        (spaces.MultiBinary(4), {"dtype": "int", "shape": (4,), "max": 1}),
    ],
    ids=["discrete", "box", "open", "image", "multidiscrete", "multibinary"],
)
def test_a_space_is_a_feature(space, feature):
    world = GridWorld()
    world.observation_space = space
    found = contract_of("w", world, "").features["observation"]
    assert {name: getattr(found, name) for name in feature} == feature
    world.observation_space = spaces.Dict({"a": space, "b": spaces.Discrete(2)})
    assert list(contract_of("w", world, "").features) == ["a", "b"]


def test_actions_that_are_not_some_are_refused():
    world = GridWorld()
    world.action_space = spaces.Box(-1, 1, (1,))
    with pytest.raises(ConfigError, match="one of some actions"):
        contract_of("w", world, "")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (Environment(id="CartPole-v7"), "CartPole-v1"),
        (Environment(id="nowhere.at_all:Game"), "no module"),
        (Environment(id="CartPole-v1", options={"colour": 1}), "cannot be made"),
        (Environment(id=GRID, options={"map": ["SS"]}), "one S and a G"),
        (Environment(id="builtins:dict"), "without reset"),
        (Environment(id=f"{__name__}:Alike"), "makes Alike, no Env"),
    ],
    ids=["version", "module", "option", "map", "none", "alike"],
)
def test_what_is_no_environment_is_told(environment, words):
    with pytest.raises(KilnworksError, match=words):
        environment.make()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raises", "out of coal"),
        ("pays", "reward nan"),
        ("pays nothing", "TypeError: float"),
        ("names nothing", "KeyError: 'observation'"),
        ("begins as before", "TypeError: cannot unpack"),
        ("steps as before", "expected 5, got 4"),
    ],
)
def test_an_environment_that_breaks_is_told(how, words):
    with pytest.raises(StepFailed, match=words):
        play(named(how), random_policy(4, 0), 1, 0)


def test_a_source_plays_and_its_rows_fit_its_contract():
    source = EnvironmentSource(id="CartPole-v1", episodes=6)
    contract = source.contract("poles")
    wanted = Wanted(contract_columns(contract))
    first, again = (list(source.frames(wanted)) for _ in range(2))
    assert first[0].equals(again[0]) and set(first[0]["action"]) == {0, 1}
    assert first[0]["observation"].dtype.shape == (4,)
    assert source.fingerprint() != source.model_copy(update={"episodes": 7}).fingerprint()
    assert source.fingerprint() != EnvironmentSource(id="CartPole-v0", episodes=6).fingerprint()
    assert load_contract(ROOT / "schemas/contracts/cartpole.yaml").features == contract.features


def test_an_observation_outside_of_its_space_is_refused():
    source = EnvironmentSource(id=f"{__name__}:Broken")
    contract = EnvironmentSource(id=GRID).contract("w")
    with pytest.raises(DataInvalid, match=r"an observation of Discrete\(48\)"):
        list(source.frames(Wanted(contract_columns(contract))))
