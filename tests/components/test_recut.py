"""Rows cut anew: every row of the pool where it belongs, test rows nowhere, shares that hold one another."""

from datetime import timedelta

import polars as pl
import pytest

from kilnworks.components.cutting.settings import Fold, Share
from kilnworks.components.recut import RecutConfig, recut
from kilnworks.components.series.grid import Grid
from kilnworks.components.sources import shards
from kilnworks.components.sources.columns import contract_columns
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataInvalid
from tests.components.learning.training_examples import examples
from tests.components.series.test_grid import START
from tests.components.series.test_grid import contract as series_contract
from tests.components.series.test_grid import rows as series_rows

CONTRACT = Contract.model_validate(
    {
        "name": "visits",
        "key": "id",
        "time": "day",
        "features": {"shop": {"dtype": "string"}, "x": {"dtype": "float"}},
        "label": {"name": "left", "dtype": "string", "classes": ["no", "yes"]},
    }
)


def rows(begin, count):
    """Rows numbered from ``begin``: a day each, seven shops in turn, a fifth of them leave."""
    numbers = range(begin, begin + count)
    return pl.DataFrame(
        {
            "id": [f"r{n:03d}" for n in numbers],
            "day": pl.Series([n * 86_400_000_000 for n in numbers]).cast(pl.Datetime("us")),
            "shop": [f"s{n % 7}" for n in numbers],
            "x": [float(n) for n in numbers],
            "left": ["yes" if n % 5 == 0 else "no" for n in numbers],
        }
    )


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    frames = {"train": rows(0, 40), "val": rows(40, 20), "test": rows(60, 10)}
    return examples(tmp_path_factory.mktemp("given"), CONTRACT, frames, shards=3)


def cut(given, folder, **how):
    made = recut(RecutConfig(cut=Fold(**how) if "folds" in how else Share(**how)), given, folder)
    return {s: pl.concat([pl.read_parquet(f) for f in made.files(s)]) for s in made.splits if made.rows(s)}


def ids(frame):
    return set(frame["id"])


def test_every_row_of_training_and_validation_validates_once_and_no_test_row_is_there(given, tmp_path):
    validated = []
    for fold in range(4):
        folder = tmp_path / str(fold)
        folder.mkdir()
        parts = cut(given, folder, by="stratified", folds=4, fold=fold)
        assert set(parts) == {"train", "val"} and ids(parts["train"]) | ids(parts["val"]) == ids(rows(0, 60))
        assert not ids(parts["train"]) & ids(parts["val"])
        assert (parts["val"]["left"] == "yes").sum() == 3
        assert parts["train"]["x"].is_sorted(), "rows keep their order"
        validated += list(parts["val"]["id"])
    assert sorted(validated) == sorted(ids(rows(0, 60)))


@pytest.mark.parametrize("how", [{"by": "plain"}, {"by": "grouped", "column": "file"}])
def test_tiles_of_a_photograph_stay_in_one_fold(tmp_path, how):
    contract = Contract.model_validate(
        {
            "name": "field",
            "key": "file",
            "features": {"x": {"dtype": "float"}},
            "label": {"name": "boxes", "dtype": "boxes", "boxes": 3, "classes": ["tree"]},
        }
    )
    files = [f"{photo}.png#xywh={x},0,9,9" for x in (0, 5, 10) for photo in "abcdef"]
    frame = pl.DataFrame({"file": files, "x": [0.0] * len(files), "boxes": ['{"outside":0,"empty":0,"boxes":[]}'] * 18})
    tiles = examples(tmp_path / "given", contract, {"train": frame[:12], "val": frame[12:], "test": frame[:0]})
    validated = []
    for fold in range(3):
        (tmp_path / str(fold)).mkdir()
        parts = cut(tiles, tmp_path / str(fold), folds=3, fold=fold, **how)
        photos = {name: {file[0] for file in part["file"]} for name, part in parts.items()}
        assert not photos["train"] & photos["val"] and parts["val"].height == 6
        validated += sorted(photos["val"])
    assert sorted(validated) == list("abcdef")


def test_an_outer_fold_tests_and_its_rows_are_in_no_inner_fold(given, tmp_path):
    tested, seen = set(), []
    for outer in range(3):
        validated = set()
        for fold in range(2):
            folder = tmp_path / f"{outer}{fold}"
            folder.mkdir()
            parts = cut(given, folder, by="grouped", column="shop", folds=2, fold=fold, outer=3, outer_fold=outer)
            shops = {name: set(part["shop"]) for name, part in parts.items()}
            assert not shops["test"] & (shops["train"] | shops["val"]) and not shops["train"] & shops["val"]
            validated |= ids(parts["val"])
            tests = ids(parts["test"])
        assert validated | tests == ids(rows(0, 60)) and not validated & tests
        tested |= tests
        seen.append(len(tests))
    assert tested == ids(rows(0, 60)) and sum(seen) == 60


def test_by_time_a_fold_trains_on_what_was_before(given, tmp_path):
    parts = cut(given, tmp_path, by="time", column="day", folds=4, fold=1)
    assert parts["train"]["x"].to_list() == list(range(24)) and parts["val"]["x"].to_list() == list(range(24, 36))


