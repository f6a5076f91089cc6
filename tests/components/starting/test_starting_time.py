"""Which column says when a row was made, what a split by it runs out of, and what both splits would promise."""

import datetime

import numpy as np
import polars as pl
import pytest

from kilnworks.components.sources import ByHash, ByTime
from kilnworks.components.starting.moments.both_splits import compare_splits
from kilnworks.components.starting.moments.overlap import without_what_runs_out
from kilnworks.components.starting.moments.trees import boosting_of
from kilnworks.components.starting.start import start
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import UnknownName
from tests.components.starting.frame_source import FrameSource
from tests.components.starting.times_tables import flights

DAY = datetime.date(2024, 1, 1)


def said(recipe, what):
    return {d.choice: d for d in recipe.decisions if d.what == what}


def look(folder, frame, label="late", **asked):
    frame.write_csv(folder / "rows.csv")
    return start("rows", str(folder / "rows.csv"), label=label, **asked)


@pytest.fixture(scope="module")
def flown(tmp_path_factory):
    """The recipe for shuffled rows of 200 days."""
    return look(tmp_path_factory.mktemp("flown"), flights())


@pytest.mark.slow
def test_the_one_column_of_dates_is_the_time_though_rows_are_shuffled(flown):
    assert flown.contract.time == "flown" and isinstance(flown.split, ByTime)
    line = said(flown, "time")["flown"]
    assert line.flagged and "the one column of dates" in line.why and "--time none" in line.why


@pytest.mark.slow
def test_columns_that_run_out_are_left_out_and_those_that_come_again_stay(flown):
    assert list(flown.contract.features) == ["flown", "weekday", "hour", "distance"]
    out = said(flown, "left out")
    assert {"month", "reading", "frame"} <= set(out) and all("runs out" in out[n].why for n in ("month", "frame"))
    assert out["frame"].why == "it runs out: 100% of the later rows have values that no row to learn from shows"
    assert {"month", "reading", "frame"} <= set(flown.contract.ignore)
    settings = flown.transform.features["flown"]
    assert settings.parts == ("weekday", "time of day") and "month of flown" in out
    level = out["moment of flown"]
    assert level.flagged and "the rows to learn from show no season twice" in level.why


def test_rows_without_a_label_show_a_model_nothing():
    """``road`` comes again in later rows, though only of rows that nobody can learn from."""
    days = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=d) for d in range(200)]
    frame = pl.DataFrame(
        {
            "on": days,
            "road": ["north"] * 100 + ["south"] * 80 + ["north"] * 20,
            "size": np.random.default_rng(0).random(200),
            "late": [None] * 100 + ["yes", "no"] * 50,
        }
    )
    features = {"on": {"dtype": "datetime"}, "road": {"dtype": "string"}, "size": {"dtype": "float"}}
    label = {"name": "late", "dtype": "string", "classes": ["no", "yes"]}
    contract = Contract.model_validate({"name": "x", "time": "on", "features": features, "label": label})
    for labels, left in ((frame["late"], {"on", "size"}), (pl.Series(["yes", "no"] * 100), {"on", "road", "size"})):
        rows = frame.with_columns(late=labels)
        kept = without_what_runs_out(contract, FrameSource(frame=rows), {None: rows}, ByTime())
        assert set(kept.contract.features) == left


@pytest.mark.slow
def test_both_figures_are_said_where_the_splits_differ(flown):
    ((choice, line),) = said(flown, "time matters").items()
    words = choice.split()
    assert words[0] == "AUC" and float(words[1]) < 0.6 < 0.68 < float(words[4])
    assert line.why.endswith("what a served model will do is told by the split by time")


@pytest.mark.slow
def test_a_split_by_hash_is_told_to_promise_more(tmp_path):
    r, block = np.random.default_rng(0), pl.col("flown").str.to_date().dt.ordinal_day() // 8
    held = [("on time", "late", "cancelled")[i] for i in (*r.integers(0, 3, 12), *r.integers(0, 2, 34))]
    frame = flights().with_columns(late=block.replace_strict(dict(enumerate(held))))
    recipe = look(tmp_path, frame)
    assert isinstance(recipe.split, ByHash), "no later row is cancelled"
    (line,) = said(recipe, "time matters").values()
    assert line.flagged and line.why.endswith(
        "the report, whose rows are split by hash, will promise more than a served model does on later rows"
    )


