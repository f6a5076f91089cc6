"""Texts of contracts and data that pass through somebody else's renderer and come out as text, never as markup.

Great Expectations puts some values into its pages as they are, and escapes others. So the characters that have a
meaning in HTML travel as characters of the private use area, and become entities, once, in the page that was rendered.
"""

from __future__ import annotations

import html
from typing import Any

CARRIERS = {character: chr(0xF600 + place) for place, character in enumerate("<>&\"'`")}
"""Character -> what stands for it on the way."""
_AWAY = str.maketrans(CARRIERS)
_BACK = str.maketrans({carrier: html.escape(c) if c != "`" else "&#x60;" for c, carrier in CARRIERS.items()})


def carried(value: Any) -> Any:
    """A tree of plain values, its texts and keys safe for any renderer.

    >>> carried(["<b>", {"n": 1}])[0] == "<b>"
    False
    """
    if isinstance(value, str):
        return value.translate(_AWAY)
    if isinstance(value, list | tuple):
        return [carried(item) for item in value]
    return {carried(key): carried(item) for key, item in value.items()} if isinstance(value, dict) else value


def arrived(page: str) -> str:
    """The rendered page with each character that travelled as its entity.

    >>> arrived(f"<p>{carried('<script>')}</p>")
    '<p>&lt;script&gt;</p>'
    """
    return page.translate(_BACK)
