"""Boxes come out the same, however they were written; what is broken is named."""

import json
import struct
import zlib

import polars as pl
import pytest

from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.components.sources import BoxesSource, ScenesSource, Wanted
from kilnworks.components.sources.boxes.cells import as_boxes
from kilnworks.components.sources.boxes.finding import annotations_below
from kilnworks.components.sources.columns import Column, contract_columns
from kilnworks.schemas.boxes import Box, box_pattern, read, written
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.patterns import matches
from tests.components.sources.boxes.annotated import (
    BOXES,
    SHARES,
    coco,
    contract,
    voc,
    write_coco,
    write_csv,
    write_images,
    write_voc,
)  # fmt: skip


def rows(source, **more):
    wanted = Wanted(contract_columns(Contract.model_validate(contract(**more))))
    return pl.concat(source.frames(wanted))


def made(folder, kind):
    write_images(folder / "images")
    if kind == "csv":
        write_csv(folder / "boxes.csv")
    elif kind == "voc":
        write_voc(folder / "xml")
    else:
        write_coco(folder / "boxes.json")
    place = {"csv": "boxes.csv", "voc": "xml", "coco": "boxes.json"}[kind]
    return BoxesSource(path=str(folder / place), folder=str(folder))


@pytest.mark.parametrize("kind", ["csv", "voc", "coco"])
def test_boxes_are_the_same_however_they_are_written(tmp_path, kind):
    source = made(tmp_path, kind)
    frame = rows(source)
    assert dict(zip(frame["file"], frame["boxes"], strict=True)) == {f"images/{n}": t for n, t in SHARES.items()}
    assert frame["image"].dtype == pl.Array(pl.UInt8, 32 * 32 * 3)
    assert frame["image__height"].to_list() == [30, 30, 30]
    before = source.fingerprint()
    assert annotations_below(tmp_path) == source.files()[: -len(BOXES)]
    write_images(tmp_path / "images", ("b.png",))
    assert source.fingerprint() != before


def test_width_and_height_and_other_names_of_columns(tmp_path):
    write_images(tmp_path)
    (tmp_path / "a.csv").write_text(
        "Image_Path,x,y,width,height,class_name\na.png,10,5,20,20,cat\na.png,0,0,40,30,dog\n"
    )
    assert rows(BoxesSource(path=str(tmp_path / "a.csv")))["boxes"].to_list() == [SHARES["a.png"]]
    (tmp_path / "a.csv").write_text("filename,x1,y1,x2,y2\na.png,10,5,30,25\n")
    assert read(rows(BoxesSource(path=str(tmp_path / "a.csv")))["boxes"][0])[0].name == "object"


def test_an_image_that_was_reduced_since_keeps_its_boxes(tmp_path):
    write_images(tmp_path)
    twice = [(name, *(2 * side for side in sides)) for name, *sides in BOXES["a.png"]]
    (tmp_path / "a.xml").write_text(voc("a.png", twice, (80, 60)))
    assert rows(BoxesSource(path=str(tmp_path)))["boxes"].to_list() == [SHARES["a.png"]]
    (tmp_path / "a.xml").write_text(voc("a.png", BOXES["a.png"], (30, 40)))  # of another form: the image is right
    assert rows(BoxesSource(path=str(tmp_path)))["boxes"].to_list() == [SHARES["a.png"]]


def test_a_turned_photograph_is_measured_upright(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 40)).save(tmp_path / "a.jpg", exif=exif)  # 40 wide and 30 high to look at
    write_csv(tmp_path / "a.csv", {"a.jpg": BOXES["a.png"]})
    source = BoxesSource(path=str(tmp_path / "a.csv"))
    assert rows(source)["boxes"].to_list() == [SHARES["a.png"]]
    assert written(source.in_shares()[0][1]) == SHARES["a.png"]


def test_folders_named_as_splits_are_splits(tmp_path):
    for split in ("train", "valid", "test"):
        write_images(tmp_path / split)
        write_coco(tmp_path / split / "_annotations.coco.json")
    source = BoxesSource(path=str(tmp_path))
    assert source.splits() == ("train", "val", "test")
    wanted = Wanted(contract_columns(Contract.model_validate(contract())))
    assert pl.concat(source.frames(wanted, "val"))["file"].to_list() == ["valid/a.png", "valid/b.png", "valid/c.png"]
    assert source.place(1, "image", "test").endswith("test/b.png")


WRONG = {"a.png": [("cat", -4, 5, 30, 25), ("dog", 50, 2, 60, 9), ("cat", 3, 3, 3, 9), ("cow", 0, 0, 9, 9)]}


