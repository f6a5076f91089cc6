"""Whether the champion may have learned from the rows that a new model is measured on."""

import csv
from datetime import datetime, timedelta
from shutil import copytree, rmtree

import pytest

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import ByHash, ByTime, CsvSource
from kilnworks.components.sources.splitting.splits import Shares
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.seen import may_have_seen
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import read_json, write_json
from tests.pipelines.made_models import JudgeConfig, LearnConfig, check, judge, learn

TREE = {
    "name": "shop",
    "features": {"x": {"dtype": "float"}, "day": {"dtype": "datetime"}},
    "time": "day",
    "label": {"name": "y", "dtype": "string", "classes": ["no", "yes"]},
}
HASHED = ByHash(shares=Shares(train=0.5, val=0.2, test=0.3))
BY_TIME = ByTime(shares=Shares(train=0.5, val=0.2, test=0.3))


@pytest.fixture
def made(tmp_path):
    """Two runs, each of so many days from a first one; why the first model may have seen the rows of the second."""
    store = Store(tmp_path / "store")

    def run(name, first, days, split, tree=TREE):
        path = tmp_path / f"{name}.csv"
        with path.open("w") as file:
            writer = csv.writer(file)
            writer.writerow(["x", "day", "y"])
            for i in range(days):
                day = datetime(2026, 1, 1) + timedelta(days=first + i)
                writer.writerow([i / 7, day.isoformat(), "yes" if i % 3 else "no"])
        config = IngestConfig(contract=Contract.model_validate(tree), source=CsvSource(path=str(path)), split=split)
        pipeline = Pipeline(
            "shop",
            (
                Step("examples", ingest, config),
                Step("checked", check, Config(), {"examples": "examples"}),
                Step("model", learn, LearnConfig(), {"examples": "checked"}),
                Step("evaluation", judge, JudgeConfig(), {"model": "model", "examples": "checked"}),
            ),
        )
        made = store.run("shop", name)
        run_all(pipeline, made)
        return made, pipeline["evaluation"]

    def why(champion, challenger, split="test"):
        old, _ = run("old", *champion)
        new, step = run("new", *challenger)
        return may_have_seen(step, new, old, split)

    return why


def test_the_same_rows_and_split(made):
    assert made((0, 90, HASHED), (0, 90, HASHED)) == ""


def test_more_rows_under_the_same_hash(made):
    assert made((0, 90, HASHED), (0, 150, HASHED)) == ""


def test_more_rows_under_the_same_hash_of_a_column_that_the_contract_leaves_out(made):
    without = {"name": "shop", "features": {"x": {"dtype": "float"}}, "label": TREE["label"], "ignore": ["day"]}
    by_day = HASHED.model_copy(update={"key": "day"})
    assert made((0, 90, by_day, without), (0, 150, by_day, without)) == ""
    assert "another key" in made((0, 90, by_day, without), (0, 150, HASHED, without))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (HASHED.model_copy(update={"salt": 3}), "another salt"),
        (ByHash(shares=Shares(train=0.4, val=0.2, test=0.4)), "a split with other shares"),
        (HASHED.model_copy(update={"key": "day"}), "another key"),
        (HASHED.model_copy(update={"copies": "apart"}), "by a split with copies that go another way"),
        (BY_TIME, "kind"),
    ],
)
def test_another_split(made, other, said):
    assert said in made((0, 90, HASHED), (0, 90, other))


def test_a_run_of_before_copies_could_go_apart(made, tmp_path):
    assert made((0, 90, HASHED), (0, 150, HASHED)) == ""
    manifest = tmp_path / "store/runs/shop/old/examples/manifest.json"
    told = read_json(manifest)
    assert told["config"]["split"].pop("copies") == "together"
    write_json(manifest, told)
    store = Store(tmp_path / "store")
    step = Step("evaluation", judge, JudgeConfig(), {"model": "model", "examples": "checked"})
    assert may_have_seen(step, store.run("shop", "new"), store.run("shop", "old"), "test") == ""


def test_another_column_moves_the_hash_of_whole_rows(made):
    tree = {**TREE, "features": {"x": {"dtype": "float"}}, "ignore": ["day"]}
    tree.pop("time")
    assert "another key" in made((0, 90, HASHED), (0, 90, HASHED, tree))


def test_the_past_trains_and_later_rows_test(made):
    assert made((0, 90, BY_TIME), (0, 150, BY_TIME)) == "", "tested from day 105 on, and the champion ended at day 63"


def test_an_older_stretch_of_time(made):
    assert "the time" in made((60, 100, BY_TIME), (0, 100, BY_TIME))


def test_rows_that_are_learned_from(made):
    assert "train, which a model learns from" in made((0, 90, HASHED), (0, 90, HASHED), "train")


def test_a_champion_whose_run_is_gone(made, tmp_path):
    assert made((0, 90, HASHED), (0, 90, HASHED)) == ""
    store = Store(tmp_path / "store")
    new = store.run("shop", "new")
    step = Step("evaluation", judge, JudgeConfig(), {"model": "model", "examples": "checked"})
    assert "no longer known" in may_have_seen(step, new, store.run("shop", "gone"), "test")


def test_an_earlier_run_whose_rows_were_taken_from_the_cache_may_be_gone(made, tmp_path):
    """A run that took its rows from another holds them itself, and knows how they were split."""
    assert made((0, 90, HASHED), (0, 90, HASHED)) == ""
    folder = tmp_path / "store/runs/shop"
    for step in ("examples", "checked"):
        manifest = folder / "new" / step / "manifest.json"
        assert read_json(manifest)["run_id"] == "old", "taken from the cache"
        held = [(folder / "new" / step).resolve(), folder / "new" / step]
        if held[0] != held[1]:
            held[1].unlink()
            copytree(held[0], held[1])
    rmtree(folder / "old")
    store = Store(tmp_path / "store")
    step = Step("evaluation", judge, JudgeConfig(), {"model": "model", "examples": "checked"})
    new = store.run("shop", "new")
    assert may_have_seen(step, new, new, "test") == ""
