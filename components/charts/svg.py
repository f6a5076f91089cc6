"""Elements of SVG as text, escaped, and the theme that charts share."""

from functools import cache
from html import escape
from pathlib import Path

THEME = Path(__file__).parent / "assets" / "charts.css"


def number(value: float) -> str:
    """A coordinate with one decimal and no trailing zero."""
    return f"{value:.1f}".removesuffix(".0")


def element(name: str, content: str = "", /, **attributes: str | float) -> str:
    """One element. ``content`` is SVG already; attributes are escaped, ``_`` in their names becomes ``-``.

    A trailing underscore keeps Python's words usable: ``class_="axis"``.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value if isinstance(value, str) else number(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(x: float, y: float, words: str, class_: str = "tick", anchor: str = "start", **more: str | float) -> str:
    """Words at a place; ``anchor`` is start, middle or end."""
    return element("text", escape(words), x=x, y=y, class_=class_, text_anchor=anchor, **more)


def titled(drawn: str, words: str) -> str:
    """A drawing with a tooltip."""
    return f"<g>{element('title', escape(words))}{drawn}</g>"


def path(points: list[tuple[float, float]], *, closed: bool = False) -> str:
    """The ``d`` of a polyline."""
    joined = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return f"M{joined}Z" if closed else f"M{joined}"


def image(
    content: str, width: float, height: float, description: str, class_: str = "chart", *, least: float = 0.0
) -> str:
    """The whole picture. ``description`` is read aloud by a screen reader.

    It takes the room that it finds, down to ``least`` times its own width; below that its surroundings scroll.
    """
    size = f"{number(width)} {number(height)}"
    limits = f"max-width:{number(width * 1.35)}px" + (f";min-width:{number(width * least)}px" if least else "")
    opened = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{escape(class_)}" viewBox="0 0 {size}" '
        f'style="{limits}" role="img" aria-label="{escape(description)}">'
    )
    return f"{opened}{content}</svg>"


@cache
def theme() -> str:
    """The style sheet of the charts: colours by CSS variables, for light and for dark."""
    return THEME.read_text(encoding="utf-8")


def standalone(picture: str) -> str:
    """A picture of ``image`` with the theme inside, for a file of its own."""
    head, _, rest = picture.partition(">")
    back = element("rect", width="100%", height="100%", class_="paper")
    return f"{head}>{element('style', theme())}{back}{rest}"


def short(words: str, limit: int) -> str:
    """Words cut to ``limit`` characters with an ellipsis."""
    return words if len(words) <= limit else words[: max(limit - 1, 1)] + "…"