def test_what_breaks_a_rule_is_seen_by_the_rule_and_mended_where_asked(tmp_path):
    write_images(tmp_path)
    write_csv(tmp_path / "a.csv", {**WRONG, "b.png": BOXES["b.png"]})
    frame = rows(BoxesSource(path=str(tmp_path / "a.csv")))
    rules = {r.name: r for r in rules_of(Contract.model_validate(contract())) if r.column == "boxes"}
    broken = {
        name: (~matches(frame["boxes"], rule.kwargs["regex"])).to_list()
        for name, rule in rules.items()
        if "regex" in rule.kwargs
    }
    assert broken == {
        "boxes: inside the image": [True, False],
        "boxes: not empty": [True, False],
        "boxes: known classes": [True, False],
    }
    one = {name: [("cat", *sides)] for name, sides in {"a.png": (-4, 5, 30, 25), "b.png": (3, 3, 3, 9)}.items()}
    write_csv(tmp_path / "b.csv", {**one, "c.png": [("cow", 0, 0, 9, 9)]})
    cells = rows(BoxesSource(path=str(tmp_path / "b.csv")))["boxes"]
    seen = {
        name: (~matches(cells, rule.kwargs["regex"])).to_list()
        for name, rule in rules.items()
        if "regex" in rule.kwargs
    }
    assert list(seen.values()) == [[True, False, False], [False, True, False], [False, False, True]]
    mended = rows(BoxesSource(path=str(tmp_path / "a.csv"), mend=True))["boxes"][0]
    assert [box.name for box in read(mended)] == ["cat", "cow"]
    assert matches(pl.Series([mended]), box_pattern(["cat", "cow"])).all()


def test_the_pattern_of_good_cells_is_that_of_the_rules():
    good = [SHARES["a.png"], SHARES["c.png"], written([Box('a"b,]', 0, 0, 1, 1)])]
    assert matches(pl.Series(good), box_pattern(["cat", "dog", 'a"b,]'])).all()
    assert not matches(pl.Series(good), box_pattern(["cat"])).to_list()[0]
    bad = [written([Box("cat", *sides)]) for sides in ((0, 0, 1.2, 1), (0.5, 0, 0.5, 1), (0.5, 0.7, 0.9, 0.2))]
    assert not matches(pl.Series(bad), box_pattern(["cat"])).any()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "image,xmin,ymin,xmax,label\n", "has no column ymax; it has"),
        ("a.csv", "image,x,y,width,label\n", "has no column height; it has"),
        ("a.csv", "image,xmin,ymin,xmax,ymax,label\na.png,1,2,3,4,\n", "line 2 names no class"),
        ("a.csv", "image,xmin,ymin,xmax,ymax,label\na.png,1,x,3,4,cat\n", "line 2: 1, x, 3, 4"),
        ("a.csv", "image,xmin,ymin,xmax,ymax,label\n,1,2,3,4,cat\n", "line 2 names no image"),
        ("a.csv", "image,xmin,ymin,xmax,ymax,label\nz.png,1,2,3,4,cat\n", "1 of 1 annotated images are not below"),
        ("a.json", "{", "is no JSON"),
        ("a.json", '{"images": []}', "lacks one of images, annotations, categories"),
        ("a.json", '{"images": [], "annotations": [], "categories": []}', "has no image"),
        ("a.json", json.dumps({**coco(), "categories": []}), "something names 1, which is not there"),
        ("a.json", json.dumps({**coco(), "annotations": [{"image_id": 5, "category_id": 1, "bbox": [1]}]}), "a.json"),
    ],
)
def test_broken_files_are_named(tmp_path, name, text, words):
    write_images(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(DataUnreadable, match=words):
        rows(BoxesSource(path=str(tmp_path / name)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotation>", "is no XML"),
        ("<annotations/>", "begins with <annotations>"),
        ('<?xml version="1.0" encoding="none-such"?><annotation/>', "is no XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "has a document type"),
        ("<annotation><object><name>cat</name></object></annotation>", "without name or bndbox"),
        (voc("a.png", [("cat", "one", 2, 3, 4)]), "has 'one' for xmin"),
        (voc("a.png", [("cat", "nan", 2, 3, 4)]), "has 'nan' for xmin"),
    ],
)
def test_broken_xml_is_named(tmp_path, text, words):
    write_images(tmp_path)
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(DataUnreadable, match=words):
        rows(BoxesSource(path=str(tmp_path)))


def test_an_image_that_is_too_large_is_named(tmp_path):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b""))
    write_csv(tmp_path / "a.csv", {"a.png": BOXES["a.png"]})
    with pytest.raises(DataUnreadable, match=r"a\.png: DecompressionBombError"):
        BoxesSource(path=str(tmp_path / "a.csv")).in_shares()


