"""The graph of a run: a box a step, from left to right, an arrow for every artifact handed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kilnworks.components.charts import svg

BOX_WIDTH, BOX_HEIGHT = 134.0, 78.0
GAP_X, GAP_Y = 34.0, 26.0
LANE = 11.0


@dataclass(frozen=True)
class Node:
    """One step as drawn: ``outcome`` decides colour and mark; ``lines`` are the two small lines under the name."""

    name: str
    outcome: str
    lines: tuple[str, str]
    note: str = ""


MARKS = {"done": "✓", "cached": "↺", "skipped": "–", "failed": "✕", "running": "▸", "waiting": "·"}


def layers(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Column of each step: one more than the furthest of those it takes from. ``names`` come inputs first."""
    column: dict[str, int] = {}
    for name in names:
        column[name] = max((column[a] + 1 for a, b in edges if b == name and a in column), default=0)
    return column


def lineage(nodes: Sequence[Node], edges: Sequence[tuple[str, str, bool]]) -> str:
    """The picture; ``edges`` are (from, to, assumed) by name, those to unknown names are left out.

    An assumed edge, one that nobody recorded, is dashed.
    """
    names = [node.name for node in nodes]
    dashed = {(a, b) for a, b, assumed in edges if assumed}
    pairs = dict.fromkeys((a, b) for a, b, _ in edges)
    kept = [(a, b) for a, b in pairs if a in names and b in names and names.index(a) < names.index(b)]
    column = layers(names, kept)
    rows: dict[int, list[str]] = {}
    for name in names:
        rows.setdefault(column[name], []).append(name)
    far = [(a, b) for a, b in kept if column[b] - column[a] > 1]
    top = 8 + LANE * len(far) + (6 if far else 0)
    tallest = max(len(r) for r in rows.values())
    middle = top + tallest * (BOX_HEIGHT + GAP_Y) / 2 - GAP_Y / 2
    place = {
        name: (
            4 + c * (BOX_WIDTH + GAP_X),
            middle - (len(r) * (BOX_HEIGHT + GAP_Y) - GAP_Y) / 2 + i * (BOX_HEIGHT + GAP_Y),
        )
        for c, r in rows.items()
        for i, name in enumerate(r)
    }
    drawn = [_near(place[a], place[b], dashed=(a, b) in dashed) for a, b in kept if (a, b) not in far]
    drawn += _far(far, column, place, top)
    drawn += [_box(node, *place[node.name]) for node in nodes]
    width = 8 + (max(column.values()) + 1) * (BOX_WIDTH + GAP_X) - GAP_X
    height = top + tallest * (BOX_HEIGHT + GAP_Y) - GAP_Y + 8
    return svg.image(
        "".join(drawn), width, height, "steps of the run and what they hand on", "chart lineage", least=0.72
    )


def _near(a: tuple[float, float], b: tuple[float, float], *, dashed: bool) -> str:
    """A curve from the right side of one box to the left side of the next."""
    x0, y0 = a[0] + BOX_WIDTH, a[1] + BOX_HEIGHT / 2
    x1, y1 = b[0] - 5, b[1] + BOX_HEIGHT / 2
    half = (x1 - x0) / 2
    n = svg.number
    d = f"M{n(x0)} {n(y0)}C{n(x0 + half)} {n(y0)} {n(x1 - half)} {n(y1)} {n(x1)} {n(y1)}"
    return svg.element("path", d=d, class_="edge dashed" if dashed else "edge") + _arrow(x1, y1)


def _far(
    edges: Sequence[tuple[str, str]],
    column: Mapping[str, int],
    place: Mapping[str, tuple[float, float]],
    top: float,
) -> list[str]:
    """Edges over several columns: each in a lane of its own above the boxes, the longest outside."""
    drawn = []
    ordered = sorted(edges, key=lambda e: column[e[1]] - column[e[0]])
    leaving: dict[str, int] = {}
    arriving: dict[str, int] = {}
    for i, (a, b) in enumerate(ordered):
        lane = top - LANE * (i + 1)
        out, into = leaving.get(a, 0), arriving.get(b, 0)
        leaving[a], arriving[b] = out + 1, into + 1
        x0 = place[a][0] + BOX_WIDTH - 12 - 9 * out
        x1 = place[b][0] + 14 + 9 * into
        y0, y1 = place[a][1], place[b][1]
        r, n = 5.0, svg.number
        d = (
            f"M{n(x0)} {n(y0)}V{n(lane + r)}Q{n(x0)} {n(lane)} {n(x0 + r)} {n(lane)}"
            f"H{n(x1 - r)}Q{n(x1)} {n(lane)} {n(x1)} {n(lane + r)}V{n(y1 - 5)}"
        )
        drawn.append(svg.element("path", d=d, class_="edge"))
        drawn.append(_arrow(x1, y1 - 5, down=True))
    return drawn


def _arrow(x: float, y: float, *, down: bool = False) -> str:
    points = [(x - 4, y), (x + 4, y), (x, y + 5)] if down else [(x, y - 4), (x, y + 4), (x + 5, y)]
    return svg.element("path", d=svg.path(points, closed=True), class_="arrow")


def _box(node: Node, x: float, y: float) -> str:
    drawn = svg.element("rect", x=x, y=y, width=BOX_WIDTH, height=BOX_HEIGHT, rx=7, class_=f"node {node.outcome}")
    drawn += svg.element("rect", x=x + 10, y=y + 12, width=16, height=16, rx=8, class_=f"badge {node.outcome}")
    drawn += svg.text(x + 18, y + 24, MARKS.get(node.outcome, "·"), "small on", "middle")
    drawn += svg.text(x + 33, y + 25, svg.short(node.name, 13), "name")
    drawn += svg.text(x + 11, y + 47, node.lines[0], "small")
    drawn += svg.text(x + 11, y + 65, node.lines[1], "mono")
    return svg.titled(drawn, f"{node.name}: {node.outcome}{'; ' + node.note if node.note else ''}")
