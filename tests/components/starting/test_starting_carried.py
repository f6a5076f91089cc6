"""Categories whose values come again for other things in later rows, and columns that earlier rows do not have."""

import datetime
import re

import numpy as np
import polars as pl
import pytest

from kilnworks.components.sources import ByTime
from kilnworks.components.starting.moments import carried
from kilnworks.components.starting.moments.both_splits import compare_splits
from kilnworks.components.starting.moments.overlap import without_what_runs_out
from kilnworks.components.starting.moments.trees import answers
from kilnworks.schemas.contract import Contract
from tests.components.starting.frame_source import FrameSource

EACH, NAMES, THINGS = 25, 200, 400
"""Rows of a thing, as a storm has positions; names that there are; things, which have them in turn."""


def things(
    *, lasting: bool, classes: bool = True, numbered: bool = False, level: float = 1.5, noise: float = 0.5
) -> pl.DataFrame:
    """Things that each have a level of their own; with ``lasting`` all of one name have the same."""
    r = np.random.default_rng(0)
    thing = np.repeat(np.arange(THINGS), EACH)
    name = thing % NAMES
    levels = r.normal(0, level, NAMES if lasting else THINGS)[name if lasting else thing]
    size = r.random(len(thing))
    y = levels + 3 * size + r.normal(0, noise, len(thing))
    first = datetime.datetime(2015, 1, 1)
    on = [first + datetime.timedelta(hours=12 * row) for row in range(len(thing))]
    named = pl.Series("desk_id", name) if numbered else pl.Series("name", [f"n{one}" for one in name])
    label = pl.Series("y", np.where(y > 1.5, "yes", "no")) if classes else pl.Series("y", y)
    return pl.DataFrame({"on": on, "size": size}).with_columns(named, label)


def contract(frame: pl.DataFrame) -> Contract:
    kinds = {pl.String: "string", pl.Int64: "int", pl.Float64: "float", pl.Datetime: "datetime"}
    features = {n: {"dtype": kinds[frame[n].dtype.base_type()]} for n in frame.columns if n != "y"}
    classes = {"dtype": "string", "classes": ["no", "yes"]} if frame["y"].dtype == pl.String else {"dtype": "float"}
    return Contract.model_validate({"name": "x", "time": "on", "features": features, "label": {"name": "y", **classes}})


def looked_at(frame: pl.DataFrame):
    return without_what_runs_out(contract(frame), FrameSource(frame=frame), {None: frame}, ByTime())


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("numbered", [False, True])
def test_a_name_that_comes_again_for_another_thing_is_left_out(classes, numbered):
    frame = things(lasting=False, classes=classes, numbered=numbered)
    name, kept = frame.columns[2], looked_at(frame)
    assert name not in kept.contract.features and name in kept.contract.ignore
    [line] = [d for d in kept.decisions if d.choice == name]
    what = "log loss" if classes else "root mean squared error"
    assert line.flagged and line.what == "left out"
    found = re.search(rf"two stretches of later rows better without it \({what} (\S+), with it (\S+)\)", line.why)
    assert found and float(found[1]) < float(found[2])


def test_later_rows_that_nobody_has_looked_at_are_told_better_without_it():
    """The last fifth, of which a changed label changes no choice, judges."""
    frame = things(lasting=False)
    cut = int(0.8 * frame.height)
    turned = pl.Series("y", ["yes"] * (frame.height - int(0.9 * frame.height)))
    other = pl.concat([frame[: int(0.9 * frame.height)], frame[int(0.9 * frame.height) :].with_columns(turned)])
    assert looked_at(other).decisions == looked_at(frame).decisions
    target = (frame["y"] == "yes").to_numpy().astype(int)
    name, size = frame["name"].str.slice(1).cast(pl.Float64).to_numpy(), frame["size"].to_numpy()
    said = [
        answers(x, target, cut, classes=True, categories=categories)[np.arange(frame.height - cut), target[cut:]]
        for x, categories in ((np.column_stack([size, name]), np.array([False, True])), (size[:, None], None))
    ]
    assert -np.log(said[1]).mean() < 0.9 * -np.log(said[0]).mean()


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("numbered", [False, True])
def test_a_name_that_stays_the_same_thing_stays(classes, numbered):
    frame = things(lasting=True, classes=classes, numbered=numbered)
    kept = looked_at(frame)
    assert frame.columns[2] in kept.contract.features
    assert all(d.choice != frame.columns[2] for d in kept.decisions)


def test_a_name_that_misleads_by_less_than_a_tenth_stays(monkeypatch):
    """Beyond chance it does; a network that holds rare names back is not led astray by it (decision 378)."""
    frame = things(lasting=False, level=0.3, noise=1.0)
    assert "name" in looked_at(frame).contract.features
    monkeypatch.setattr(carried, "WORTH", 0.0)
    kept = looked_at(frame)
    [line] = [d for d in kept.decisions if d.choice == "name"]
    without, with_it = map(float, re.search(r"\(log loss (\S+), with it (\S+)\)", line.why).groups())
    assert "name" not in kept.contract.features and 0.9 * with_it < without < with_it


def test_a_name_that_is_all_there_is_stays():
    frame = things(lasting=False).drop("size")
    assert "name" in looked_at(frame).contract.features


@pytest.mark.parametrize("classes", [True, False])
def test_a_column_that_earlier_rows_do_not_have_says_nothing_to_trees(classes):
    """Such as the width of a storm, which is measured since 2004; trees of scikit-learn fail on an empty column."""
    frame = things(lasting=True, classes=classes)
    late = pl.int_range(frame.height) >= int(0.85 * frame.height)
    frame = frame.with_columns(width=pl.when(late).then(pl.col("size")))
    kept = looked_at(frame)
    assert {"name", "size"} <= set(kept.contract.features)
    compare_splits(kept.contract, frame, "on", by_time=True)
    x = frame.select("size", "width").with_columns(pl.all().fill_null(float("nan"))).to_numpy()
    target = np.unique(frame["y"].to_numpy(), return_inverse=True)[1] if classes else frame["y"].to_numpy()
    cut = int(0.8 * frame.height)
    both = [answers(columns, target, cut, classes=classes) for columns in (x, x[:, :1])]
    assert np.array_equal(*both)
