"""Where a model of images looks, and how pictures were changed while it learned, of ``looks.json``."""

import re
from collections.abc import Mapping
from typing import Any

from kilnworks.schemas.json_values import as_dict, as_list, as_number

PICTURE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+")


def looks(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Pairs of pictures with a line each, and the sheet of changes; None where there is neither."""
    heat = [_pair(as_dict(one)) for one in as_list(found.get("heat"))]
    changes = as_dict(found.get("changes"))
    rows = [[_url(one) for one in as_list(row)] for row in as_list(changes.get("rows"))]
    columns = [str(name) for name in as_list(changes.get("columns"))]
    drawn = [_drawn(as_dict(one)) for one in as_list(found.get("drawn"))]
    if not heat and not any(rows) and not drawn:
        return None
    return {"heat": heat, "columns": columns, "rows": rows, "drawn": drawn}


def _drawn(one: dict[str, Any]) -> dict[str, str]:
    """An image twice: with what is true, and with what was found."""
    return {"truth": _url(one.get("truth")), "found": _url(one.get("found")), "group": str(one.get("group")),
            "words": str(one.get("words"))}  # fmt: skip


def _pair(one: Mapping[str, Any]) -> dict[str, Any]:
    right, said, truth = bool(one.get("right")), str(one.get("said")), str(one.get("truth"))
    share = as_number(one.get("share")) or 0.0
    words = f"{said}, {share:.0%}" if right else f"{said}, {share:.0%}; it is {truth}"
    words += "" if one.get("seen", True) else "; nothing red"
    return {"picture": _url(one.get("picture")), "heat": _url(one.get("heat")), "words": words, "right": right}


def _url(value: Any) -> str:
    """The data of a picture, and nothing else that a page could load."""
    text = str(value)
    return text if PICTURE.fullmatch(text) else ""
