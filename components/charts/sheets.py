"""Small pictures in rows, each row with a few words in front of it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kilnworks.components.charts import svg
from kilnworks.schemas.json_values import as_number

WIDTH, TOP, GAP = 440.0, 34.0, 8.0
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
LETTER = 6.6
"""Room of a letter."""


def sheets(title: str, rows: Sequence[tuple[str, Mapping[str, Any]]], tallest: float = 120.0) -> str:
    """Strips of pictures as SVG; empty where none can be drawn.

    Args:
        title: above them.
        rows: words, and what ``judging.codes.strips.strip`` makes of pictures: ``png`` (base64), ``width``
            and ``height`` in pixels.
        tallest: height of a strip, at most.
    """
    known = [(words, one) for words, one in rows if _drawable(one)]
    if not known:
        return ""
    left = 14 + (LETTER * max(len(words) for words, _ in known) + GAP if any(words for words, _ in known) else 0)
    drawn, y = [svg.text(14, 18, title, "title")], TOP
    for words, one in known:
        wide, high = (as_number(one.get(side)) or 1.0 for side in ("width", "height"))
        scale = min((WIDTH - left - 14) / wide, tallest / high)
        drawn.append(svg.text(14, y + high * scale / 2 + 4, words, "small"))
        drawn.append(
            svg.element("image", x=left, y=y, width=wide * scale, height=high * scale,
                        href=f"data:image/png;base64,{one['png']}", style="image-rendering:pixelated")
        )  # fmt: skip
        y += high * scale + GAP
    return svg.image("".join(drawn), WIDTH, y, title)


def _drawable(one: Mapping[str, Any]) -> bool:
    return BASE64.fullmatch(str(one.get("png") or "")) is not None
