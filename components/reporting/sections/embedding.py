"""Vectors of words that were learned: a map of the most frequent ones, and the nearest ones of some."""

from collections.abc import Mapping
from typing import Any

from kilnworks.components.charts import svg
from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.schemas.json_values import as_dict, as_list, as_number

HEIGHT = 430.0
LETTER, LINE = 5.4, 10.0
"""Room that a letter and a line of small words take, in drawing units."""


def embedding(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Map, table and a note, of what ``training.json`` holds; None where the model learned no vectors of words."""
    placed = [
        (str(word), x, y)
        for word, *at in map(as_list, as_list(found.get("map")))
        if len(at) == 2 and (x := as_number(at[0])) is not None and (y := as_number(at[1])) is not None
    ]
    if not placed:
        return None
    words, dimensions, share = (as_number(found.get(name)) or 0.0 for name in ("words", "dimensions", "share"))
    return {
        "map": word_map(placed),
        "note": f"{words:,.0f} words in {dimensions:,.0f} dimensions. The map shows the {len(placed)} most frequent "
        f"ones on the two directions in which they differ most, {share:.0%} of their variance; words without "
        f"room are dots.",
        "nearest": [_row(as_dict(one)) for one in as_list(found.get("nearest"))],
    }


def _row(one: Mapping[str, Any]) -> tuple[str, str]:
    """A word, and its neighbours in one line."""
    near = [as_list(pair) for pair in as_list(one.get("near"))]
    return str(one.get("word")), ", ".join(f"{word} {as_number(cosine) or 0:.2f}" for word, cosine in near)


def word_map(placed: list[tuple[str, float, float]]) -> str:
    """Words at their places as SVG; the more frequent ones come first and take the room."""
    across, up = [x for _, x, _ in placed], [y for _, _, y in placed]
    plot = Plot("Map of words", nice_domain(across), nice_domain(up), "first component", "second", height=HEIGHT)
    notes = [word for word, *_ in placed]
    dots = list(zip(across, up, strict=True))
    plot.points(dots, 1, notes, [0.0] * len(dots))
    taken: list[tuple[float, float, float, float]] = []
    drawn = []
    for word, (x, y) in zip(notes, plot.place(dots), strict=True):
        shown = svg.short(word, 16)
        room = (x + 4, y - LINE / 2, x + 4 + LETTER * len(shown), y + LINE / 2)
        if any(a < room[2] and room[0] < c and b < room[3] and room[1] < d for a, b, c, d in taken):
            continue
        taken.append(room)
        drawn.append(svg.text(x + 4, y + 3.5, shown, "small"))
    picture = plot.render()
    head, _, tail = picture.rpartition("</svg>")
    return f"{head}{''.join(drawn)}</svg>{tail}"
