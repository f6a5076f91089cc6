"""How boxes in an image are written in one cell of a label, whatever file they came from.

::

    {"outside": 0, "empty": 0, "boxes": [["cat", 0.125000, 0.250000, 0.500000, 0.750000]]}

Class, top, left, bottom, right: in shares of the height and width of the image, 0 to 1 from its top left corner, with
six digits. In front stands how many boxes reach out of the image, and how many have no height or width, so that a
pattern can say that there is none. Without blanks in the cell; a row without boxes has an empty list.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MOST_BOXES = 100
"""Boxes of a row at most, where a contract does not say it."""
SHARE = r"(?:0\.\d{6}|1\.000000)"


class Box(NamedTuple):
    """One thing in an image: its class, and its sides in shares of height and width."""

    name: str
    top: float
    left: float
    bottom: float
    right: float

    @property
    def outside(self) -> bool:
        """Whether it reaches out of the image, or is nowhere."""
        return not all(0 <= round(side, 6) <= 1 for side in self[1:])

    @property
    def empty(self) -> bool:
        """Whether its height or width is 0 or less."""
        return not (round(self.bottom - self.top, 6) > 0 and round(self.right - self.left, 6) > 0)

    def clipped(self) -> "Box":
        """Cut at the edges of the image."""
        return Box(self.name, *(min(1.0, max(0.0, side)) for side in self[1:]))


def written(boxes: Iterable[Box]) -> str:
    """The cell of a row."""
    known = list(boxes)
    head = f'{{"outside":{sum(b.outside for b in known)},"empty":{sum(b.empty for b in known)},"boxes":['
    return (
        head
        + ",".join(f"[{_named(b.name)},{','.join(f'{round(side, 6) + 0.0:.6f}' for side in b[1:])}]" for b in known)
        + "]}"
    )


def read(text: str) -> list[Box]:
    """The boxes of a cell, or of a JSON list of ``[class, top, left, bottom, right]``.

    Raises:
        ValueError: it is no such text.
    """
    found = json.loads(text)
    if isinstance(found, dict):
        found = found.get("boxes")
    if not isinstance(found, list):
        raise ValueError("no list of boxes")
    return [_box(one) for one in found]


def _box(one: object) -> Box:
    if not isinstance(one, list) or len(one) != 5:
        raise ValueError("a box is [class, top, left, bottom, right]")
    sides = one[1:]
    if one[0] is None:
        raise ValueError("a box has no class")
    if not all(isinstance(side, int | float) and not isinstance(side, bool) and math.isfinite(side) for side in sides):
        raise ValueError("sides of a box are finite numbers")
    return Box(str(one[0]), *(float(side) for side in sides))


def box_patterns(classes: Sequence[str]) -> tuple[str, str, str]:
    """Patterns of cells whose boxes are inside of the image, have an area, and are of these classes."""
    one = "|".join(re.escape(_named(name)) for name in classes)
    box = rf"\[(?:{one}),[^,\]]+,[^,\]]+,[^,\]]+,[^,\]]+\]"
    front = r"^\{\"outside\":"
    return (
        rf"{front}0,",
        rf"{front}\d+,\"empty\":0,",
        rf"{front}\d+,\"empty\":\d+,\"boxes\":\[(?:{box}(?:,{box})*)?\]\}}$",
    )


def box_pattern(classes: Sequence[str]) -> str:
    """What a cell looks like that keeps all of the rules."""
    one = "|".join(re.escape(_named(name)) for name in classes)
    box = rf"\[(?:{one})(?:,{SHARE}){{4}}\]"
    return rf"^\{{\"outside\":0,\"empty\":0,\"boxes\":\[(?:{box}(?:,{box})*)?\]\}}$"


def _named(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
