"""What is refused by name, and which class is looked for, of every kind of data."""

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.components.starting.start import start
from kilnworks.schemas.errors import ConfigError, UnknownName

R = np.random.default_rng(0)
N = 400


def look(folder, columns, **asked):
    pl.DataFrame(columns).write_csv(folder / "rows.csv")
    return start("rows", str(folder / "rows.csv"), **asked)


def rows(**more):
    return {"size": R.normal(size=N).round(3), "shop": [f"s{k}" for k in R.integers(0, 9, N)], **more}


def test_a_column_that_names_the_split_is_neither_label_nor_feature(tmp_path):
    parts = [["train", "val", "test"][k] for k in R.integers(0, 3, N)]
    bought = R.choice(["no", "yes"], N)
    recipe = look(tmp_path, rows(bought=bought, split=parts))
    assert recipe.contract.label.name == "bought" and "split" in recipe.contract.ignore
    (line,) = [d for d in recipe.decisions if d.choice == "split" and d.what == "left out"]
    assert "names the split of a row" in line.why
    with pytest.raises(ConfigError, match="names the split of each row"):
        look(tmp_path, rows(bought=bought, split=parts), label="split")


def test_boxes_are_refused(tmp_path):
    boxes = [f"[{a}, {b}, {a + 10}, {b + 12}]" for a, b in R.integers(0, 6, (N, 2))]
    with pytest.raises(ConfigError, match="boxes in pictures"):
        look(tmp_path, rows(where=boxes), label="where")
    corners = {name: R.integers(0, 90, N) for name in ("xmin", "ymin", "xmax", "ymax")}
    with pytest.raises(ConfigError, match="boxes in pictures"):
        look(tmp_path, rows(**corners))


@pytest.mark.slow
def test_a_series_without_a_label_is_refused_and_with_one_it_is_learned(tmp_path):
    start_at = datetime.date(2023, 1, 1)
    days = [(start_at + datetime.timedelta(days=k)).isoformat() for k in range(N)]
    table = {"day": days, "load": R.normal(50, 9, N).round(2), "warm": R.normal(9, 4, N).round(1)}
    with pytest.raises(ConfigError, match="a series: load, warm at steady steps of day, and no horizon") as refused:
        look(tmp_path, table)
    assert "--horizon N" in refused.value.fix
    assert look(tmp_path, table, label="load").contract.label.name == "load"
    uneven = [(start_at + datetime.timedelta(days=int(k))).isoformat() for k in np.cumsum(R.integers(0, 9, N))]
    assert look(tmp_path, {**table, "day": uneven}).contract.label.name == "warm"


def test_columns_without_names_are_no_guess(tmp_path):
    table = {f"column_{k}": R.normal(size=N).round(3) for k in range(4)}
    with pytest.raises(ConfigError, match="columns without names, such as column_3"):
        look(tmp_path, table)
    assert look(tmp_path, table, label="column_2").contract.label.name == "column_2"
    (tmp_path / "bare.csv").write_text(
        "".join(f"{v:.2f},{w:.3f},{'ab'[int(w > 0)]}\n" for v, w in R.normal(size=(N, 2)))
    )
    with pytest.raises(ConfigError, match="a first line of values, such as") as refused:
        start("rows", str(tmp_path / "bare.csv"))
    assert "names of the columns" in refused.value.wanted


def test_more_classes_than_a_tenth_of_the_rows_are_refused(tmp_path):
    for kinds, fits in ((20, True), (90, False)):
        table = rows(kind=[f"k{k % kinds}" for k in range(N)])
        if fits:
            assert len(look(tmp_path, table, label="kind").contract.label.classes) == kinds
            continue
        with pytest.raises(ConfigError, match="90 classes in 400 rows"):
            look(tmp_path, table, label="kind")


@pytest.mark.parametrize(
    ("values", "asked", "wanted"),
    [
        (["good"] * 300 + ["awful"] * 100, None, "awful"),
        (["no"] * 300 + ["yes"] * 100, None, "yes"),
        (["no"] * 190 + ["yes"] * 210, None, "yes"),
        (["0"] * 60 + ["1"] * 340, None, 0),
        (["true"] * 340 + ["false"] * 60, None, False),
        (["no"] * 300 + ["yes"] * 100, "no", "no"),
    ],
)
def test_the_rarer_class_is_looked_for_or_the_one_that_is_asked(tmp_path, values, asked, wanted):
    table = rows(outcome=[values[k] for k in R.permutation(N)])
    recipe = look(tmp_path, table, label="outcome", positive=asked)
    assert recipe.contract.label.classes[1] == wanted and len(recipe.contract.label.classes) == 2
    (line,) = [d for d in recipe.decisions if d.what == "positive"]
    share = sum(str(v).lower() == str(wanted).lower() for v in values) / N
    assert f"{share:.1%} of the rows" in line.why


