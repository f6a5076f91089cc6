"""Sums, draws and added rewards against brute force."""

import numpy as np
import pytest

from kilnworks.components.modeling.control.n_step import Rewards, Transition
from kilnworks.components.modeling.control.replay import SMALLEST, Replay
from kilnworks.components.modeling.control.sum_tree import SumTree


@pytest.mark.parametrize("capacity", [1, 2, 7, 64, 100])
def test_the_tree_finds_what_adding_up_finds(capacity):
    draw = np.random.default_rng(capacity)
    tree, plain = SumTree(capacity), np.zeros(capacity)
    for _ in range(30):
        places = draw.permutation(capacity)[: max(1, capacity // 3)]
        values = draw.integers(0, 5, len(places)).astype(float)
        tree.set(places, values)
        plain[places] = values
        assert tree.total == plain.sum() and (tree.values == plain).all()
        if plain.sum():
            sums = draw.random(50) * plain.sum()
            assert (tree.find(sums) == np.searchsorted(np.cumsum(plain), sums, side="right")).all()


def seen(number: float) -> dict[str, np.ndarray]:
    return {"observation": np.array([number], np.float32)}


@pytest.mark.parametrize("steps", [1, 3, 10])
@pytest.mark.parametrize("ends", [True, False], ids=["terminated", "cut"])
def test_rewards_are_added_up_as_a_loop_does(steps, ends):
    discount, rewards = 0.9, [1.0, -2.0, 3.0, 0.5, 4.0]
    adding, found = Rewards(steps, discount), []
    for t, reward in enumerate(rewards):
        found += adding.add(seen(t), t % 2, reward, seen(t + 1), ends and t == len(rewards) - 1, greedy=True)
    found += adding.cut()
    assert len(found) == len(rewards)
    for t, one in enumerate(found):
        stop = min(t + steps, len(rewards))
        total = 0.0
        for later in range(t, stop):
            total += discount ** (later - t) * rewards[later]
        rest = 0.0 if ends and stop == len(rewards) else discount ** (stop - t)
        assert one.reward == pytest.approx(total) and one.discount == pytest.approx(rest)
        assert (one.observation["observation"][0], one.action, one.later["observation"][0]) == (t, t % 2, stop)


def test_no_reward_of_a_random_action_is_added_to_that_of_the_action_before_it():
    discount, rewards, greedy = 0.9, [1.0, -2.0, 3.0, 0.5, 4.0, 6.0], [False, True, False, True, True, True]
    adding, found = Rewards(3, discount), []
    for t, reward in enumerate(rewards):
        found += adding.add(seen(t), t % 2, reward, seen(t + 1), t == len(rewards) - 1, greedy=greedy[t])
    stops = [2, 2, 5, 6, 6, 6]  # before the third action, which is random; then three steps, or the end
    assert len(found) == len(rewards)
    for t, (one, stop) in enumerate(zip(found, stops, strict=True)):
        assert one.reward == pytest.approx(sum(discount**k * r for k, r in enumerate(rewards[t:stop])))
        assert one.discount == pytest.approx(0 if stop == 6 else discount ** (stop - t))
        assert (one.observation["observation"][0], one.later["observation"][0]) == (t, stop)


def filled(alpha: float | None, capacity: int = 6, count: int = 10) -> Replay:
    replay = Replay(capacity, alpha)
    replay.add([Transition(seen(i), i % 2, float(i), seen(i + 1), 0.5) for i in range(count)])
    return replay


def test_the_oldest_make_room():
    replay = filled(None)
    held = replay.taken(np.arange(6))
    assert replay.size == 6 and sorted(held["reward"]) == [4, 5, 6, 7, 8, 9]
    assert (held["later.observation"][:, 0] == held["before.observation"][:, 0] + 1).all()


def test_large_errors_are_drawn_more_often_and_weigh_less():
    replay = filled(0.5)
    errors = np.array([0.0, 1.0, 4.0, 9.0, 16.0, 25.0])
    replay.judge(np.arange(6), errors)
    chance = (errors + SMALLEST) ** 0.5
    chance /= chance.sum()
    places, weights = replay.draw(400, 64, 0.7, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(places.ravel(), minlength=6) / places.size, chance, atol=0.01)
    wanted = (6 * chance[places]) ** -0.7
    np.testing.assert_allclose(weights, wanted / wanted.max(axis=1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("alpha", [None, 0.6])
def test_what_is_kept_draws_the_same(alpha):
    first, second = filled(alpha), Replay(6, alpha)
    first.judge(np.array([1, 3]), np.array([5.0, 0.2]))
    second.resume(first.state())
    for replay in (first, second):
        replay.add([Transition(seen(99), 1, 99.0, seen(100), 0.0)])
    one, two = (replay.draw(3, 5, 0.4, np.random.default_rng(1)) for replay in (first, second))
    assert (one[0] == two[0]).all() and (one[1] == two[1]).all()
    assert (first.taken(one[0])["reward"] == second.taken(two[0])["reward"]).all()
