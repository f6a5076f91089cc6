"""Boxes in one JSON file as COCO writes them: images, annotations, categories (Lin et al. 2014)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from kilnworks.components.sources.boxes.drawn import Annotated, PixelBox
from kilnworks.schemas.errors import DataUnreadable

KEYS = ("images", "annotations", "categories")
WANTED = "JSON of COCO: images, annotations with bbox [x, y, width, height], categories"


def read_coco(path: Path) -> list[Annotated]:
    """The images in the order of the file; crowds (``iscrowd``) are left out. An image may have no annotation.

    Raises:
        DataUnreadable: it is no such file, or an annotation names an image or a category that is none.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataUnreadable(f"{path} is no JSON ({error})", WANTED, "replace it") from None
    if not is_coco(content):
        raise DataUnreadable(f"{path} lacks one of {', '.join(KEYS)}", WANTED, "check which file it is")
    try:
        images = {one["id"]: _image(one) for one in content["images"]}
        names = {one["id"]: str(one["name"]) for one in content["categories"]}
        for one in content["annotations"]:
            if not one.get("iscrowd"):
                images[one["image_id"]].boxes.append(_box(names[one["category_id"]], one["bbox"]))
    except KeyError as error:
        raise DataUnreadable(f"{path}: something names {error}, which is not there", WANTED, "correct it") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise DataUnreadable(f"{path}: {error}", WANTED, "correct it") from None
    if not images:
        raise DataUnreadable(f"{path} has no image", WANTED, "check the path")
    return list(images.values())


def is_coco(content: Any) -> bool:
    """Whether the content of a JSON file is of that form."""
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in KEYS)


def _image(one: dict[str, Any]) -> Annotated:
    return Annotated(str(one["file_name"]), [], float(one.get("height") or 0), float(one.get("width") or 0))


def _box(name: str, sides: Any) -> PixelBox:
    x, y, wide, high = (float(side) for side in sides)
    if not all(map(math.isfinite, (x, y, wide, high))):
        raise ValueError(f"a bbox {sides} that is not finite")
    return PixelBox(name, x, y, x + wide, y + high)
