"""How a first model of texts is trained: again on all rows where there are few."""

import numpy as np
import polars as pl

from kilnworks.components.starting import sizes
from kilnworks.components.starting.definition import definition
from kilnworks.components.starting.durations import timed
from kilnworks.components.starting.start import start
from kilnworks.components.starting.texts import bag


def test_few_texts_are_learned_again_whole() -> None:
    _, few = bag(sizes.SMALL - 1, "val_loss")
    _, many = bag(sizes.SMALL, "val_loss")
    assert few["refit"] == 1
    assert many == {**{name: value for name, value in few.items() if name != "refit"}, "batch": 128}


def test_new_writes_it_says_it_and_keeps_a_budget(tmp_path) -> None:
    draw = np.random.default_rng(0)
    words = ["good", "bad", "plot", "actor", "scene", "long", "end", "music"]
    review = [" ".join(draw.choice(words, 9)) for _ in range(400)]
    stars = ["up" if one.count("good") > one.count("bad") else "down" for one in review]
    pl.DataFrame({"review": review, "stars": stars}).write_csv(tmp_path / "rows.csv")
    recipe = timed(start("films", str(tmp_path / "rows.csv"), label="stars"), 3.0)
    [line] = [d for d in recipe.decisions if d.what == "model"]
    assert line.choice == "bag" and line.why.endswith("stops early; then one network on all rows, which answers")
    code = definition("films", recipe, tmp_path, tmp_path / "schemas/contracts/films.yaml")
    assert "        refit=1,\n" in code and "        budget_minutes=3.0,\n" in code
