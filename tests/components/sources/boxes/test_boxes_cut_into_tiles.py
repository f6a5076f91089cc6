"""Large photographs become rows of tiles: pixels and boxes are those of a loop over slices."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.components.sources import BoxesSource, ByHash, Wanted
from kilnworks.components.sources.boxes.tiles import Tiles
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.splitting.assign import make_assigner
from kilnworks.schemas.boxes import read
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.tiles import Tile, read_tile
from tests.components.sources.boxes.annotated import contract

HIGH, WIDE, SIDE = 97, 130, 48
SIZES = {"a.png": (HIGH, WIDE), "deep/b.png": (60, 48), "small.png": (30, 40)}


@pytest.fixture
def photos(tmp_path):
    """Photographs of unlike sizes with many boxes: folder, pixels by name, boxes (class, x, y, x, y) by name."""
    rng, pixels, boxes, lines = np.random.default_rng(3), {}, {}, ["image,xmin,ymin,xmax,ymax,label"]
    for name, (high, wide) in SIZES.items():
        pixels[name] = rng.integers(0, 255, (high, wide, 3)).astype(np.uint8)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels[name]).save(tmp_path / name)
        boxes[name] = []
        for _ in range(40):
            x, y = int(rng.integers(0, wide - 3)), int(rng.integers(0, high - 3))
            a, b = int(min(wide, x + rng.integers(2, 20))), int(min(high, y + rng.integers(2, 20)))
            boxes[name].append((str(rng.choice(["cat", "dog"])), x, y, a, b))
        lines += [f"{name},{x},{y},{a},{b},{label}" for label, x, y, a, b in boxes[name]]
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    return tmp_path, pixels, boxes


def wanted(side=SIDE) -> Contract:
    made = contract(most=100)
    return Contract.model_validate(
        {**made, "features": {"image": {**made["features"]["image"], "shape": [side] * 2 + [3]}}}
    )


def by_hand(high: int, wide: int, side: int, overlap: int) -> list[tuple[int, int]]:
    """Corners (x, y), by going on until the end of the photograph is reached."""
    ys, xs = [0], [0]
    while ys[-1] + side < high:
        ys.append(min(ys[-1] + side - overlap, high - side))
    while xs[-1] + side < wide:
        xs.append(min(xs[-1] + side - overlap, wide - side))
    return [(x, y) for y in ys for x in xs]


@pytest.mark.parametrize("overlap", [0, 10, 24])
def test_tiles_are_slices_and_boxes_those_whose_middle_is_in_them(photos, overlap):
    folder, pixels, boxes = photos
    source = BoxesSource(path=str(folder / "boxes.csv"), tiles=Tiles(side=SIDE, overlap=overlap))
    frame = pl.concat(source.frames(Wanted(contract_columns(wanted()))))
    rows = iter(zip(frame["file"], frame["image"].to_numpy(), frame["boxes"], strict=True))
    for name, (high, wide) in SIZES.items():
        for x, y in by_hand(high, wide, SIDE, overlap):
            file, image, cell = next(rows)
            assert file == f"{name}#xywh={x},{y},{SIDE},{SIDE}"
            part = np.zeros((SIDE, SIDE, 3), np.uint8)
            found = pixels[name][y : y + SIDE, x : x + SIDE]
            part[: found.shape[0], : found.shape[1]] = found
            np.testing.assert_array_equal(image.reshape(SIDE, SIDE, 3), part)
            right = []
            for label, left, top, a, b in boxes[name]:
                if x <= (left + a) / 2 < x + SIDE and y <= (top + b) / 2 < y + SIDE:
                    right.append((label, max(top - y, 0), max(left - x, 0), min(b - y, SIDE), min(a - x, SIDE)))
            said = [(one.name, *(round(side * SIDE, 3) for side in one[1:])) for one in read(cell)]
            assert said == [(label, *map(float, sides)) for label, *sides in right]
    assert next(rows, None) is None
    assert set(frame["image__height"]) == {SIDE}
    assert source.place(0, "boxes") == f"{folder / 'a.png'}#xywh=0,0,{SIDE},{SIDE}"


def test_batches_do_not_matter_and_tiles_are_resized(photos):
    folder, _, _ = photos
    source = BoxesSource(path=str(folder / "boxes.csv"), tiles=Tiles(side=SIDE, overlap=10))
    known = wanted(32)
    whole = pl.concat(source.frames(Wanted(contract_columns(known))))
    few = [
        source._frame([row], ["file", "image", "boxes"], Wanted(contract_columns(known))) for row in source._rows(None)
    ]
    assert pl.concat(few).select("file", "boxes").equals(whole.select("file", "boxes"))
    assert whole["image"].dtype == pl.Array(pl.UInt8, 32 * 32 * 3)


def test_a_photograph_larger_than_pillow_likes_is_read_without_a_word(photos, monkeypatch):
    """Pillow warns from 89 million pixels on, and refuses twice as many; a warning fails a test."""
    folder, _, _ = photos
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", HIGH * WIDE - 1)
    source = BoxesSource(path=str(folder / "boxes.csv"), tiles=Tiles(side=SIDE))
    assert next(source.frames(Wanted(contract_columns(wanted())))).height > 6


def test_boxes_that_are_wrong_are_left_to_the_checks(photos):
    folder, _, _ = photos
    place = folder / "boxes.csv"
    place.write_text(place.read_text() + "\na.png,100,90,140,99,cat\na.png,5,5,5,9,dog\n")
    tiles = Tiles(side=SIDE, overlap=10)
    frame = pl.concat(BoxesSource(path=str(place), tiles=tiles).frames(Wanted(contract_columns(wanted()))))
    assert frame["boxes"].str.starts_with('{"outside":1,"empty":1,').sum() == 1
    mended = BoxesSource(path=str(place), tiles=tiles, mend=True)
    frame = pl.concat(mended.frames(Wanted(contract_columns(wanted()))))
    assert frame["boxes"].str.starts_with('{"outside":0,"empty":0,').all()


def test_tiles_of_a_photograph_stay_in_one_split(photos):
    folder, _, _ = photos
    source, known = BoxesSource(path=str(folder / "boxes.csv"), tiles=Tiles(side=SIDE)), wanted()
    plan = ByHash(key="photo", salt=2, shares={"train": 0.5, "val": 0.25, "test": 0.25})
    columns = Wanted(contract_columns(known))
    assigner = make_assigner(plan, known, source, columns)
    assert assigner.extra_columns == ("photo",)
    from kilnworks.components.sources.columns import Column

    asked = Wanted({**columns.columns, "photo": Column("photo", "key")})
    parts = assigner.assign(pl.concat(source.frames(asked)), None)
    found = [{read_tile(file).photo for file in part["file"]} for part in parts.values()]
    assert sum(map(len, found)) == len(set().union(*found)) == 3 and sum(map(bool, found)) > 1
    assert all("photo" not in part.columns for part in parts.values())
    with pytest.raises(ConfigError, match="split key 'photos' is no column"):
        make_assigner(ByHash(key="photos"), known, source, columns)


def test_tiles_stay_together_where_no_plan_says_so(photos):
    folder, _, _ = photos
    source, known = BoxesSource(path=str(folder / "boxes.csv"), tiles=Tiles(side=SIDE)), wanted()
    columns, how = Wanted(contract_columns(known)), {"salt": 2, "shares": {"train": 0.5, "val": 0.25, "test": 0.25}}
    frame = pl.concat(source.frames(columns))
    plain = make_assigner(ByHash(**how), known, source, columns).assign(frame, None)
    named = make_assigner(ByHash(key="photo", **how), known, source, columns)
    asked = frame.with_columns(photo=pl.Series([read_tile(key).photo for key in frame["file"]]))
    assert sum(part.height > 0 for part in plain.values()) > 1
    for split, part in named.assign(asked, None).items():
        assert part.equals(plain[split])


def test_places_are_written_as_fragments():
    tile = Tile("x#xywh=1,2,3,4/odd name.png", 5, 6, 7, 8)
    assert read_tile(str(tile)) == tile
    assert read_tile("x.png") is None and read_tile("x.png#xywh=1,2,3") is None


def test_an_overlap_of_more_than_half_is_refused():
    with pytest.raises(ValueError, match="at most half of the side, 50"):
        Tiles(side=100, overlap=51)
