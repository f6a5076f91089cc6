"""The confusion matrix as a heat map: colour is the share of its row, the number is the count."""

from collections.abc import Sequence

from kilnworks.components.charts import svg
from kilnworks.components.charts.scale import label


def matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Rows are the true classes, columns the predicted ones; [K, K] with K up to about 50."""
    k = len(labels)
    names = [svg.short(name, 14) for name in labels]
    left = 44.0 + min(7.0 * max(len(n) for n in names), 100)
    cell = min(96.0, (440.0 - left - 10) / k)
    turned = k > 4 or any(7.0 * len(n) > cell for n in names)
    top = 62.0 + (min(6.2 * max(len(n) for n in names), 92) if turned and max(map(len, names)) > 2 else 0)
    size = cell * k
    drawn = [
        svg.text(14, 18, "Confusion", "title"),
        svg.text(left + size / 2, 40, "predicted", "small", "middle"),
        svg.text(
            14, top + size / 2, "truth", "small", "middle", transform=f"rotate(-90 14 {svg.number(top + size / 2)})"
        ),
    ]
    for i, row in enumerate(counts):
        total = sum(row)
        y = top + i * cell
        if cell >= 11:
            drawn.append(svg.text(left - 8, y + cell / 2 + 4, names[i], "strong small", "end"))
            drawn.append(_column_name(names[i], left + (i + 0.5) * cell, top - 8, turned and max(map(len, names)) > 2))
        for j, count in enumerate(row):
            share = count / total if total else 0.0
            drawn.append(_cell(left + j * cell, y, cell, count, share, f"{labels[i]} → {labels[j]}"))
    return svg.image("".join(drawn), 440, top + size + 14, "confusion matrix, rows are the truth", "chart matrix")


def _column_name(name: str, x: float, y: float, turned: bool) -> str:
    if turned:
        return svg.text(x + 4, y, name, "strong small", transform=f"rotate(-90 {svg.number(x + 4)} {svg.number(y)})")
    return svg.text(x, y, name, "strong small", "middle")


def _cell(x: float, y: float, size: float, count: int, share: float, where: str) -> str:
    gap = 1.0 if size > 12 else 0.3
    box = {"x": x + gap, "y": y + gap, "width": size - 2 * gap, "height": size - 2 * gap}
    drawn = svg.element("rect", **box, rx=2, class_="empty")
    drawn += svg.element(
        "rect", **box, rx=2, class_="cell", fill_opacity=f"{0.06 + 0.94 * share:.3f}" if count else "0"
    )
    ink = "on" if share > 0.5 else "strong"
    if size >= 44:
        drawn += svg.text(x + size / 2, y + size / 2 + 1, label(count), f"name {ink}", "middle")
        drawn += svg.text(x + size / 2, y + size / 2 + 17, f"{share:.1%}", f"small {ink}", "middle")
    elif size >= 21 and count:
        drawn += svg.text(x + size / 2, y + size / 2 + 4, label(count), f"small {ink}", "middle")
    return svg.titled(drawn, f"{where}: {count} ({share:.1%} of the row)")
