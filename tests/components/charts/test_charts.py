"""Charts: round ticks, places that are right, names that cannot break out."""

import math
import xml.etree.ElementTree as ET

import pytest

from kilnworks.components.charts import svg
from kilnworks.components.charts.lineage import Node, layers, lineage
from kilnworks.components.charts.matrix import matrix
from kilnworks.components.charts.mini_charts import Bins, histogram, interval, top_values
from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import Scale, bytes_text, label, nice_domain, seconds_text, ticks

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '"><script>alert(1)</script>'


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 11, [0, 2.5, 5, 7.5, 10]),
        (-3, 4, [-2, 0, 2, 4]),
        (0, 3e6, [0, 1e6, 2e6, 3e6]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [], [math.nan], [-1e-9, 1e12], [0.1234, 0.1235]])
def test_a_domain_holds_its_values_and_is_never_empty(values: list[float]) -> None:
    low, high = nice_domain(values)
    assert low < high
    slack = 1e-6 * (high - low)
    assert all(low - slack <= v <= high + slack for v in values if math.isfinite(v))
    assert len(ticks(low, high)) >= 2


def test_labels_are_short_and_right() -> None:
    assert [label(v) for v in (0, 0.05, 12, 12_345, 3.4e6, 2e9, 3e-6, math.nan)] == [
        "0", "0.05", "12", "12.3k", "3.4M", "2G", "3e-06", "n/a",
    ]  # fmt: skip
    assert [seconds_text(s) for s in (0.0123, 3.44, 125, 3725)] == ["12 ms", "3.4 s", "2 min 05 s", "1 h 02 min"]
    assert [bytes_text(b) for b in (980, 12_340, 4_500_000)] == ["980 B", "12.3 kB", "4.5 MB"]
    assert Scale(0, 10, 100, 200)(5) == 150
    assert Scale(3, 3, 0, 10)(3) == 0


def test_a_plot_puts_points_where_they_belong() -> None:
    plot = Plot("T", (0, 1), (0, 1), "x", "y")
    plot.line([(0, 0), (1, 1)], 1, "a line")
    tree = ET.fromstring(plot.render())
    d = next(p.get("d") for p in tree.iter(f"{SVG}path") if p.get("class") == "line s1")
    assert d == "M58 262L426 60"
    words = {t.text for t in tree.iter(f"{SVG}text")}
    assert {"T", "x", "y", "a line", "0", "1", "0.5" if "0.5" in words else "0.4"} <= words


@pytest.mark.parametrize(("at", "place"), [(0.0, 58), (0.5, 242), (1.0, 387.1)])
def test_words_above_a_line_at_the_edge_stay_inside_the_picture(at: float, place: float) -> None:
    """The last epoch is the best one: sixteen letters of 6.6 units each, in a picture of 440."""
    plot = Plot("T", (0, 1), (0, 1))
    plot.mark_x(at, "best epoch 12345")
    tree = ET.fromstring(plot.render())
    words = next(t for t in tree.iter(f"{SVG}text") if (t.text or "").startswith("best epoch"))
    assert float(words.get("x", "")) == pytest.approx(place, abs=0.1) and words.get("text-anchor") == "middle"


def test_every_chart_is_well_formed_whatever_the_names() -> None:
    plot = Plot(EVIL, (0, 1), (0, 2), EVIL, EVIL)
    plot.bars([0, 0.5, 1], [1, 2], 1, EVIL)
    plot.points([(0.5, 1)], 2, [EVIL], [3])
    plot.mark_x(0.5, EVIL)
    drawn = [
        plot.render(),
        matrix([EVIL, "b"], [[3, 1], [0, 0]]),
        matrix([f"a long class name {i}" for i in range(40)], [[i * j for i in range(40)] for j in range(40)]),
        lineage([Node(EVIL, "failed", (EVIL, EVIL), EVIL)], []),
        histogram([(EVIL, Bins([0, 1, 2], [1, 2])), ("b", Bins([5, 5], [3]))], EVIL),
        histogram([("one", Bins([2, 2], [7]))]),
        top_values([(EVIL, [0.5, 0.25])], [EVIL, "b"]),
        interval(0.5, 0.4, 0.6, (0, 1), 0.7, False),
    ]
    for picture in drawn:
        for text in (picture, svg.standalone(picture)):
            tree = ET.fromstring(text)
            assert not list(tree.iter(f"{SVG}script"))
            assert "nan" not in text.lower().replace("name", "")


def test_the_matrix_shows_counts_and_shares_of_the_row() -> None:
    words = [t.text for t in ET.fromstring(matrix(["no", "yes"], [[75, 25], [10, 30]])).iter(f"{SVG}text")]
    for expected in ("75", "75.0%", "25.0%", "30"):
        assert expected in words


def test_lineage_columns_follow_the_longest_way() -> None:
    edges = [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("a", "d"), ("d", "e")]
    assert layers(["a", "b", "c", "d", "e"], edges) == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 3}
    nodes = [Node(n, "done", ("done", "")) for n in "abcde"]
    tree = ET.fromstring(lineage(nodes, [(a, b, False) for a, b in edges]))
    boxes = [(float(r.get("x")), float(r.get("y"))) for r in tree.iter(f"{SVG}rect") if "node" in r.get("class", "")]
    assert len(set(boxes)) == 5
    assert boxes[1][0] == boxes[2][0] > boxes[0][0]
    assert len([p for p in tree.iter(f"{SVG}path") if "edge" in p.get("class", "")]) == len(edges)


def test_an_edge_from_an_unknown_step_is_left_out() -> None:
    tree = ET.fromstring(lineage([Node("a", "done", ("", ""))], [("gone", "a", False), ("a", "a", False)]))
    assert not [p for p in tree.iter(f"{SVG}path") if "edge" in p.get("class", "")]


@pytest.mark.parametrize("y_label", ["", "rate"])
@pytest.mark.parametrize("limits", [(0.00045, 0.00055), (0.0, 1.0), (-9.9e-5, -9.1e-5)])
def test_numbers_beside_an_axis_have_room_for_all_their_figures(limits, y_label) -> None:
    plot = Plot("Learning rate", (0, 10), limits, "epoch", y_label)
    texts = [one for one in ET.fromstring(plot.render()).iter(f"{SVG}text") if one.get("text-anchor") == "end"]
    assert [one.text for one in texts] == [label(tick) for tick in ticks(*limits, 5)]
    for one in texts:
        assert float(one.get("x")) - 6.6 * len(one.text) >= (18 if y_label else 0)
    assert plot.left == 58 or limits != (0.0, 1.0)
