"""Fetch what the pipeline ``trees`` learns from: aerial photographs in which the crowns of trees were boxed.

usage: python data/make_trees.py [OUT]     (needs pip with a package index; OUT defaults to this folder)

trees/train, trees/val, trees/test   parts of four photographs of the National Ecological Observatory Network (NEON) at
                                     0.1 m a pixel, as PNG, from the package ``deepforest``
trees/boxes.csv                      the box of each crown, in pixels

The two large photographs are cut from top to bottom, so that what is judged is another part of a forest that is learned
from. Two small ones are of forests elsewhere.
"""

import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from make_groceries import fetched
from PIL import Image

PACKAGE = "deepforest==2.1.0"
PARTS: dict[str, tuple[tuple[str, int, int | None], ...]] = {
    "2019_YELL_2_528000_4978000_image_crop2": (("train", 0, 1800), ("val", 1800, None)),
    "2019_YELL_2_541000_4977000_image_crop": (("train", 0, 700), ("test", 700, None)),
    "OSBS_029": (("train", 0, None),),
    "SOAP_061": (("train", 0, None),),
}
"""Of each photograph the splits, and between which pixels from its left they lie."""
SIDES = ("xmin", "ymin", "xmax", "ymax")


def boxes_of(file: Path) -> list[list[float]]:
    """Sides of each crown, clockwise from the left; dead trees are trees."""
    objects = ElementTree.parse(file).getroot().iter("object")
    return [[float(one.findtext(f"bndbox/{side}") or "nan") for side in SIDES] for one in objects]


def trees(out: Path, folder: Path) -> None:
    """Photographs in folders by split, and one table of boxes; a crown on the cut belongs to where its middle lies."""
    lines = ["image,xmin,ymin,xmax,ymax,label"]
    for stem, parts in PARTS.items():
        photo = Image.open(fetched(PACKAGE, f"deepforest/data/{stem}.png", folder)).convert("RGB")
        boxes = boxes_of(fetched(PACKAGE, f"deepforest/data/{stem}.xml", folder))
        for split, left, end in parts:
            right = photo.width if end is None else end
            name = f"{split}/{stem}.png"
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            photo.crop((left, 0, right, photo.height)).save(out / name)
            own = [box for box in boxes if left <= (box[0] + box[2]) / 2 < right]
            lines += [f"{name},{x - left:g},{y:g},{a - left:g},{b:g},tree" for x, y, a, b in own]
    (out / "boxes.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    target = (Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent) / "trees"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        trees(target, Path(scratch))
