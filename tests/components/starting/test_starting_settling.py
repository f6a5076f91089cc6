"""Splits that the first run accepts: what each part holds is counted again here, by hand."""

import datetime

import numpy as np
import polars as pl
import pytest

from kilnworks.components.sources import AsGiven, ByHash, ByTime, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.splitting.assign import make_assigner
from kilnworks.components.sources.splitting.hashing import hash_rows, unit_interval
from kilnworks.components.sources.splitting.splits import Shares
from kilnworks.components.starting.settling import settle
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from tests.components.starting.frame_source import FrameSource


def contract_of(frame, classes=True, **changes):
    kind = {"dtype": "string", "classes": sorted(frame["y"].drop_nulls().unique())} if classes else {"dtype": "float"}
    features = {n: {"dtype": "float"} for n in frame.columns if n not in ("y", "t")}
    label = {"name": "y", **kind}
    return Contract.model_validate({"name": "x", "features": features, "label": label, **changes})


def settled(frame, **changes):
    return settle(contract_of(frame, **changes), FrameSource(frame=frame), {None: frame})


def places(frame, split, columns=("x", "y")):
    """The part of each row: 0 train, 1 val, 2 test."""
    return [int(p >= 0.8) + int(p >= 0.9) for p in unit_interval(hash_rows(frame, columns, split.salt))]


def table(labels, seed=0):
    return pl.DataFrame({"x": np.random.default_rng(seed).random(len(labels)), "y": labels})


@pytest.mark.parametrize("seed", range(5))
def test_a_rare_class_is_in_every_part_where_that_is_possible(seed):
    frame = table(["rare"] * 4 + ["seldom"] * 3 + ["a", "b"] * 300, seed)
    done = settled(frame)
    where = places(frame, done.split)
    assert set(where[:4]) == set(where[4:7]) == {0, 1, 2}
    assert done.contract.label.classes == ("a", "b", "rare", "seldom") and done.contract.max_quarantined == 0.01


def test_a_class_of_two_rows_is_left_out_and_said():
    frame = table(["typo"] * 2 + ["a", "b"] * 100)
    done = settled(frame)
    (line,) = [d for d in done.decisions if d.what == "class left out"]
    assert line.flagged and line.choice == "'typo' of y" and line.why.startswith("2 rows cannot be in every part")
    assert done.contract.label.classes == ("a", "b")
    assert done.contract.on_bad_rows == "quarantine" and done.contract.max_quarantined == round(2 / 202 + 0.01, 4)
    assert [d.choice for d in done.decisions if d.what == "set aside"] == ["2 of 202 rows, 0.99%"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["yes"] * 2 + ["no"] * 198, "'yes' in 2 rows, 'no' in 198 rows; .* would lack 'yes'"),
        (["yes"] + ["no"] * 30, "'yes' in 1 row"),
        (["yes"] * 2 + ["no"] * 2, "would"),
        ([None] * 40 + ["yes", "no"], "2 of 42 rows can be used .40: y is missing"),
    ],
)
def test_too_few_rows_of_a_class_are_refused(labels, words):
    with pytest.raises(ConfigError, match=words):
        settled(table(labels))


def test_a_number_that_does_not_vary_is_refused():
    frame = pl.DataFrame({"x": np.arange(60.0), "y": [5.0] * 60})
    with pytest.raises(ConfigError, match="the label would not vary in train"):
        settled(frame, classes=False)


def test_infinity_as_a_label_is_set_aside_and_named():
    frame = pl.DataFrame({"x": np.arange(100.0), "y": [float("inf"), *map(float, range(99))]})
    done = settled(frame, classes=False)
    assert [(d.choice, d.why) for d in done.decisions if d.what == "set aside"] == [
        ("1 of 100 rows, 1.00%", "1: y is not a finite number of at most 3.4e+38")
    ]


def test_many_rows_without_a_label_want_a_look():
    for missing, flagged in ((5, False), (30, True)):
        frame = table([None] * missing + ["a", "b"] * 60)
        (line,) = [d for d in settled(frame).decisions if d.what == "set aside"]
        assert line.flagged == flagged and line.why.startswith(f"{missing}: y is missing")
        assert line.why.endswith("; the model knows nothing but the other 120 rows") == flagged