def test_a_class_that_there_is_not_is_refused(tmp_path):
    table = rows(outcome=R.choice(["no", "yes"], N))
    with pytest.raises(UnknownName, match="did you mean 'yes'"):
        look(tmp_path, table, label="outcome", positive="yess")
    with pytest.raises(ConfigError, match="a label with two classes"):
        look(tmp_path, rows(), label="size", positive="yes")


def pictures(folder: Path, columns: dict[str, list]) -> str:
    """Images beside a table that says something of each."""
    count = len(next(iter(columns.values())))
    for k in range(count):
        Image.fromarray(R.integers(0, 255, (16, 16), dtype=np.uint8)).save(folder / f"{k:03d}.png")
    pl.DataFrame({"file": [f"{k:03d}.png" for k in range(count)], **columns}).write_csv(folder / "rows.csv")
    return str(folder / "rows.csv")


def arrays(folder: Path, **columns) -> str:
    np.savez(folder / "rows.npz", **columns)
    return str(folder / "rows.npz")


def of_kind(kind: str, folder: Path, labels: list) -> str:
    """Data of a kind with a label ``y``."""
    if kind == "images":
        return pictures(folder, {"y": labels})
    shape, dtype = ((16, 16), np.uint8) if kind == "pixels" else ((6, 2), np.float32)
    return arrays(folder, x=R.integers(0, 255, (len(labels), *shape)).astype(dtype), y=np.array(labels))


KINDS = ["images", "pixels", "sequences"]
RARE = ["bad", "good", "good", "good"] * 10


@pytest.mark.parametrize("kind", KINDS)
def test_the_rarer_class_of_images_and_sequences_is_looked_for(tmp_path, kind):
    data = of_kind(kind, tmp_path, RARE)
    recipe = start("r", data)
    assert recipe.contract.label.classes == ("good", "bad")
    (line,) = [d for d in recipe.decisions if d.what == "positive"]
    assert line.flagged and "25.0% of the rows" in line.why
    assert start("r", data, positive="good").contract.label.classes == ("bad", "good")
    with pytest.raises(UnknownName, match="did you mean 'good'"):
        start("r", data, positive="god")


@pytest.mark.parametrize("kind", KINDS)
def test_more_classes_than_a_tenth_are_refused_of_images_and_sequences(tmp_path, kind):
    with pytest.raises(ConfigError, match="13 classes in 40 rows"):
        start("r", of_kind(kind, tmp_path, [f"k{k % 13}" for k in range(40)]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_split_of_an_image_or_sequence_is_no_label(tmp_path, kind):
    parts, shape = np.array(["train", "test"] * 20), (16, 16) if kind == "pixels" else (6, 2)
    x = R.integers(0, 255, (40, *shape)).astype(np.uint8 if kind == "pixels" else np.float32)
    data = pictures(tmp_path, {"split": parts}) if kind == "images" else arrays(tmp_path, x=x, split=parts)
    with pytest.raises(ConfigError, match="label split names the split of each row"):
        start("r", data, label="split")


def test_a_label_of_pictures_is_guessed_aloud_and_never_the_split(tmp_path):
    split, kind = ["train", "test"] * 20, ["a", "b", "b", "a"] * 10
    recipe = start("r", pictures(tmp_path, {"kind": kind, "split": split}))
    assert recipe.contract.label.name == "kind" and recipe.contract.ignore == ("split",)
    (line,) = [d for d in recipe.decisions if d.what == "label"]
    assert line.flagged and "the last column of classes" in line.why
    for columns, words in (
        ({"split": split}, "no column of classes"),
        ({"column_1": kind}, "columns without names, such as column_1"),
        ({"where": ["[1, 2, 3, 4]", "[2, 2, 5, 7]"] * 20}, "boxes in pictures"),
    ):
        with pytest.raises(ConfigError, match=words):
            start("r", pictures(tmp_path, columns))


def test_options_that_images_do_not_follow_are_refused(tmp_path):
    data = pictures(tmp_path, {"y": RARE})
    for asked, words in (
        ({"time": "y"}, "--time y, and images are told apart by class"),
        ({"task": "regression"}, "--task regression, and images"),
        ({"task": "generation", "positive": "bad"}, "--positive bad, and images are made"),
    ):
        with pytest.raises(ConfigError, match=words):
            start("r", data, **asked)
    assert start("r", data, time="none").contract.label.name == "y"
    (tmp_path / "by class" / "a").mkdir(parents=True)
    (tmp_path / "000.png").rename(tmp_path / "by class/a/000.png")
    for asked in ({"label": "none"}, {"task": "clusters"}, {"horizon": 3}):
        with pytest.raises(ConfigError, match="holds images, and what was asked for reads the columns of a table"):
            start("r", str(tmp_path / "by class"), **asked)
