"""Which part of a photograph a row is: ``meadow.png#xywh=400,0,400,400``.

The words behind ``#`` are those of W3C's Media Fragments URI 1.0: left, top, width and height in pixels.
"""

import re
from typing import NamedTuple

PLACE = r"#xywh=(\d+),(\d+),(\d+),(\d+)"
FRAGMENT = re.compile(rf"(?P<photo>.*){PLACE}", re.DOTALL)


class Tile(NamedTuple):
    """A part of a photograph, in pixels from its top left corner; it may reach beyond a photograph that is smaller."""

    photo: str
    left: int
    top: int
    width: int
    height: int

    def __str__(self) -> str:
        """As it is written into the column of files."""
        return f"{self.photo}#xywh={self.left},{self.top},{self.width},{self.height}"


def read_tile(text: str) -> Tile | None:
    """The part of a photograph that a text names; None where it names none."""
    hit = FRAGMENT.fullmatch(text)
    return Tile(hit["photo"], *map(int, hit.groups()[1:])) if hit else None