def test_a_class_that_only_the_latest_rows_have_forbids_a_split_by_time():
    days = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=i) for i in range(400)]
    frame = pl.DataFrame({"x": np.random.default_rng(0).random(400), "t": days, "y": ["a", "b"] * 195 + ["new"] * 10})
    done = settled(frame, time="t")
    assert isinstance(done.split, ByHash)
    assert done.decisions[-1].flagged and "train would lack 'new'; val would lack 'new'" in done.decisions[-1].why
    assert isinstance(settled(frame.head(380), time="t").split, ByTime)


def test_a_class_that_the_latest_rows_lack_forbids_it_too():
    days = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=i) for i in range(400)]
    frame = pl.DataFrame(
        {"x": np.random.default_rng(0).random(400), "t": days, "y": ["a", "b", "c", "c"] * 75 + ["a", "b"] * 50}
    )
    done = settled(frame, time="t")
    assert isinstance(done.split, ByHash) and "test would lack 'c'" in done.decisions[-1].why


def test_the_latest_rows_are_more_where_they_would_lack_a_rare_class():
    """Storms: `tropical wave` was not in the latest tenth, and a split by hash promised what no later row got."""
    days = [datetime.datetime(2020, 1, 1) + datetime.timedelta(days=i) for i in range(1000)]
    labels = np.array(["a", "b"] * 500, dtype=object)
    labels[100:800:20], labels[800:880:10] = "rare", "rare"
    frame = pl.DataFrame({"x": np.random.default_rng(0).random(1000), "t": days, "y": labels.tolist()})
    done = settled(frame, time="t")
    assert isinstance(done.split, ByTime) and done.split.shares == Shares(train=0.7, val=0.15, test=0.15)
    why = "the latest rows judge; with 80% train test would lack 'rare'; 70% train, 15% val, 15% test"
    assert (done.decisions[-1].why, done.decisions[-1].flagged) == (why, False)


def test_parts_that_are_given():
    train, test = table(["a", "b"] * 200), table(["a", "b", "odd"] * 10, 1)
    whole = pl.concat([train, test])
    parts = {"train": train, "test": test}
    done = settle(contract_of(whole), FrameSource(parts=parts), parts)
    assert isinstance(done.split, AsGiven)
    assert done.contract.label.classes == ("a", "b"), "'odd' is nowhere in train"


def survivors():
    """1,316 passengers of the Titanic by class, age and sex: 14 kinds of people, of whom most died in part (Dawson)."""
    counts = {
        ("1st", "adult", "man"): (118, 57),
        ("1st", "adult", "woman"): (4, 140),
        ("1st", "child", "man"): (0, 5),
        ("1st", "child", "woman"): (0, 1),
        ("2nd", "adult", "man"): (154, 14),
        ("2nd", "adult", "woman"): (13, 80),
        ("2nd", "child", "man"): (0, 11),
        ("2nd", "child", "woman"): (0, 13),
        ("3rd", "adult", "man"): (387, 75),
        ("3rd", "adult", "woman"): (89, 76),
        ("3rd", "child", "man"): (35, 13),
        ("3rd", "child", "woman"): (17, 14),
    }
    rows = [(*who, y) for who, (died, lived) in counts.items() for y in ["died"] * died + ["lived"] * lived]
    return pl.DataFrame(rows, schema=["class", "age", "sex", "y"], orient="row").sample(
        fraction=1, shuffle=True, seed=0
    )


def people(frame):
    features = {n: {"dtype": "string"} for n in frame.columns if n != "y"}
    label = {"name": "y", "dtype": "string", "classes": ["died", "lived"]}
    return Contract.model_validate({"name": "x", "features": features, "label": label})


