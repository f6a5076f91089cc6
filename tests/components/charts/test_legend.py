"""Every curve of a plot has its name in the legend."""

import pytest

from kilnworks.components.charts.plot import WIDTH, Plot
from kilnworks.components.judging.pictures import pictures


@pytest.mark.parametrize("count", [1, 3, 4, 8])
def test_a_name_for_every_line_within_the_picture(count):
    plot = Plot("curves", (0, 1), (0, 1))
    names = [f"a rather long name {i}" for i in range(count)]
    for series, name in enumerate(names, start=1):
        plot.line([(0, 0), (1, 1)], series, name)
    legend, lower = plot._legend_rows()
    drawn = plot.render()
    assert all(f">{name}<" in drawn for name in names) and len(legend) == 2 * count
    rows = 1 + lower / 16
    assert rows == -(-count // 2) and f'viewBox="0 0 {WIDTH:g} {308 + lower:g}"' in drawn


def test_the_four_curves_of_thresholds_have_four_names():
    table = [{"threshold": t, "precision": t, "recall": 1 - t, "f1": 0.5, "flagged": 1 - t} for t in (0.1, 0.5, 0.9)]
    drawn = dict(pictures({"thresholds": table}))["thresholds"]
    assert all(f">{name}<" in drawn for name in ("precision", "recall", "f1", "flagged"))
