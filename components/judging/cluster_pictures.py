"""The pictures of an evaluation of clusters: rows in two dimensions by cluster, and what is typical of each cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilnworks.components.charts import svg
from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.schemas.json_values import as_dict, as_list, as_number

COLOURS = 8
WIDTH, TOP, LINE = 440.0, 48.0, 17.0
NAMED = 24
"""Clusters in the table, at most."""
WORDS = 62
"""Characters of what is typical of a cluster, in a line."""


def pictures(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every picture that the content allows: (file name without ending, SVG)."""
    views, drawn = as_dict(results.get("views")), []
    if as_dict(views.get("pca")):
        view = as_dict(views["pca"])
        shares = [as_number(share) or 0.0 for share in as_list(view.get("explained"))] + [0.0, 0.0]
        axes = [f"component {i + 1} ({shares[i]:.0%} of the variance)" for i in (0, 1)]
        drawn.append(("principal_components", _view("Principal components", view, axes[0], axes[1])))
    if as_dict(views.get("tsne")):
        drawn.append(("tsne", _view("t-SNE: near ones are alike", as_dict(views["tsne"]), "", "")))
    table = [as_dict(one) for one in as_list(results.get("table"))]
    if table:
        drawn.append(("typical", _table(table)))
    return drawn


def _view(title: str, view: Mapping[str, Any], x_label: str, y_label: str) -> str:
    x, y = ([as_number(v) or 0.0 for v in as_list(view.get(axis))] for axis in ("x", "y"))
    cluster = [int(as_number(v) or 0) for v in as_list(view.get("cluster"))]
    plot = Plot(title, nice_domain(x), nice_domain(y), x_label, y_label)
    for number in sorted(set(cluster)):
        places = [(a, b) for a, b, c in zip(x, y, cluster, strict=True) if c == number]
        plot.points(places, number % COLOURS + 1, [f"cluster {number}"] * len(places), [0.0] * len(places))
        plot.name(number % COLOURS + 1, f"cluster {number}")
    return plot.render()


def _table(table: list[dict[str, Any]]) -> str:
    """A line or two for each cluster, in words."""
    drawn, y = [svg.text(14, 18, "Clusters, and how far columns are from the mean of all", "title")], TOP
    for one in table[:NAMED]:
        number = int(as_number(one.get("cluster")) or 0)
        drawn.append(
            svg.element("rect", x=14, y=y - 10, width=11, height=11, rx=2, class_=f"bar s{number % COLOURS + 1}")
        )
        drawn.append(svg.text(32, y, f"cluster {number}: {as_number(one.get('share')) or 0:.1%} of rows", "strong"))
        for line in _lines([as_dict(part) for part in as_list(one.get("typical"))]):
            y += LINE
            drawn.append(svg.text(32, y, line, "small"))
        y += LINE + 8
    return svg.image("".join(drawn), WIDTH, y, "What is typical of each cluster")


def _lines(typical: list[dict[str, Any]]) -> list[str]:
    """What is typical, largest first, in lines of ``WORDS`` characters at most."""
    lines = [""]
    for part in typical:
        words = f"{svg.short(str(part.get('column')), 34)} {as_number(part.get('apart')) or 0:+.2g}"
        joined = f"{lines[-1]}, {words}" if lines[-1] else words
        if len(joined) > WORDS and lines[-1]:
            lines.append(words)
        else:
            lines[-1] = joined
    return lines
