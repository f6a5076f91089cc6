"""Fetch what the pipeline ``trees`` learns from: aerial photographs in which the crowns of trees were boxed.

usage: python data/make_trees.py [OUT]     (needs pip with a package index; OUT defaults to this folder)

trees/train, trees/val, trees/test   four photographs of the National Ecological Observatory Network (NEON) at 0.1 m a
                                     pixel, as PNG, from the package ``deepforest``
trees/boxes.csv                      the box of each crown, in pixels

The largest photograph is cut in two, of which the right part validates; the test photograph shows another part of the
same forest. What is learned from forests elsewhere are two small ones.
"""

import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from make_groceries import fetched
from PIL import Image

PACKAGE = "deepforest==2.1.0"
LARGE, EDGE = "2019_YELL_2_528000_4978000_image_crop2", 1700
"""The photograph that is cut, and at which pixel from its left."""
OTHERS = {"OSBS_029": "train", "SOAP_061": "train", "2019_YELL_2_541000_4977000_image_crop": "test"}
SIDES = ("xmin", "ymin", "xmax", "ymax")


def boxes_of(file: Path) -> list[list[float]]:
    """Sides of each crown, clockwise from the left; dead trees are trees."""
    objects = ElementTree.parse(file).getroot().iter("object")
    return [[float(one.findtext(f"bndbox/{side}") or "nan") for side in SIDES] for one in objects]


def trees(out: Path, folder: Path) -> None:
    """Photographs in folders by split, and one table of boxes; a crown on the cut belongs to where its middle lies."""
    lines = ["image,xmin,ymin,xmax,ymax,label"]
    for stem in (LARGE, *OTHERS):
        photo = Image.open(fetched(PACKAGE, f"deepforest/data/{stem}.png", folder)).convert("RGB")
        boxes = boxes_of(fetched(PACKAGE, f"deepforest/data/{stem}.xml", folder))
        cuts = [("train", 0, EDGE), ("val", EDGE, photo.width)] if stem == LARGE else [(OTHERS[stem], 0, photo.width)]
        for split, left, right in cuts:
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
