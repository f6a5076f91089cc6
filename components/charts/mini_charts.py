"""Small pictures inside text: a feature's histogram, its frequent values, an interval on a line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kilnworks.components.charts import svg
from kilnworks.components.charts.scale import Scale, label

WIDTH, HEIGHT = 300.0, 96.0


@dataclass(frozen=True)
class Bins:
    """Rows by value: ``edges`` rising, [n + 1]; ``counts`` [n]."""

    edges: Sequence[float]
    counts: Sequence[float]


def histogram(series: Sequence[tuple[str, Bins]], unit: str = "", words: Callable[[float], str] = label) -> str:
    """Density by value; the first series as bars, the others as stepped outlines, each over bins of its own.

    Args:
        series: (name, bins); at least one.
        unit: written at the right end of the axis.
        words: turns an end of the axis into text.
    """
    low = min(bins.edges[0] for _, bins in series)
    high = max(bins.edges[-1] for _, bins in series)
    single = low == high
    x = Scale(low - single, high + single, 4, WIDTH - 4)
    spread = [(name, _density(bins, x.high - x.low)) for name, bins in series]
    y = Scale(0, max((d for _, steps in spread for _, _, d in steps), default=0) or 1, HEIGHT - 20, 6)
    drawn = [svg.element("line", x1=4, x2=WIDTH - 4, y1=y(0), y2=y(0), class_="axis")]
    for i, (name, steps) in enumerate(spread):
        if i == 0:
            total = sum(series[0][1].counts) or 1
            shares = [c / total for c in series[0][1].counts]
            drawn += [
                _bar(x(a), x(b), y(d), y(0), f"{words(a)} to {words(b)}: {share:.1%} of {name}")
                for (a, b, d), share in zip(steps, shares, strict=True)
                if d > 0
            ]
        elif steps:
            drawn.append(_outline(steps, x, y, i + 1))
    right = f"{words(high)} {unit}".strip()
    if single:
        drawn.append(svg.text(WIDTH / 2, HEIGHT - 5, right, "small", "middle"))
    else:
        drawn.append(svg.text(4, HEIGHT - 5, words(low), "small"))
        drawn.append(svg.text(WIDTH - 4, HEIGHT - 5, right, "small", "end"))
    return svg.image("".join(drawn), WIDTH, HEIGHT, "histogram", "chart spark")


def _density(bins: Bins, span: float) -> list[tuple[float, float, float]]:
    """(left, right, share of the rows by width of the bin); a bin without width gets a fortieth of the axis."""
    total = sum(bins.counts) or 1
    steps = []
    for left, right, count in zip(bins.edges, bins.edges[1:], bins.counts, strict=False):
        pad = span / 80 if right == left else 0.0
        steps.append((left - pad, right + pad, count / total / ((right - left + 2 * pad) / span)))
    return steps


def top_values(rows: Sequence[tuple[str, Sequence[float]]], names: Sequence[str]) -> str:
    """Frequent values with the share of each split: ``rows`` is (value, shares [len(names)])."""
    height = 19.0
    highest = max((max(shares, default=0) for _, shares in rows), default=0) or 1
    drawn = []
    for i, (value, shares) in enumerate(rows):
        y = i * height
        scale = Scale(0, highest, 120, WIDTH - 46)
        drawn.append(svg.text(114, y + 13, svg.short(value, 17), "small strong", "end"))
        if shares:
            bar = svg.element(
                "rect", x=120, y=y + 4, width=max(scale(shares[0]) - 120, 1), height=11, rx=1.5, class_="bar s1"
            )
            drawn.append(
                svg.titled(bar, f"{value}: " + ", ".join(f"{n} {s:.1%}" for n, s in zip(names, shares, strict=False)))
            )
            drawn.append(svg.text(max(scale(s) for s in shares) + 6, y + 13, f"{shares[0]:.1%}", "small"))
        for place, share in enumerate(shares[1:], start=2):
            at = scale(share)
            drawn.append(svg.element("line", x1=at, x2=at, y1=y + 2, y2=y + 17, class_=f"whisker s{place}"))
    return svg.image("".join(drawn), WIDTH, max(len(rows), 1) * height + 2, "frequent values", "chart spark")


def interval(
    value: float, low: float, high: float, domain: tuple[float, float], limit: float | None, passed: bool
) -> str:
    """A dot with its interval on a line over ``domain``; ``limit`` is the gate's, drawn as an upright mark."""
    width, height = 220.0, 22.0
    scale = Scale(*domain, 6, width - 6)
    mid = height / 2

    def inside(v: float) -> float:
        return min(max(scale(v), 6), width - 6)

    colour = "s1" if limit is None else "done" if passed else "failed"
    drawn = [
        svg.element("line", x1=6, x2=width - 6, y1=mid, y2=mid, class_="grid"),
        svg.element("line", x1=inside(low), x2=inside(high), y1=mid, y2=mid, class_=f"whisker wide {colour}"),
        svg.element("circle", cx=inside(value), cy=mid, r=4.5, class_=f"dot {colour}"),
    ]
    if limit is not None:
        at = inside(limit)
        drawn.append(svg.element("line", x1=at, x2=at, y1=3, y2=height - 3, class_="mark"))
    return svg.image(
        "".join(drawn), width, height, f"{label(value)}, 95 % interval {label(low)} to {label(high)}", "chart inline"
    )


def _bar(x0: float, x1: float, top: float, bottom: float, words: str) -> str:
    gap = 0.5 if x1 - x0 > 3 else 0.0
    rect = svg.element(
        "rect", x=x0 + gap, y=top, width=max(x1 - x0 - 2 * gap, 0.5), height=bottom - top, class_="bar s1 over"
    )
    return svg.titled(rect, words)


def _outline(steps: Sequence[tuple[float, float, float]], x: Scale, y: Scale, series: int) -> str:
    points = [(x(steps[0][0]), y(0))]
    for left, right, density in steps:
        points += [(x(left), y(density)), (x(right), y(density))]
    points.append((x(steps[-1][1]), y(0)))
    return svg.element("path", d=svg.path(points), class_=f"line thin s{series}")