def test_a_share_holds_the_smaller_one_and_leaves_other_splits_as_they_are(given, tmp_path):
    found = {}
    for share in (0.25, 0.5):
        folder = tmp_path / str(share)
        folder.mkdir()
        found[share] = cut(given, folder, share=share, seed=1)
        assert found[share]["val"].equals(rows(40, 20)) and found[share]["test"].equals(rows(60, 10))
    assert len(found[0.25]["train"]) == 10 and ids(found[0.25]["train"]) < ids(found[0.5]["train"])


def test_a_share_of_a_series_is_its_latest_stretch_without_a_gap(tmp_path):
    """Of rows drawn at random no window of 24 hours with 6 behind it would be left."""
    meters = pl.concat([series_rows(100, meter=["a"] * 100), series_rows(100, meter=["b"] * 100)])
    later = series_rows(40, START + timedelta(hours=100), meter=["a"] * 40)
    given = examples(tmp_path / "given", series_contract(group="meter"), {"train": meters, "val": later}, shards=3)
    kept = cut(given, tmp_path, share=0.5)
    assert kept["train"].height == 100 and kept["val"].equals(later)
    assert kept["train"]["at"].min() == START + timedelta(hours=50)
    grid = Grid.of(series_contract(group="meter"), [kept["train"]])
    assert len(grid.origins(0)) == 2 * (50 - 24 - 6 + 1)


def test_a_fold_of_one_class_says_which_and_what_to_do(given, tmp_path):
    with pytest.raises(DataInvalid) as refused:
        cut(given, tmp_path, by="grouped", column="left", folds=2)
    assert "fold 1 of 2 (grouped): in " in refused.value.got and "--by stratified" in refused.value.fix


def test_boxes_are_no_class_to_stratify_by(tmp_path):
    contract = Contract.model_validate(
        {
            "name": "scenes",
            "key": "id",
            "features": {"image": {"dtype": "image", "shape": [8, 8, 1]}},
            "label": {"name": "boxes", "dtype": "boxes", "classes": ["ship", "buoy"]},
        }
    )
    frame = pl.DataFrame({"id": [f"r{n}" for n in range(8)], "boxes": [f"ship 0 0 0.5 0.{n + 1}" for n in range(8)]})
    given = examples(tmp_path / "given", contract, {"train": frame})
    with pytest.raises(ConfigError, match="stratified folds of rows without classes"):
        cut(given, tmp_path, by="stratified", folds=2)
    parts = cut(given, tmp_path, by="plain", folds=2)
    assert ids(parts["train"]) | ids(parts["val"]) == ids(frame)


def test_rows_that_are_alike_go_as_they_do_in_the_split(tmp_path):
    told = {"name": "few", "features": {"x": {"dtype": "float"}}, "label": CONTRACT.label.model_dump()}
    frame = pl.DataFrame({"x": [1.0] * 120, "left": ["no"] * 60 + ["yes"] * 60})
    few = examples(tmp_path / "few", Contract.model_validate(told), {"train": frame}, shards=3)
    with pytest.raises(DataInvalid, match="3 folds of 2 different rows"):
        cut(few, tmp_path / "together", by="stratified", folds=3)
    each = cut(few, tmp_path / "apart", by="stratified", folds=3, copies="apart")["val"]["left"]
    assert each.value_counts(sort=True).sort("left")["count"].to_list() == [20, 20]


@pytest.mark.parametrize("column", ["day", "shop"])
def test_rows_without_a_time_have_no_place_in_time(tmp_path, column):
    frame = rows(0, 20).with_columns(pl.when(pl.col("x") > 17).then(None).otherwise(pl.col(column)).alias(column))
    given = examples(tmp_path / "given", CONTRACT, {"train": frame})
    with pytest.raises(DataInvalid, match=f"folds by time, and 2 rows have no '{column}'"):
        cut(given, tmp_path, by="time", column=column, folds=2)


def test_a_column_that_the_contract_lacks(given, tmp_path):
    with pytest.raises(ConfigError, match="which contract 'visits' lacks"):
        cut(given, tmp_path, by="grouped", column="town", folds=2)


@pytest.mark.parametrize(
    "how", [{"by": "grouped"}, {"by": "plain", "column": "shop"}, {"folds": 3, "fold": 3}, {"outer_fold": 1}]
)
def test_folds_that_are_none(how):
    with pytest.raises(ValueError):
        Fold(**how)


def test_shards_stay_small_where_rows_are_large(given, tmp_path, monkeypatch):
    """Rows of a data set of images are not held all at once."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 7 * sum(column.bytes for column in contract_columns(CONTRACT).values()))
    made = recut(RecutConfig(cut=Fold(folds=3)), given, tmp_path)
    assert [len(pl.read_parquet(file)) for file in made.files("train")] == [7, 7, 7, 7, 7, 5]
    assert [len(pl.read_parquet(file)) for file in made.files("val")] == [7, 7, 6]
