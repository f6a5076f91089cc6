"""Lying bars by name, some beside one another in each row."""

from collections.abc import Sequence

from kilnworks.components.charts import svg
from kilnworks.components.charts.scale import Scale, label, nice_domain, ticks

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 440.0, 150.0, 14.0, 56.0, 30.0
THICK, APART = 11.0, 9.0


def bars(title: str, rows: Sequence[tuple[str, Sequence[float | None]]], series: Sequence[str]) -> str:
    """Bars from 0 to values of 0 or more.

    Args:
        title: what is shown, in a few words.
        rows: (name, a value for each series; None for no bar); at least one.
        series: what the bars of a row are, at most eight.
    """
    tall = len(series) * THICK + APART
    height = TOP + len(rows) * tall + BOTTOM
    x = Scale(*nice_domain([v for _, values in rows for v in values if v is not None], zero=True), LEFT, WIDTH - RIGHT)
    drawn = [svg.text(14, 18, title, "title"), *_legend(series), *_axis(x, height)]
    for place, (name, values) in enumerate(rows):
        top = TOP + place * tall
        words = svg.text(LEFT - 8, top + (tall - APART) / 2 + 4, svg.short(name, 22), "tick", "end")
        drawn.append(svg.titled(words, name))
        for number, value in enumerate(values):
            if value is not None:
                wide = max(x(value) - x(0), 0.5)
                bar = svg.element(
                    "rect", x=x(0), y=top + number * THICK, width=wide, height=THICK - 1, class_=f"bar s{number + 1}"
                )
                drawn.append(svg.titled(bar, f"{name}, {series[number]}: {label(value)}"))
    return svg.image("".join(drawn), WIDTH, height, title)


def _legend(series: Sequence[str]) -> list[str]:
    drawn, at = [], LEFT
    for number, name in enumerate(series, 1):
        drawn.append(svg.element("rect", x=at, y=29, width=11, height=11, rx=2, class_=f"bar s{number}"))
        drawn.append(svg.text(at + 17, 38, name, "small strong"))
        at += 30 + 6.6 * len(name)
    return drawn


def _axis(x: Scale, height: float) -> list[str]:
    drawn = []
    for value in ticks(x.low, x.high, 5):
        line = svg.element("line", x1=x(value), x2=x(value), y1=TOP - 6, y2=height - BOTTOM, class_="grid")
        drawn += [line, svg.text(x(value), height - BOTTOM + 16, label(value), anchor="middle")]
    return drawn