@pytest.mark.slow
def test_nothing_is_said_of_rows_without_a_level_of_their_own(tmp_path):
    r = np.random.default_rng(0)
    frame = flights(days=150, per_day=10).with_columns(
        late=pl.Series(np.where(r.random(1500) < 0.3, "yes", "no")), frame=pl.lit("N1")
    )
    recipe = look(tmp_path, frame)
    assert not said(recipe, "time matters")
    hand = compare_splits(
        recipe.contract, pl.DataFrame(schema={"flown": pl.Datetime("us"), "late": pl.String}), "flown", by_time=True
    )
    assert hand == []


@pytest.mark.parametrize(("beside", "told"), [((), None), (("level",), "by trees on 600 rows, which read no texts")])
def test_trees_that_read_no_texts_do_not_speak_for_a_model_that_does(beside, told):
    """Of 3,165 short texts it said AUC 0.500 by time, 0.734 by hash; the model, which reads them, had 0.92."""
    moments = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=i) for i in range(600)]
    turns = [(i // 100) % 2 for i in range(600)]
    frame = pl.DataFrame({"at": moments, "text": ["some words"] * 600, "late": ["no" if t else "yes" for t in turns]})
    frame = frame.with_columns(level=pl.Series(range(600)))
    features = {"at": {"dtype": "datetime"}, "text": {"dtype": "string", "text": True}}
    features |= {name: {"dtype": "int"} for name in beside}
    label = {"name": "late", "dtype": "string", "classes": ["no", "yes"]}
    contract = Contract.model_validate({"name": "x", "time": "at", "features": features, "label": label})
    lines = compare_splits(contract, frame, "at", by_time=True)
    assert bool(lines) == (told is not None) and all(str(told) in line.why for line in lines)


def test_nothing_is_compared_where_the_later_rows_have_one_class():
    """NumPy warned of a standard deviation of nothing."""
    moments = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=i) for i in range(600)]
    frame = pl.DataFrame({"at": moments, "level": range(600), "late": ["yes", "no"] * 200 + ["no"] * 200})
    features = {"at": {"dtype": "datetime"}, "level": {"dtype": "int"}}
    label = {"name": "late", "dtype": "string", "classes": ["no", "yes"]}
    contract = Contract.model_validate({"name": "x", "time": "at", "features": features, "label": label})
    assert compare_splits(contract, frame, "at", by_time=True) == []


@pytest.mark.slow
def test_a_whole_year_and_more_keeps_its_months(tmp_path):
    recipe = look(tmp_path, flights(days=800, per_day=3))
    assert "month" in recipe.contract.features and "flown" not in recipe.transform.features


@pytest.mark.slow
def test_no_time_is_as_asked_and_keeps_the_date_as_a_feature(tmp_path):
    for frame in (flights(60), flights(60, shuffled=False)):
        recipe = look(tmp_path, frame, time="none")
        assert recipe.contract.time is None and isinstance(recipe.split, ByHash)
        assert recipe.contract.features["flown"].dtype == "datetime"
        (line,) = said(recipe, "split").values()
        assert "there is no time column" not in line.why and "no column is said to be the time" in line.why
    with pytest.raises(UnknownName, match="no column 'flow'"):
        look(tmp_path, flights(60), time="flow")


