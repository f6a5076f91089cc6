"""A line as high as a word: how one share went over the last runs."""

from collections.abc import Sequence

from kilnworks.components.charts import svg
from kilnworks.components.charts.scale import Scale
from kilnworks.schemas.words import figure

WIDTH, HEIGHT, PAD = 120.0, 24.0, 3.0


def sparkline(values: Sequence[float | None], names: Sequence[str], what: str) -> str:
    """Shares [n] from the oldest run to this one, gaps where None; the last is a dot. Empty with fewer than two.

    The axis begins at 0 and ends at the highest share, at least one in a hundred. ``names`` are the runs'.
    """
    known = [(i, v) for i, v in enumerate(values) if v is not None]
    if len(known) < 2:
        return ""
    x = Scale(0, max(len(values) - 1, 1), PAD, WIDTH - PAD)
    y = Scale(0, max(0.01, *(v for _, v in known)), HEIGHT - PAD, PAD)
    points = [(x(i), y(v)) for i, v in known]
    words = ", ".join(f"{names[i]}: {v:.2%}" for i, v in known)
    base = svg.element(
        "line", x1=PAD, x2=WIDTH - PAD, y1=HEIGHT - PAD, y2=HEIGHT - PAD, stroke="currentColor", opacity=0.25
    )
    line = svg.element("path", d=svg.path(points), fill="none", stroke="currentColor", stroke_width=1.5)
    dot = svg.element("circle", cx=points[-1][0], cy=points[-1][1], r=2.5, fill="currentColor")
    return svg.image(svg.titled(base + line + dot, words), WIDTH, HEIGHT, f"{what}: {words}", "chart inline")


def trend(values: Sequence[float | None], names: Sequence[str], what: str) -> str:
    """Numbers [n] of any size from the oldest run to the newest, gaps where None; the last is a dot.

    The axis goes from the lowest to the highest. Empty with fewer than two. ``names`` are the runs'.
    """
    known = [(i, v) for i, v in enumerate(values) if v is not None]
    if len(known) < 2:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    middle = (low - 0.5, high + 0.5) if low == high else (low, high)
    x, y = Scale(0, len(values) - 1, PAD, WIDTH - PAD), Scale(*middle, HEIGHT - PAD, PAD)
    points = [(x(i), y(v)) for i, v in known]
    words = ", ".join(f"{names[i]}: {figure(v)}" for i, v in known)
    line = svg.element("path", d=svg.path(points), fill="none", stroke="currentColor", stroke_width=1.5)
    dot = svg.element("circle", cx=points[-1][0], cy=points[-1][1], r=2.5, fill="currentColor")
    return svg.image(svg.titled(line + dot, words), WIDTH, HEIGHT, f"{what}: {words}", "chart inline")
