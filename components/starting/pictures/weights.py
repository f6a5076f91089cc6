"""Weights of a network that has learned to see, where a project has them."""

from __future__ import annotations

from kilnworks.schemas.code import Bytes
from kilnworks.schemas.places import project_root

FILE = "weights/mobilenet_v2.pth"
"""torchvision's, below the project folder."""
PHOTOGRAPH = 96
"""Median side from which on coloured images are taken for photographs, in pixels."""
FEWEST = 20_000
"""Images up to which a network of one's own is usually worse."""


def weights_at_hand() -> Bytes | None:
    """Torchvision's MobileNetV2; None where the project has it not."""
    place = project_root() / FILE
    return Bytes(path=str(place)) if place.is_file() else None


def hint() -> str:
    """What would be better, for people."""
    return f"; with {FILE} in the project, it would learn on top of ImageNet (docs/images.md)"