def test_rows_of_few_different_ones_go_each_by_itself(tmp_path):
    """By content, the men of the third class who died were in another part than those who lived: AUC 0."""
    frame = survivors()
    contract, source = people(frame), FrameSource(frame=frame)
    done = settle(contract, source, {None: frame})
    assert done.split.copies == "apart"
    (line,) = [d for d in done.decisions if d.what == "split"]
    assert not line.flagged
    assert "copies go apart: 1,286 of 1,316 rows have a copy, and rows of the same features differ in y" in line.why
    parts = make_assigner(done.split, contract, source, Wanted(contract_columns(contract))).assign(frame, None)
    shares = [
        parts[n].filter(pl.col("sex") == "man", pl.col("class") == "3rd", pl.col("age") == "adult") for n in parts
    ]
    assert all(0.05 < (part["y"] == "lived").mean() < 0.3 for part in shares), "75 of 462 lived, in every part"


def test_rows_that_were_loaded_twice_stay_together():
    once = table(["a", "b"] * 300)
    assert settled(pl.concat([once, once])).split.copies == "together"
    few = pl.DataFrame({"x": [0.0, 1.0] * 300, "y": ["a", "b"] * 300})
    assert settled(few.with_columns(z=pl.Series(range(600)) % 40 / 1.0)).split.copies == "together", "labels agree"


def test_a_class_of_many_rows_and_few_different_ones_is_in_every_part():
    """Classes of 300 rows and more were left out where they were few different ones: no salt was looked for."""
    r = np.random.default_rng(3)
    frame = pl.DataFrame({"x": r.integers(0, 3, 400) * 1.0 + 100, "y": ["a"] * 400})
    frame = pl.concat([frame, table(["b"] * 700)])
    done = settled(frame)
    assert done.split.copies == "together" and done.contract.label.classes == ("a", "b")


def test_many_small_classes_get_wider_parts_and_one_line():
    """Of 273 places with 14 rows each, 107 were left out, a line each."""
    frame = table([f"place {n:02d}" for n in range(60) for _ in range(14)])
    done = settled(frame)
    lines = [d for d in done.decisions if d.what == "class left out"]
    kept = done.contract.label.classes
    edges = (done.split.shares.train, done.split.shares.train + done.split.shares.val)
    where = np.searchsorted(edges, unit_interval(hash_rows(frame, ("x", "y"), done.split.salt)), side="right")
    found = {y: set(where[(frame["y"] == y).to_numpy()].tolist()) for y in frame["y"].unique()}
    assert sorted(kept) == sorted(y for y, parts in found.items() if parts == {0, 1, 2}), "counted by hand"
    assert done.split.shares.train < 0.8 and len(kept) >= 52
    assert len(lines) == (1 if len(kept) < 60 else 0)
    (line,) = [d for d in done.decisions if d.what == "split"]
    assert "with 80% train some part would lack the classes of" in line.why
    assert done.contract.max_quarantined == round(14 * (60 - len(kept)) / 840 + 0.01, 4)


def test_a_few_rows_of_rare_classes_do_not_narrow_what_is_learned():
    frame = table([f"rare {n}" for n in range(8) for _ in range(2)] + ["a", "b"] * 200)
    done = settled(frame)
    assert done.split.shares == Shares() and done.contract.label.classes == ("a", "b")
    (line,) = [d for d in done.decisions if d.what == "class left out"]
    assert line.choice == "'rare 0', 'rare 1', 'rare 2', 'rare 3', 'rare 4', 'rare 5', ... (8 of 10 of y)"
    assert line.why == "16 rows; some part of the split (hash) has none of the class; they are set aside"


def test_rare_numbers_that_are_left_out_may_be_told_as_numbers():
    frame = pl.DataFrame({"x": np.random.default_rng(0).random(402), "y": [0, 1] * 200 + [7, 7]})
    label = {"name": "y", "dtype": "int", "classes": [0, 1, 7]}
    contract = Contract.model_validate({"name": "x", "features": {"x": {"dtype": "float"}}, "label": label})
    done = settle(contract, FrameSource(frame=frame), {None: frame})
    (line,) = [d for d in done.decisions if d.what == "class left out"]
    with pytest.raises(ConfigError, match="give more rows, --task regression, or name another --label"):
        settle(contract, FrameSource(frame=frame[:5]), {None: frame[:5]})
    assert line.choice == "7 of y" and line.why.endswith("; its rows are set aside; --task regression tells the number")