def test_images_that_are_missing_twice_there_or_annotated_twice(tmp_path):
    write_images(tmp_path / "one")
    write_images(tmp_path / "two")
    write_csv(tmp_path / "a.csv")
    with pytest.raises(DataUnreadable, match="several images below"):
        rows(BoxesSource(path=str(tmp_path / "a.csv")))
    write_voc(tmp_path / "one")
    (tmp_path / "one" / "again.xml").write_text(voc("a.png", []))
    with pytest.raises(DataUnreadable, match="annotated more than once"):
        rows(BoxesSource(path=str(tmp_path / "one")))
    with pytest.raises(DataUnreadable, match="holds no annotations"):
        rows(BoxesSource(path=str(tmp_path / "two")))
    (tmp_path / "two" / "a.png").write_bytes(b"no image")
    write_csv(tmp_path / "two" / "a.csv")
    with pytest.raises(DataUnreadable, match="is not an image that can be read"):
        rows(BoxesSource(path=str(tmp_path / "two/a.csv")))


def test_a_side_that_is_hardly_below_0_is_0():
    """As of a COCO box whose numbers were computed: such a row is good by all rules, or by none."""
    cell = written([Box("cat", -1e-9, -0.0, 0.5, 1 + 1e-9)])
    assert cell == '{"outside":0,"empty":0,"boxes":[["cat",0.000000,0.000000,0.500000,1.000000]]}'
    assert matches(pl.Series([cell]), box_pattern(["cat"])).all()


def test_cells_of_tables_may_be_lists():
    label = Contract.model_validate(contract()).label
    column = Column("boxes", "string", label=True, many=label)
    lists = [[{"name": "cat", "top": 0.0, "left": 0.25, "bottom": 0.5, "right": 1.0}], [], None]
    found = as_boxes(pl.Series("boxes", lists), column, lambda row, name: f"row {row}")
    assert found.to_list() == [written([Box("cat", 0, 0.25, 0.5, 1)]), written([]), None]
    texts = pl.Series("boxes", ['[["cat", 0, 0.25, 0.5, 1]]', "[]", ""])
    assert as_boxes(texts, column, lambda row, name: "").to_list() == found.to_list()
    with pytest.raises(DataUnreadable, match=r"row 0.*a box is \[class, top, left, bottom, right\]"):
        as_boxes(pl.Series("boxes", ['[["cat", 1]]']), column, lambda row, name: f"row {row}")
    box = {"name": "cat", "top": 0.0, "left": 0.25, "bottom": 0.5, "right": 1.0}
    for wrong, words in (
        ({"class": "cat", **{side: box[side] for side in ("top", "left", "bottom", "right")}}, "a box has no class"),
        ({**box, "top": float("nan")}, "sides of a box are finite numbers"),
        ({**box, "right": None}, "sides of a box are finite numbers"),
    ):
        with pytest.raises(DataUnreadable, match=rf"row 0.*{words}"):
            as_boxes(pl.Series("boxes", [[wrong]]), column, lambda row, name: f"row {row}")


def test_scenes_are_the_same_ones_and_keep_their_rules():
    label = {"name": "boxes", "dtype": "boxes", "boxes": 4, "classes": [str(i) for i in range(10)]}
    features = {"image": {"dtype": "image", "shape": [64, 64, 1]}}
    known = Contract.model_validate({"name": "scenes", "key": "id", "features": features, "label": label})
    wanted = Wanted(contract_columns(known))
    source = ScenesSource(path="data/digits.parquet", count=40)
    parts = {split: pl.concat(source.frames(wanted, split)) for split in source.splits()}
    assert [part.height for part in parts.values()] == [32, 4, 4]
    whole = pl.concat(source.frames(wanted))
    assert whole.equals(pl.concat(parts.values()))
    assert whole["id"].to_list() == list(range(40))
    assert matches(whole["boxes"], known.label.pattern).all()
    assert {len(read(text)) for text in whole["boxes"]} == {1, 2, 3, 4}
    odd = pl.concat(ScenesSource(path="data/digits.parquet", count=26).frames(wanted))
    assert odd["id"].to_list() == list(range(26)), "no id is in two splits, whatever the count"
    other = pl.concat(ScenesSource(path="data/digits.parquet", count=40, seed=1).frames(wanted, "train"))
    assert not other["image"].equals(parts["train"]["image"])
