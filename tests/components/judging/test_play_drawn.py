"""The first episode: a strip of a cart from its state, in classes that the style sheet knows, and what was observed."""

import re
from pathlib import Path

import gymnasium
import numpy as np

from kilnworks.components.environments.environment import Environment
from kilnworks.components.judging.control.pictures import pictures
from kilnworks.components.judging.control.played import POINTS, judged_play

STYLES = Path(__file__).parents[3] / "components/charts/assets/charts.css"
PLAY = {
    "environment": "CartPole-v1",
    "moments": [0, 3],
    "actions": [1, 0],
    "states": {name: [0.0, 0.1] for name in ("place", "speed", "angle", "turn")},
    "returns": [9.0, 10.0],
    "random": [2.0, 3.0],
}


def test_a_cart_is_drawn_at_each_moment_and_no_rectangle_is_black() -> None:
    strip = dict(pictures({"play": PLAY}))["episode"]
    assert strip.count("<path") == 2 and "step 3, action 0" in strip
    known = set(re.findall(r"\.chart \.([a-z0-9]+)", STYLES.read_text()))
    drawn = re.findall(r'<(?:rect|line|path)[^>]*class="([^"]+)"', strip)
    assert len(drawn) == 8 and set(" ".join(drawn).split()) <= known


def test_what_swings_is_drawn_step_by_step_and_not_every_fifth() -> None:
    def towards_the_fall(seen):
        turns = seen["observation"][:, 2] + seen["observation"][:, 3]
        return np.stack([-turns, turns], axis=1)

    told = judged_play(Environment(id="CartPole-v1"), towards_the_fall, 2, 7, 0.9)[1]["play"]
    world, seen = gymnasium.make("CartPole-v1"), []
    state = world.reset(seed=7)[0]
    while len(seen) < POINTS:
        seen.append(state)
        state = world.step(int(state[2] + state[3] > 0))[0]
    drawn = np.stack([told["observed"][f"observation {i}"] for i in (1, 2, 3, 4)], axis=1)
    np.testing.assert_array_equal(drawn, np.stack(seen))
    assert told["length"] > POINTS
    assert (
        f"Observed in the first episode, {POINTS} of {told['length']} steps"
        in dict(pictures({"play": told}))["observed"]
    )
    short = {**told, "length": POINTS}
    assert "episode, " not in dict(pictures({"play": short}))["observed"]
