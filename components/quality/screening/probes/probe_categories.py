"""Categories: shares, new ones, lost ones, the same ones written otherwise."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl

from kilnworks.components.quality.drift.psi import psi
from kilnworks.components.quality.screening.columns.views import Categories, category_views
from kilnworks.components.quality.screening.probes.evidence import Evidence
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput
from kilnworks.components.quality.stats.memory import inflation
from kilnworks.components.quality.stats.pvalues import cell_z, homogeneity, normal_tail, rate_increase

LEVELS = 3000
"""Most levels whose counts are remembered; of columns with more, new ones are not looked for."""


TOP = 40
"""Levels compared one by one: the most frequent of both samples together, so that neither is favoured."""


class CategoryProbe:
    """Compares every column of categories, and the categories derived from other columns, level by level."""

    name = "categories"

    def learn(self, batch: ProbeInput) -> Learned:
        """Counts of the levels of each view."""
        views = {f"{v.column}|{v.what}": v for v in self.views(batch)}
        ordered = batch.in_order
        learned = {key: learn_levels(view.values, ordered) for key, view in views.items()}
        return {k: v for k, v in learned.items() if v["rows"] >= 20 and (not views[k].open or len(v["levels"]) <= 60)}

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """All tests of all views."""
        for view in self.views(batch):
            kept = learned.get(f"{view.column}|{view.what}")
            if kept is not None:
                yield from compare_levels(kept, view, batch)

    def views(self, batch: ProbeInput) -> Iterator[Categories]:
        """The categories that are compared."""
        yield from category_views(batch.sample, batch.notes.get("stream"), batch.advances, batch.drifts)


def learn_levels(values: pl.Series, ordered: bool) -> dict[str, Any]:
    """Counts of levels (null = none), the most frequent first; ``once`` counts levels seen in a single row.

    ``ordered``: the rows follow one another in time, so that neighbours may resemble each other and count for less.
    """
    counts = values.drop_nulls().alias("value").value_counts(sort=True)
    names, rows = counts[counts.columns[0]].to_list(), counts["count"].to_list()
    levels = dict(zip(names[:LEVELS], rows[:LEVELS], strict=True))
    return {
        "levels": levels,
        "rows": int(sum(rows)),
        "once": int(sum(r == 1 for r in rows)),
        "twice": int(sum(r == 2 for r in rows)),
        "more": len(names) > LEVELS,
        "inflation": _inflation(values, names[:3]) if ordered else 1.0,
    }


def _inflation(values: pl.Series, names: list[str]) -> float:
    """The largest of the most frequent levels."""
    flags = ((values == name).cast(pl.Float64).to_numpy() for name in names)
    return max((inflation(f.astype(float)) for f in flags), default=1.0)


def compare_levels(kept: dict[str, Any], view: Categories, batch: ProbeInput) -> Iterator[Evidence]:
    """Tests of a batch of categories against what ``learn_levels`` kept."""
    counts = view.values.drop_nulls().alias("value").value_counts(sort=True)
    found = dict(zip(counts[counts.columns[0]].to_list(), counts["count"].to_list(), strict=True))
    n, total = int(sum(found.values())), kept["rows"]
    if n < 5:
        return
    levels: dict[str, int] = kept["levels"]
    unknown = {v: c for v, c in found.items() if v not in levels}
    weaker = kept["inflation"] * batch.copies
    yield from _shares(view, found, levels, float(total), weaker)
    if not kept["more"]:
        yield from _new_levels(kept, view, unknown, n, batch)


def _shares(
    view: Categories, found: dict[str, int], levels: dict[str, int], total: float, weaker: float
) -> Iterator[Evidence]:
    """Shares of the levels that are the most frequent in both samples together; ties fall by a hash of the name."""
    names = sorted({*found, *levels}, key=lambda v: (-found.get(v, 0) - levels.get(v, 0), crc32(v.encode())))[:TOP]
    n = float(sum(found.values()))
    a = np.array([float(found.get(v, 0)) for v in names])
    b = np.array([float(levels.get(v, 0)) for v in names])
    a = np.append(a, n - a.sum()) / weaker
    b = np.append(b, total - b.sum()) / weaker
    n, total = n / weaker, total / weaker
    index = psi(a, b)
    yield Evidence(
        view.column,
        f"shares of the {view.what}",
        homogeneity(a, b),
        index / 0.15,
        f"population stability index {index:.3f}",
        "below 0.1",
        soft=True,
    )
    z = cell_z(a[:-1], n, b[:-1], total)
    if z.size:
        i = int(np.argmax(np.abs(z)))
        gone = a[i] == 0
        name = names[i]
        yield Evidence(
            view.column,
            f"lost: {name!r} no longer among the {view.what}" if gone else f"share of one of the {view.what}",
            float(normal_tail(z[i])),
            1.0 if gone else abs(a[i] / n - b[i] / total) / 0.08,
            f"{name!r} in {found.get(name, 0)} of {sum(found.values())}",
            f"in {levels.get(name, 0)} of {round(total * weaker)}",
            (),
            z.size,
            0.2,
            f"one of the {view.what}",
            not gone,
        )


def _new_levels(
    kept: dict[str, Any], view: Categories, unknown: dict[str, int], n: int, batch: ProbeInput
) -> Iterator[Evidence]:
    """Levels never seen: as many rows as levels seen once let expect (Good 1953), or more."""
    levels, total = kept["levels"], kept["rows"]
    k = sum(unknown.values())
    largest = max(unknown, key=lambda v: unknown[v], default="")
    closed = kept["once"] == 0 and kept["twice"] == 0 and not view.open
    label = view.column == batch.label
    rows = _rows(view, list(unknown), batch)
    expected = f"{len(levels)} known" + ("" if len(levels) > 6 else f": {', '.join(map(repr, levels))}")
    yield Evidence(
        view.column,
        f"new among the {view.what}",
        rate_increase(k, n, kept["once"], total) * (2.5 if closed and label else 1.5 if closed else 1.0),
        (k / n - kept["once"] / total) / (0.005 if closed else 0.03),
        f"{k} of {n}, e.g. {largest!r}",
        expected,
        rows,
        soft=not closed,
    )
    if view.what == "categories":
        plain = {_normal(v) for v in levels}
        same = {v: c for v, c in unknown.items() if _normal(v) in plain} if len(plain) == len(levels) else {}
        count = sum(same.values())
        yield Evidence(
            view.column,
            "a known category is written otherwise (case, blanks, accents or signs)",
            2 * rate_increase(count, n, 0, total) - 2.0 if count else 0.0,
            1.0 if count >= max(2, 0.002 * n) else 0.5,
            f"{count} of {n}, e.g. {next(iter(same), '')!r}",
            expected,
            _rows(view, list(same), batch),
        )


def _rows(view: Categories, values: list[str], batch: ProbeInput) -> tuple[int, ...]:
    return batch.row_numbers(view.values.is_in(values).fill_null(False).to_numpy()) if values else ()


def _normal(text: str) -> str:
    """Letters and digits alone, without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return re.sub(r"[\W_]+", "", "".join(c for c in plain if not unicodedata.combining(c)))
