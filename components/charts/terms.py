"""Terms with how much each says: bars beside the words, the longest first."""

from collections.abc import Callable, Sequence

from kilnworks.components.charts import svg
from kilnworks.components.charts.scale import Scale
from kilnworks.schemas.words import signed as with_sign

WIDTH, ROW = 300.0, 18.0
BEGIN = 124.0
"""Where bars begin, in pixels; terms stand left of it."""
LETTERS = 17
"""Of a term, as many as there is room for."""


def terms(
    rows: Sequence[tuple[str, float]],
    title: str,
    series: int = 1,
    told: Callable[[float], str] = "{:+.2f}".format,
    *,
    signed: bool = True,
) -> str:
    """A bar a term.

    Args:
        rows: (term, effect); bars are as long as the size of the effect.
        title: what the picture shows, for those who hear it.
        series: colour, 1 or 2.
        told: how the effect is written.
        signed: whether effects below 0 are effects, too; else they have no bar, but a number.
    """
    sizes = [abs(effect) if signed else max(effect, 0.0) for _, effect in rows]
    longest = max(sizes, default=0) or 1
    scale = Scale(0, longest, BEGIN, WIDTH - 44)
    drawn = []
    for i, (term, effect) in enumerate(rows):
        y, end = i * ROW, scale(sizes[i])
        drawn.append(svg.text(BEGIN - 6, y + 13, svg.short(visible(term), LETTERS), "small strong", "end"))
        if signed or effect >= 0:
            bar = svg.element(
                "rect", x=BEGIN, y=y + 4, width=max(end - BEGIN, 1), height=11, rx=1.5, class_=f"bar s{series}"
            )
            drawn.append(svg.titled(bar, f"{visible(term)}: {with_sign(effect, 3)}"))
        drawn.append(svg.text(end + 5, y + 13, told(effect), "small"))
    return svg.image("".join(drawn), WIDTH, max(len(rows), 1) * ROW + 2, title, "chart spark")


def visible(term: str) -> str:
    """Spaces at the edges of an n-gram of characters as a mark: it begins or ends a word there."""
    begin = "\N{OPEN BOX}" if term.startswith(" ") else ""
    end = "\N{OPEN BOX}" if term.endswith(" ") and len(term) > 1 else ""
    return f"{begin}{term.strip()}{end}"