def two_dates(n: int, *, clustered: bool) -> pl.DataFrame:
    """Rows with two columns of dates; with ``clustered`` rows come in days of ``booked``, the days in no order."""
    r = np.random.default_rng(0)
    days = np.repeat(r.permutation(n // 10), 10) if clustered else r.permutation(n) // 10
    later = days + r.integers(0, 900, n)
    booked, checked = ([(DAY + datetime.timedelta(days=int(d))).isoformat() for d in each] for each in (days, later))
    late = np.where(r.random(n) < 0.4, "yes", "no")
    return pl.DataFrame({"booked": booked, "checked": checked, "size": r.normal(size=n).round(3), "late": late})


@pytest.mark.slow
def test_rows_in_clusters_tell_which_of_several_dates_is_the_time(tmp_path):
    recipe = look(tmp_path, two_dates(1000, clustered=True))
    assert recipe.contract.time == "booked" and said(recipe, "time")["booked"].flagged
    assert "checked" in said(recipe, "time?")


@pytest.mark.slow
def test_one_of_several_dates_is_asked_for(tmp_path):
    recipe = look(tmp_path, two_dates(1000, clustered=False))
    (line,) = said(recipe, "split").values()
    assert recipe.contract.time is None and line.flagged and "--time booked or checked" in line.why


@pytest.mark.slow
def test_a_date_of_birth_is_no_time_of_a_row(tmp_path):
    frame = two_dates(1000, clustered=False).drop("checked").rename({"booked": "date_of_birth"})
    recipe = look(tmp_path, frame)
    (line,) = said(recipe, "split").values()
    assert recipe.contract.time is None and "--time date_of_birth" in line.why


@pytest.mark.parametrize(("classes", "rounds"), [(None, 60), (2, 60), (10, 60), (30, 20), (200, 10)])
def test_trees_of_many_classes_take_fewer_rounds_of_larger_steps(classes, rounds):
    """Of a label of 196 classes `new` took two minutes and a half, most of it for this line."""
    found = boosting_of(classes)
    assert found["max_iter"] == rounds and found["learning_rate"] == pytest.approx(min(0.3, 6 / rounds))


def test_rows_of_classes_that_are_left_out_are_not_compared():
    """Half of the rows are of a class that is set aside: the others are too few to compare."""
    moments = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=i) for i in range(390)]
    late = [("other", "no", "other", "yes", "other", "no")[i // 65] for i in range(390)]
    frame = pl.DataFrame({"at": moments, "level": range(390), "late": late})
    features = {"at": {"dtype": "datetime"}, "level": {"dtype": "int"}}

    def lines(*classes):
        label = {"name": "late", "dtype": "string", "classes": classes}
        contract = Contract.model_validate({"name": "x", "time": "at", "features": features, "label": label})
        return compare_splits(contract, frame, "at", by_time=True)

    assert lines("no", "other", "yes") and not lines("no", "yes")


def panel(**columns):
    """Forty states in each of thirty years, the rows state by state; what is told wanders from year to year."""
    r = np.random.default_rng(0)
    wanders = np.cumsum(r.normal(0, 1, 30))
    rows = [(f"s{s:02d}", 1990 + y, wanders[y] + r.normal(0, 0.1)) for s in range(40) for y in range(30)]
    frame = pl.DataFrame(rows, schema=["state", "year", "rate"], orient="row")
    return frame.with_columns(level=pl.Series(r.random(1200)), **columns)


def test_years_as_numbers_are_asked_for_and_compared(tmp_path):
    """Margins of elections: R squared 0.77 by hash, 0.46 for later years, and "there is no time column"."""
    recipe = look(tmp_path, panel(), label="rate")
    assert isinstance(recipe.split, ByHash)
    (split,) = [d for d in recipe.decisions if d.what == "split"]
    assert split.flagged and "--time year lets the latest rows judge" in split.why
    (matters,) = [d for d in recipe.decisions if d.what == "time matters"]
    late, mixed = (float(part.split()[0]) for part in matters.choice.removeprefix("R squared ").split(", "))
    assert late < 0.5 < 0.9 < mixed and "by year" in matters.choice
    asked = look(tmp_path, panel(), label="rate", time="year")
    assert isinstance(asked.split, ByTime) and not [d for d in asked.decisions if d.what == "split" and d.flagged]


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("pan_day", range(600), "--time pan_day lets the latest rows judge"),
        ("time", [i * 7919 % 97 for i in range(600)], "no column is said to be the time of a row"),  # survived
        ("year_built", [1900 + i % 90 for i in range(600)], "there is no time column"),
        ("model_year", [1970 + i // 50 for i in range(600)], "no column is said to be the time of a row"),
        ("years", [i % 40 for i in range(600)], "no column is said to be the time of a row"),  # of school
        ("level", range(600), "there is no time column"),
    ],
)
def test_numbers_named_like_a_time(tmp_path, name, values, words):
    r = np.random.default_rng(0)
    frame = pl.DataFrame({name: list(values), "x": r.random(600), "y": r.random(600)})
    (line,) = [d for d in look(tmp_path, frame, label="y").decisions if d.what == "split"]
    assert words in line.why


def test_a_label_of_years_is_no_time(tmp_path):
    frame = panel().with_columns(year=pl.col("year") + 0.5)
    (line,) = [d for d in look(tmp_path, frame, label="year").decisions if d.what == "split"]
    assert not line.flagged and "--time" not in line.why
