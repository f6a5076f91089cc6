"""Files of 16 bits of which a camera used 12 or fewer: their upper byte, which is what counts, says next to nothing."""

from collections.abc import Sequence

from kilnworks.components.sources.images import FileFacts
from kilnworks.schemas.errors import DataUnreadable

LEVELS = 32
"""Of 256 grey levels, so many have to be left; a camera of 12 bits leaves 16."""


def refuse_unused_bits(facts: Sequence[FileFacts], brightest: Sequence[int]) -> None:
    """Raise ``DataUnreadable`` where most files of 16 bits would become nearly black.

    Args:
        facts: of some files.
        brightest: the brightest pixel of each once it has 8 bits, 0 to 255.
    """
    deep = sorted(top for one, top in zip(facts, brightest, strict=True) if one.dtype == "uint16")
    if not deep or deep[len(deep) // 2] >= LEVELS - 1:
        return
    usual, most = deep[len(deep) // 2] + 1, deep[-1] * 256 + 255
    raise DataUnreadable(
        f"{len(deep)} of {len(facts)} opened images have 16 bits and no pixel above {most:,} of 65,535; "
        f"brought to 8 bits, {usual} of 256 grey levels would be left",
        f"16 bits that are used (at least {LEVELS} grey levels), or 8 bits",
        "divide the pixels by the largest value that your camera gives, times 255, and write files of 8 bits; "
        "what is sent to the served model is scaled the same way",
    )
