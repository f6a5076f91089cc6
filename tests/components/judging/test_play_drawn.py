"""The strip of the first episode: of a cart from its state, in classes that the style sheet of charts knows."""

import re
from pathlib import Path

from kilnworks.components.judging.control.pictures import pictures

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
