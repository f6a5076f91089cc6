"""A first pipeline for images with boxes: CSV, XML of PASCAL VOC or JSON of COCO beside the images."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from kilnworks.components.sources.boxes.drawn import upright_size
from kilnworks.components.sources.boxes.finding import annotations_below, is_annotation
from kilnworks.components.sources.boxes.source import BoxesSource
from kilnworks.components.sources.boxes.tiles import Tiles, boxes_in
from kilnworks.components.sources.files.folder import files_below
from kilnworks.components.sources.image_files import SUFFIXES
from kilnworks.components.sources.images import FileFacts, open_image
from kilnworks.components.sources.paths import local
from kilnworks.components.sources.splitting.splits import NAMES, SPLITS, AsGiven, ByHash, Shares
from kilnworks.components.starting.boxes.sizes import detector, side_of
from kilnworks.components.starting.boxes.tiling import MOST, SEEN, Tiling, tiling
from kilnworks.components.starting.pictures.depth import refuse_unused_bits
from kilnworks.components.starting.pictures.file_checks import USUAL, file_checks
from kilnworks.components.starting.pictures.flips import THUMB, told_from_mirror
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.schemas.boxes import Box
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataUnreadable
from kilnworks.schemas.words import listed

SAMPLE = 60
"""Images that are opened to see colours, and what is in boxes."""
FEWEST = 5
"""Images without which nothing can be learned and judged."""
FEWEST_PHOTOGRAPHS = 3
"""The same of photographs that are cut into tiles: one to learn from, one to choose by, one to judge by."""
FEW = 60
"""Images below which more of them are kept to judge by."""
MIRRORED = 0.85
"""Share of the boxes of a class that may be told from their mirror images before no image is flipped."""
SALTS = 50

Marked = list[tuple[Path, list[Box]]]


def boxes_at(data: str) -> BoxesSource | None:
    """How boxes are read, where data are a folder of images with annotations or an annotation file; else None."""
    if "://" in data:
        return None
    place = local(data)
    if place.is_file():
        return BoxesSource(path=str(place), folder=_images_near(place)) if is_annotation(place) else None
    if not place.is_dir() or not files_below(place, SUFFIXES).files:
        return None
    found = annotations_below(place)
    if not found:
        return None
    whole = found[0].suffix == ".xml" or len(found) > 1
    return BoxesSource(path=str(place if whole else found[0]), folder=str(place))


def start_with_boxes(name: str, source: BoxesSource) -> Recipe:
    """Look at images and their boxes, and decide on a first pipeline.

    Raises:
        DataUnreadable: annotations or images cannot be read, or no image has a box.
        ConfigError: too few images.
    """
    marked = source.in_shares()
    source, mended = _mended(source, marked)
    marked = source.in_shares() if mended else marked
    counts: dict[str, int] = {}
    for _, boxes in marked:
        for box in boxes:
            counts[box.name] = counts.get(box.name, 0) + 1
    if not counts:
        raise DataUnreadable(f"{source}: no image has a box", "boxes in pixels", "check the annotations")
    classes = sorted(counts)
    sizes = [upright_size(file) for file, _ in marked]
    pixels = np.array(
        [((b.bottom - b.top) * h, (b.right - b.left) * w) for (_, boxes), (h, w) in zip(marked, sizes, strict=True)
         for b in boxes]
    )  # fmt: skip
    cut = tiling(sizes, pixels, np.repeat(np.arange(len(marked)), [len(boxes) for _, boxes in marked]))
    tiles = cut.tiles
    fewest = FEWEST if tiles is None else FEWEST_PHOTOGRAPHS
    if len(marked) < fewest:
        raise ConfigError(f"{len(marked)} annotated images", f"at least {fewest}", "annotate more")
    facts, coloured, flip, why = _sample(marked)
    source = source.model_copy(update={"tiles": tiles})
    split, splitting = _split(source, marked)
    shape = (*(side_of(sizes, pixels) if tiles is None else (SEEN, SEEN)), 3 if coloured else 1)
    rows = [boxes for _, boxes in marked] if tiles is None else _of_tiles(tiles, marked, sizes)
    if tiles is not None:
        facts = [replace(one, height=tiles.side, width=tiles.side) for one in facts]
    most = max(len(boxes) for boxes in rows)
    model, training = detector(round(0.8 * len(rows)), shape, most, flip, tiles=tiles is not None)
    low, high = np.min(sizes, axis=0), np.max(sizes, axis=0)
    usual = np.quantile(np.sqrt(pixels.prod(axis=1)), [0.05, 0.5, 0.95])
    rarest = min(classes, key=lambda one: counts[one])
    empty = sum(not boxes for _, boxes in marked)
    decisions = (
        Decision("rows", f"{len(marked):,} images", f"{empty} of them without a box" if empty else ""),
        *_told(cut, pixels),
        Decision(
            "task",
            f"object detection: {len(classes)} class{'es' if len(classes) > 1 else ''}, {listed(classes, 6)}",
            f"{sum(counts.values()):,} boxes, up to {most} in {_A[tiles is not None]}; "
            f"rarest: {rarest}, {counts[rarest]:,} boxes",
        ),
        *mended,
        Decision(
            "size",
            f"{shape[0]} x {shape[1]} x {shape[2]}",
            f"images of {_between(low, high)} pixels; boxes of {usual[1]:.0f} pixels a side "
            f"({usual[0]:.0f} to {usual[2]:.0f})",
        ),
        splitting,
        Decision("augment", f"crops and sizes{_FLIPS[flip]}{', other colours' if tiles else ''}", why),
        Decision("model", "detector", f"head {model.head}, {training['epochs']} epochs; {_STANDS[model.head]}"),
    )
    contract = _contract(name, source, classes, shape, most, facts, len(marked))
    return Recipe(contract, source, len(rows), model, training, split, decisions=decisions)


def _between(low: np.ndarray, high: np.ndarray) -> str:
    """Both sizes, [height, width] in pixels; one where they are equal."""
    return " to ".join(dict.fromkeys(f"{height} x {width}" for height, width in (low, high)))


def _of_tiles(tiles: Tiles, marked: Marked, sizes: list[tuple[int, int]]) -> list[list[Box]]:
    """The boxes of every tile."""
    return [
        boxes_in(tile, boxes, *size)
        for (file, boxes), size in zip(marked, sizes, strict=True)
        for tile in tiles.of(file.name, *size)
    ]


def _told(found: Tiling, pixels: np.ndarray) -> list[Decision]:
    """What is said of tiles, if anything; flagged where they are too many, or boxes larger than what two share."""
    tiles = found.tiles
    if tiles is None:
        many = f"{found.needed:,} tiles would take an hour or longer to learn from, at most {MOST:,} are cut"
        why = f"{many}; in a whole image the usual box is about {found.seen:.0f} pixels, and hardly found"
        told = Decision("tiles", "none", f"{why}: give fewer images, or write `tiles`", flagged=True)
        return [told] if found.needed else []
    cut = int((pixels.max(axis=1) > tiles.overlap).sum())
    why = f"in whole photographs the boxes would be too small to be found; {tiles.overlap} pixels in two tiles each"
    more = f"; {cut} boxes are larger than that and may be cut" if cut else ""
    count = f"{found.needed:,} of {tiles.side} x {tiles.side} pixels"
    return [Decision("tiles", count, why + more, flagged=cut > 0.02 * len(pixels))]


_A = {False: "an image", True: "a tile"}
_STANDS = {"retina": "anchors as boxes usually are", "points": "middles of boxes, for many things of like sizes"}
_FLIPS = {"none": "", "horizontal": ", mirror images", "both": ", mirror images, also upside down"}


def _images_near(table: Path) -> str:
    """Where images lie, for an annotation file that has none beside it or below: the folder above; else empty."""
    here = table.parent
    return "" if files_below(here, SUFFIXES).files else str(here.parent)


def _mended(source: BoxesSource, marked: Marked) -> tuple[BoxesSource, list[Decision]]:
    """The source that mends boxes, and what is wrong with them, where something is."""
    outside = sum(box.outside for _, boxes in marked for box in boxes)
    empty = sum(box.empty for _, boxes in marked for box in boxes)
    if not outside and not empty:
        return source, []
    wrong = [f"{outside} reach out of the image"] if outside else []
    wrong += [f"{empty} have no height or width"] if empty else []
    told = Decision("boxes", "cut at the edge, empty ones left out", "; ".join(wrong), flagged=True)
    return source.model_copy(update={"mend": True}), [told]


def _sample(marked: Marked) -> tuple[list[FileFacts], bool, str, str]:
    """What some files hold, whether there are colours, and how images may be mirrored, with the evidence."""
    chosen = np.random.default_rng(0).permutation(len(marked))[:SAMPLE]
    facts, brightest, colours, parts, names = [], [], 0, [], []
    for file, boxes in (marked[i] for i in chosen):
        picture, found = open_image(file.read_bytes(), str(file), "RGB")
        facts.append(found)
        brightest.append(int(np.asarray(picture).max()))
        small = np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR), np.float32)
        colours += bool(np.ptp(small, axis=2).max() > 8)
        grey = picture.convert("L")
        for box in boxes[:40]:
            sides = (box.left * grey.width, box.top * grey.height, box.right * grey.width, box.bottom * grey.height)
            cut = grey.crop(tuple(round(side) for side in sides))
            if min(cut.size) > 1:
                parts.append(np.asarray(cut.resize((THUMB, THUMB), Image.Resampling.BILINEAR), np.float32))
                names.append(box.name)
    refuse_unused_bits(facts, brightest)
    flip, why = _flips(parts, names)
    return facts, colours >= USUAL * len(facts), flip, why


def _flips(parts: list[np.ndarray], names: list[str]) -> tuple[str, str]:
    if not parts:
        return "none", "too little in the boxes to tell"
    thumbs, labels = np.stack(parts), np.array(names)
    across, down = (told_from_mirror(one, labels) for one in (thumbs, thumbs.transpose(0, 2, 1)))
    if across >= MIRRORED and len(set(names)) > 1:  # of one class, a mirror image is still of that class
        return "none", "what is in boxes differs from its mirror image, or is too little to tell"
    if down >= MIRRORED:
        return "horizontal", "what is in boxes has an upper side"
    return "both", "what is in boxes looks alike whichever way it is turned"


def _split(source: BoxesSource, marked: Marked) -> tuple[Config, Decision]:
    """As the folders say, or by hash."""
    root = local(source.folder) if source.folder else local(source.path)
    root = root if root.is_dir() else root.parent
    named = [(file.relative_to(root), boxes) for file, boxes in marked]
    if source.splits():
        told = Decision("split", "as given", f"folders {', '.join(source.splits())}")
        return _given(source, [one for one in named if NAMES.get(one[0].parts[0].lower()) == "train"]), told
    parts = Shares(train=0.7, val=0.15, test=0.15) if len(marked) < FEW else Shares()
    by = ByHash(shares=parts, salt=_salt(named, parts)[0], key=source.photo if source.tiles else None)
    return by, Decision("split", "by hash of the file's name", parts.words)


def _given(source: BoxesSource, train: Marked) -> AsGiven:
    """The folders, and what is cut off ``train`` for those that are not there; tiles of a photograph go together."""
    plan, there = AsGiven(), source.splits()
    lacking = {name: getattr(plan, name) for name in ("val", "test") if name not in there}
    if not lacking:
        return plan
    shares = {"val": 0.0, "test": 0.0, **lacking}
    salt, counts = _salt(train, Shares(train=1 - sum(lacking.values()), **shares))
    if source.tiles and not all(counts[name] for name in ("train", *lacking)):
        raise ConfigError(
            f"{len(train)} photographs in train, and no folder {' or '.join(lacking)}",
            f"photographs for train and {' and '.join(lacking)}, of which each is in one of them alone",
            f"make a folder {' and '.join(lacking)} beside it, or bring more photographs",
        )
    return AsGiven(salt=salt)


def _salt(named: Marked, parts: Shares) -> tuple[int, dict[str, int]]:
    """The first salt by which every class is learned from and most are judged, and images of each split by it."""
    from kilnworks.components.sources.splitting.hashing import hash_rows, unit_interval

    keys = pl.DataFrame({"key": [file.as_posix() for file, _ in named]}, {"key": pl.String})
    best, counts = (0, -math.inf), dict.fromkeys(SPLITS, 0)
    for salt in range(SALTS):
        place = unit_interval(hash_rows(keys, ("key",), salt))
        code = np.searchsorted([parts.train, parts.train + parts.val], place, side="right")
        boxes = [[box.name for i in np.flatnonzero(code == part) for box in named[i][1]] for part in range(3)]
        seen = [len(set(names)) for names in boxes]
        near = -max(
            abs(float((code == i).mean()) - share) for i, share in enumerate((parts.train, parts.val, parts.test))
        )
        value = 1000 * seen[0] + 10 * min(seen[1:]) + max(seen[1:]) + near
        if value > best[1]:
            best, counts = (salt, value), {name: int((code == i).sum()) for i, name in enumerate(SPLITS)}
    return best[0], counts


def _contract(
    name: str,
    source: BoxesSource,
    classes: list[str],
    shape: tuple[int, ...],
    most: int,
    facts: list[FileFacts],
    count: int,
) -> Contract:
    image: dict[str, Any] = {"dtype": "image", "shape": shape, "min": 0, "max": 255, "severity": "warning"}
    label = {"name": source.boxes, "dtype": "boxes", "boxes": min(2000, round(1.25 * most) + 1), "classes": classes}
    return Contract.model_validate(
        {
            "name": name,
            "description": f"{count:,} images with boxes from {source}.",
            "key": source.file,
            "features": {source.image: image},
            "label": label,
            "checks": list(file_checks(source.image, facts, shape[2])),
        }
    )
