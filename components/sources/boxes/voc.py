"""Boxes in XML as PASCAL VOC and the tools after it write them, one file an image (Everingham et al. 2010)."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

from kilnworks.components.sources.boxes.drawn import Annotated, PixelBox
from kilnworks.components.sources.paths import listed
from kilnworks.schemas.errors import DataUnreadable

LARGEST = 20 * 2**20
"""Bytes of a file that is read."""


def read_voc(files: list[Path]) -> list[Annotated]:
    """The images, in the order of the files. An image without ``object`` has no boxes.

    Raises:
        DataUnreadable: naming the files that are broken, all at once.
    """
    found, broken = [], []
    for file in files:
        try:
            found.append(_read(file))
        except ValueError as error:
            broken.append(f"{file}: {error}")
    if broken:
        raise DataUnreadable(
            listed(broken, "; "), "XML of PASCAL VOC: annotation, object, name and bndbox", "replace or remove them"
        )
    return found


def _read(file: Path) -> Annotated:
    content = file.read_bytes()
    if len(content) > LARGEST:
        raise ValueError(f"has {len(content):,} bytes")
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("has a document type, which is not read")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError) as error:  # the latter of an encoding that there is not
        raise ValueError(f"is no XML ({error})") from None
    if root.tag != "annotation":
        raise ValueError(f"begins with <{root.tag}>, not <annotation>")
    name = (root.findtext("filename") or "").strip() or file.stem
    boxes = [_box(one) for one in root.iter("object")]
    return Annotated(name, boxes, _positive(root, "size/height"), _positive(root, "size/width"), file.parent)


def _box(one: ElementTree.Element) -> PixelBox:
    name, box = (one.findtext("name") or "").strip(), one.find("bndbox")
    if not name or box is None:
        raise ValueError("has an object without name or bndbox")
    return PixelBox(name, *(_number(box, side) for side in ("xmin", "ymin", "xmax", "ymax")))


def _number(box: ElementTree.Element, side: str) -> float:
    text = box.findtext(side)
    try:
        value = float(text or "")
    except ValueError:
        raise ValueError(f"has {text!r} for {side}") from None
    if not math.isfinite(value):
        raise ValueError(f"has {text!r} for {side}")
    return value


def _positive(root: ElementTree.Element, path: str) -> float:
    try:
        return max(0.0, float(root.findtext(path) or 0))
    except ValueError:
        return 0.0
