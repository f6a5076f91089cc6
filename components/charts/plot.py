"""A plot with axes, to which lines, areas, bars and points are added."""

from collections.abc import Sequence

from kilnworks.components.charts import svg
from kilnworks.components.charts.scale import Scale, label, ticks

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 440.0, 308.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 60.0, 46.0
LEGEND_ROW = 16.0
"""How far rows of a legend are apart."""
LETTER = 6.6
"""Width of a letter of small strong words, about."""
APART, TURNED = 7.0, 18.0
"""Room between an axis and its numbers, and of the turned words beside these."""


class Plot:
    """Axes with round ticks, a title above, a legend under it.

    Args:
        title: what is shown, in a few words.
        x, y: limits of the axes in data units.
        x_label, y_label: what the axes count, with the unit.
        integer_x: no tick between whole numbers (epochs).
        height: of the picture in drawing units; the width is always ``WIDTH``.
    """

    def __init__(
        self,
        title: str,
        x: tuple[float, float],
        y: tuple[float, float],
        x_label: str = "",
        y_label: str = "",
        *,
        integer_x: bool = False,
        height: float = HEIGHT,
    ) -> None:
        self.title, self.height = title, height
        self.y = Scale(*y, height - BOTTOM, TOP)
        wide = max((len(label(value)) for value in ticks(self.y.low, self.y.high, 5)), default=0)
        self.left = max(LEFT, LETTER * wide + APART + (TURNED if y_label else 0))
        self.x = Scale(*x, self.left, WIDTH - RIGHT)
        self._x_label, self._y_label, self._integer_x = x_label, y_label, integer_x
        self._marks: list[str] = []
        self._legend: list[tuple[str, str, str]] = []

    def place(self, points: Points) -> list[tuple[float, float]]:
        """Data points in drawing units."""
        return [(self.x(x), self.y(y)) for x, y in points]

    def line(self, points: Points, series: int, name: str = "", *, dashed: bool = False) -> None:
        """A line in the colour of ``series`` (1 to 8); named ones enter the legend."""
        class_ = f"line s{series}{' dashed' if dashed else ''}"
        placed = self.place(points)
        if len(placed) == 1:
            self._marks.append(svg.element("circle", cx=placed[0][0], cy=placed[0][1], r=4, class_=f"dot s{series}"))
        else:
            self._marks.append(svg.element("path", d=svg.path(placed), class_=class_))
        if name:
            self._legend.append((class_, name, "line"))

    def area(self, lower: Points, upper: Points, series: int) -> None:
        """A soft band between two lines with the same x."""
        around = [*self.place(lower), *reversed(self.place(upper))]
        self._marks.append(svg.element("path", d=svg.path(around, closed=True), class_=f"area s{series}"))

    def bars(
        self, edges: Sequence[float], heights: Sequence[float], series: int, name: str = "", *, over: bool = False
    ) -> None:
        """Bars between ``edges`` [n + 1] from 0 to ``heights`` [n]; ``over`` lets what lies behind show through."""
        class_ = f"bar s{series}{' over' if over else ''}"
        for left, right, height in zip(edges, edges[1:], heights, strict=False):
            x0, x1, y = self.x(left), self.x(right), self.y(height)
            gap = 0.5 if x1 - x0 > 3 else 0
            if height > 0:
                drawn = svg.element(
                    "rect", x=x0 + gap, y=y, width=max(x1 - x0 - 2 * gap, 0.5), height=self.y(0) - y, class_=class_
                )
                self._marks.append(svg.titled(drawn, f"{label(left)} to {label(right)}: {label(height)}"))
        if name:
            self._legend.append((class_, name, "box"))

    def points(self, points: Points, series: int, notes: Sequence[str], weights: Sequence[float]) -> None:
        """Dots with a tooltip each; their area grows with ``weights``, of which one is above 0."""
        heaviest = max(weights, default=1.0) or 1.0
        for (x, y), note, weight in zip(self.place(points), notes, weights, strict=True):
            radius = 2.5 + 4 * (weight / heaviest) ** 0.5
            dot = svg.element("circle", cx=x, cy=y, r=radius, class_=f"dot s{series}")
            self._marks.append(svg.titled(dot, note))

    def name(self, series: int, name: str) -> None:
        """What the dots of ``series`` (1 to 8) are, for the legend."""
        self._legend.append((f"bar s{series}", name, "box"))

    def whiskers(self, x: Sequence[float], low: Sequence[float], high: Sequence[float], series: int) -> None:
        """Upright intervals."""
        for at, bottom, top in zip(x, low, high, strict=True):
            px, y0, y1 = self.x(at), self.y(bottom), self.y(top)
            self._marks.append(svg.element("line", x1=px, x2=px, y1=y0, y2=y1, class_=f"whisker s{series}"))

    def guide(self, points: Points, name: str = "") -> None:
        """A dashed grey line for comparison."""
        self._marks.append(svg.element("path", d=svg.path(self.place(points)), class_="guide"))
        if name:
            self._legend.append(("guide", name, "line"))

    def mark_x(self, value: float, words: str) -> None:
        """An upright dotted line with words above it, as near to its middle as the picture has room for them."""
        x, half = self.x(value), LETTER * len(words) / 2
        self._marks.append(svg.element("line", x1=x, x2=x, y1=self.y.start, y2=self.y.end, class_="mark"))
        place = min(max(x, half), WIDTH - half)
        self._marks.append(svg.text(place, self.y.end - 4, words, "small strong", "middle"))

    def render(self) -> str:
        """The picture as SVG text."""
        legend, lower = self._legend_rows()
        inside = "".join([*self._axes(), *self._marks])
        moved = svg.element("g", inside, transform=f"translate(0 {svg.number(lower)})") if lower else inside
        content = [svg.text(self.left, 18, self.title, "title"), moved, *legend]
        described = f"{self.title}; {self._y_label} by {self._x_label}" if self._x_label else self.title
        return svg.image("".join(content), WIDTH, self.height + lower, described)

    def _axes(self) -> list[str]:
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        drawn = []
        for value in ticks(self.y.low, self.y.high, 5):
            y = self.y(value)
            drawn.append(svg.element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
            drawn.append(svg.text(left - APART, y + 4, label(value), anchor="end"))
        for value in ticks(self.x.low, self.x.high, 5):
            if self._integer_x and value != int(value):
                continue
            x = self.x(value)
            drawn.append(svg.element("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="axis"))
            drawn.append(svg.text(x, bottom + 17, label(value), anchor="middle"))
        drawn.append(svg.element("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"))
        drawn.append(svg.text((left + right) / 2, bottom + 37, self._x_label, anchor="middle"))
        turned = f"rotate(-90 13 {svg.number((top + bottom) / 2)})"
        drawn.append(svg.text(13, (top + bottom) / 2, self._y_label, anchor="middle", transform=turned))
        return drawn

    def _legend_rows(self) -> tuple[list[str], float]:
        """Every name, in as many rows as they need, and how far what is below moves down."""
        drawn, x, y = [], self.left, 34.0
        for class_, name, shape in self._legend:
            words = svg.short(name, 28)
            width = 26 + LETTER * len(words)
            if x + width > WIDTH and x > self.left:
                x, y = self.left, y + LEGEND_ROW
            if shape == "line":
                drawn.append(svg.element("line", x1=x, x2=x + 16, y1=y, y2=y, class_=class_))
            else:
                drawn.append(svg.element("rect", x=x + 2, y=y - 5, width=11, height=11, rx=2, class_=class_))
            drawn.append(svg.text(x + 21, y + 4, words, "small strong"))
            x += width + 8
        return drawn, y - 34.0
