"""``new`` finds boxes by itself, and chooses size, shapes and mirror images from them."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import AsGiven
from kilnworks.components.starting.boxes.first import boxes_at
from kilnworks.components.starting.boxes.sizes import OF_POINTS, PER_PIXEL, detector, side_of
from kilnworks.components.starting.boxes.tiling import tiling
from kilnworks.components.starting.definition import definition
from kilnworks.components.starting.durations import timed
from kilnworks.components.starting.start import start
from kilnworks.components.starting.work import DETECTED, operations
from kilnworks.schemas.errors import ConfigError, DataUnreadable
from kilnworks.schemas.tiles import read_tile
from tests.components.sources.boxes.annotated import BOXES, HIGH, WIDE, write_coco, write_csv, write_images, write_voc

MANY = {f"{i:02}.png": BOXES["a.png"] if i % 2 else BOXES["b.png"] for i in range(12)}


def said(recipe) -> dict[str, str]:
    return {one.what: f"{one.choice} {one.why}" for one in recipe.decisions}


@pytest.mark.parametrize("kind", ["csv", "voc", "coco"])
def test_boxes_are_found_beside_their_images(tmp_path, kind) -> None:
    write_images(tmp_path / "images", tuple(MANY))
    {"csv": write_csv, "coco": write_coco, "voc": lambda place, boxes: write_voc(place.with_suffix(""), boxes)}[kind](
        tmp_path / {"csv": "boxes.csv", "coco": "boxes.json", "voc": "xml"}[kind], MANY
    )
    recipe = start("pets", str(tmp_path))
    label = recipe.contract.label
    assert label.classes == ("cat", "dog")
    assert label.boxes == 3  # a quarter more than the most, and one
    assert recipe.rows == 12
    assert "18 boxes, up to 2 in an image" in said(recipe)["task"]
    written = definition("pets", recipe, tmp_path, tmp_path / "pets.yaml")
    compile(written, "pets.py", "exec")
    assert "BoxesSource(" in written and "Detector(" in written and "boxes of things in 12 images" in written
    if kind != "voc":
        file = tmp_path / {"csv": "boxes.csv", "coco": "boxes.json"}[kind]
        assert start("pets", str(file)).contract.label == label


def test_every_part_has_images_and_every_class_is_learned(tmp_path) -> None:
    from kilnworks.components.sources.splitting.hashing import hash_rows, unit_interval

    write_images(tmp_path, tuple(MANY))
    write_csv(tmp_path / "boxes.csv", {**MANY, "03.png": [("bird", 1, 1, 9, 9)]})
    recipe = start("pets", str(tmp_path))
    shares = recipe.split.shares
    place = unit_interval(hash_rows(pl.DataFrame({"key": sorted(MANY)}), ("key",), recipe.split.salt))
    code = np.searchsorted([shares.train, shares.train + shares.val], place, side="right")
    assert set(code) == {0, 1, 2}
    assert code[sorted(MANY).index("03.png")] == 0


def test_boxes_that_reach_out_are_told_and_cut(tmp_path) -> None:
    write_images(tmp_path, tuple(MANY))
    wrong = {**MANY, "00.png": [("cat", -3, 2, 20, 20), ("dog", 5, 5, 5, 9)]}
    write_csv(tmp_path / "boxes.csv", wrong)
    recipe = start("pets", str(tmp_path))
    assert recipe.source.mend
    assert "1 reach out of the image; 1 have no height or width" in said(recipe)["boxes"]
    assert [one.flagged for one in recipe.decisions if one.what == "boxes"] == [True]


@pytest.mark.parametrize(("most", "refused"), [(235, True), (4_095, True), (40_000, False)])
def test_files_of_sixteen_bits_of_which_a_camera_used_few_are_refused(tmp_path, most, refused) -> None:
    names = [f"{i:02}.tif" for i in range(12)]
    for name in names:
        pixels = np.random.default_rng(0).integers(0, most + 1, (HIGH, WIDE), dtype=np.uint16)
        Image.fromarray(pixels).save(tmp_path / name)
    write_csv(tmp_path / "boxes.csv", dict.fromkeys(names, BOXES["b.png"]))
    if not refused:
        assert start("cells", str(tmp_path)).rows == 12
        return
    with pytest.raises(DataUnreadable, match="12 of 12 opened images have 16 bits and no pixel above") as raised:
        start("cells", str(tmp_path))
    assert f"{most // 256 + 1} of 256 grey levels" in str(raised.value) and "write files of 8 bits" in str(raised.value)


def test_folders_of_splits_are_kept(tmp_path) -> None:
    for split in ("train", "valid", "test"):
        write_images(tmp_path / split, tuple(MANY))
        write_voc(tmp_path / split, MANY)
    recipe = start("pets", str(tmp_path))
    assert recipe.split == AsGiven()
    assert recipe.rows == 36


@pytest.mark.slow
def test_what_is_in_a_box_decides_on_mirror_images(tmp_path) -> None:
    def drawn(folder, paint) -> str:
        folder.mkdir()
        rng, lines = np.random.default_rng(0), ["image,xmin,ymin,xmax,ymax,label"]
        for i in range(40):
            pixels = rng.integers(0, 50, (64, 64))
            for name in ("a", "b"):
                y, x = rng.integers(0, 40, 2)
                paint(pixels[y : y + 20, x : x + 20], name)
                lines.append(f"{i}.png,{x},{y},{x + 20},{y + 20},{name}")
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
        (folder / "boxes.csv").write_text("\n".join(lines))
        return said(start("things", str(folder)))["augment"]

    def arrow(part, name) -> None:
        part[:, : 10 if name == "a" else 5] = 250

    def disc(part, name) -> None:
        part[(np.mgrid[0:20, 0:20][0] - 9.5) ** 2 + (np.mgrid[0:20, 0:20][1] - 9.5) ** 2 < 80] = 250

    assert "mirror images," not in drawn(tmp_path / "arrows", arrow)
    assert "also upside down" in drawn(tmp_path / "discs", disc)


def test_sizes_follow_the_boxes() -> None:
    assert side_of([(400, 400)] * 3, np.full((5, 2), 30.0)) == (272, 272)
    assert side_of([(256, 256)] * 3, np.full((5, 2), 12.0)) == (320, 320)  # small ones are enlarged
    assert side_of([(600, 800)] * 3, np.full((5, 2), 300.0)) == (64, 96)
    assert side_of([(3000, 2000)] * 3, np.full((5, 2), 20.0)) == (320, 208)
    few, many = (detector(count, (256, 256, 3), 40, "both")[1] for count in (20, 2000))
    assert few["epochs"] == 147 and many["epochs"] == 12
    assert detector(20, (256, 256, 3), 40, "both")[0].most == 60


def test_tiles_get_a_head_for_many_things_of_like_sizes() -> None:
    whole, training = detector(60, (256, 256, 3), 40, "both")
    parts, more = detector(60, (256, 256, 3), 40, "both", tiles=True)
    assert (whole.head, whole.colour) == ("retina", 0.0)
    assert (parts.head, parts.flip, parts.most) == ("points", "both", whole.most) and parts.colour > 0
    assert more["epochs"] / training["epochs"] == pytest.approx(PER_PIXEL / OF_POINTS, rel=0.03)


def test_what_cannot_be_learned_is_refused(tmp_path) -> None:
    write_images(tmp_path, ("a.png", "b.png"))
    write_csv(tmp_path / "boxes.csv", {name: BOXES[name] for name in ("a.png", "b.png")})
    with pytest.raises(ConfigError, match="2 annotated images"):
        start("pets", str(tmp_path))
    write_csv(tmp_path / "boxes.csv", {"a.png": [], "b.png": []})
    with pytest.raises(DataUnreadable, match="no image has a box"):
        start("pets", str(tmp_path))
    (tmp_path / "boxes.csv").unlink()
    assert boxes_at(str(tmp_path)) is None


def aerial(folder, count: int, side: int, box: int) -> None:
    """Photographs with small bright discs, most of them far apart."""
    folder.mkdir()
    rng, lines = np.random.default_rng(0), ["image,xmin,ymin,xmax,ymax,label"]
    for i in range(count):
        pixels = rng.integers(0, 50, (side, side, 3)).astype(np.uint8)
        for _ in range(30):
            y, x = rng.integers(0, side - box, 2)
            pixels[y : y + box, x : x + box] = (200, 220, 90)
            lines.append(f"{i}.png,{x},{y},{x + box},{y + box},disc")
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "boxes.csv").write_text("\n".join(lines))


@pytest.mark.slow
def test_large_photographs_are_cut_into_tiles_and_it_is_said(tmp_path) -> None:
    aerial(tmp_path / "field", 4, 1000, 24)
    recipe = start("field", str(tmp_path / "field"))
    tiles = recipe.source.tiles
    assert (tiles.side, tiles.overlap) == (307, 27)
    told = said(recipe)["tiles"]
    assert recipe.model.head == "points" and "middles of boxes" in said(recipe)["model"]
    assert told.startswith("64 of 307 x 307 pixels") and "27 pixels in two tiles each" in told
    assert recipe.rows == 64 and recipe.contract.features["image"].shape == (256, 256, 3)
    assert recipe.split.key == "photo"
    assert recipe.contract.label.boxes < 30  # of a tile, not of a photograph
    checked = [check.kwargs for check in recipe.contract.checks if check.kwargs["column"] == "image__height"]
    assert checked == [{"column": "image__height", "min_value": 307, "max_value": 307}]
    written = definition("field", recipe, tmp_path, tmp_path / "field.yaml")
    compile(written, "field.py", "exec")
    assert "tiles=Tiles(side=307, overlap=27)" in written and 'key="photo"' in written
    assert 'better_than=("constant",)' in written and "64 tiles of photographs" in written


@pytest.mark.slow
def test_photographs_that_make_too_many_tiles_are_seen_whole_and_it_is_said(tmp_path, monkeypatch) -> None:
    aerial(tmp_path / "field", 5, 600, 24)
    monkeypatch.setattr("kilnworks.components.starting.boxes.tiling.MOST", 44)
    recipe = start("field", str(tmp_path / "field"))
    (told,) = (one for one in recipe.decisions if one.what == "tiles")
    assert told.flagged and told.choice == "none"
    assert told.why.startswith("45 tiles would take an hour or longer") and "usual box is about 13 pixels" in told.why
    assert recipe.source.tiles is None and recipe.rows == 5 and recipe.split.key is None


@pytest.mark.slow
@pytest.mark.parametrize(("lacking", "given"), [("val", "test"), ("test", "val")])
def test_what_no_folder_holds_is_cut_off_whole_photographs(tmp_path, lacking, given) -> None:
    """By the file with the tile, both parts would show the same trees."""
    folder = tmp_path / "field"
    aerial(folder, 5, 600, 24)
    boxes = (folder / "boxes.csv").read_text().splitlines()
    places = {f"{i}.png": f"{'train' if i < 4 else given}/{i}.png" for i in range(5)}
    for name, place in places.items():
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / name).rename(folder / place)
    (folder / "boxes.csv").write_text("\n".join([boxes[0], *(places[line[:5]] + line[5:] for line in boxes[1:])]))
    recipe = start("field", str(folder))
    assert recipe.source.tiles is not None and isinstance(recipe.split, AsGiven)
    out = tmp_path / "out"
    out.mkdir()
    found = ingest(IngestConfig(contract=recipe.contract, source=recipe.source, split=recipe.split), out)
    names = {
        split: {read_tile(key).photo for file in found.files(split) for key in pl.read_parquet(file)["file"]}
        for split in ("train", "val", "test")
    }
    assert all(names.values()) and sum(map(len, names.values())) == 5
    for number in (1, 2, 3):
        (folder / "train" / f"{number}.png").rename(folder / given / f"{number}.png")
    moved = (folder / "boxes.csv").read_text()
    for number in (1, 2, 3):
        moved = moved.replace(f"train/{number}.png", f"{given}/{number}.png")
    (folder / "boxes.csv").write_text(moved)
    with pytest.raises(ConfigError, match=f"1 photographs in train, and no folder {lacking}"):
        start("field", str(folder))


@pytest.mark.parametrize(
    ("sizes", "box", "wanted"),
    [
        ([(400, 400)] * 9, 30, None),  # seen large enough as it is
        ([(1000, 1000)] * 9, 60, None),  # 19 pixels at 320
        ([(1000, 1000)] * 9, 40, (512, 44)),
        ([(2000, 1500)] * 3, 10, (171, 11)),  # enlarged, but no more than by half
        ([(1000, 1000), (300, 300), (300, 300)], 40, (512, 44)),  # the boxes lie in the first one
        ([(1000, 1000)] * 900, 24, None),  # too many tiles to learn in minutes
    ],
)
def test_tiles_follow_the_boxes(sizes, box, wanted) -> None:
    found = tiling(sizes, np.full((20, 2), float(box)), np.zeros(20, int)).tiles
    assert (found and (found.side, found.overlap)) == wanted


def test_how_long_a_run_takes_follows_its_work(tmp_path) -> None:
    write_images(tmp_path, tuple(MANY))
    write_csv(tmp_path / "boxes.csv", MANY)
    recipe = start("pets", str(tmp_path))
    work = operations(recipe)
    height, width, _ = recipe.contract.features["image"].shape
    assert work == pytest.approx(recipe.training["epochs"] * 0.8 * 12 * height * width * 2 * PER_PIXEL / DETECTED)
    (told,) = (one for one in timed(recipe, None).decisions if one.what == "duration")
    assert told.choice.startswith("run takes about ")
