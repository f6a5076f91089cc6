"""Distributions of numbers: place, spread, shape, tails, impossible values, values that pile up."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from kilnworks.components.quality.drift.psi import psi
from kilnworks.components.quality.screening.columns.views import Numbers, number_views
from kilnworks.components.quality.screening.probes.evidence import Evidence
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput, first_rows
from kilnworks.components.quality.stats.histogram import Histogram
from kilnworks.components.quality.stats.memory import inflation
from kilnworks.components.quality.stats.pvalues import homogeneity, ks_tail, normal_tail, rate_change, rate_increase
from kilnworks.components.quality.stats.tails import bounds, stray

Floats = NDArray[np.float64]

LEAST = 20
"""Fewer reference values than this are not compared."""
FAR = "far outside"
DRIFT = 0.9
"""Largest change that the level of a number is accused of where it drifts with time: a warning, never more."""
ATOMS = 60
"""Most frequent values that are remembered with their counts."""


class NumberProbe:
    """Compares every column of numbers, moments and text lengths with its quantile histogram."""

    name = "numbers"

    def learn(self, batch: ProbeInput) -> Learned:
        """Histogram, frequent values and outer bounds of each view."""
        ordered = batch.in_order
        views = (v for v in self.views(batch) if np.isfinite(v.values).sum() >= LEAST)
        return {_id(v): learn_numbers(v.values, ordered) for v in views}

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """All tests of all views."""
        for view in self.views(batch):
            if _id(view) in learned:
                results = compare_numbers(learned[_id(view)], view, batch.copies)
                for e in mild(results) if view.column in batch.drifts else results:
                    yield replace(e, rows=_rows(e, batch)) if e.rows else e

    def views(self, batch: ProbeInput) -> Iterator[Numbers]:
        """The numbers that are compared: the time column of a stream moves on and is left to the order probe."""
        for view in number_views(batch.sample, batch.advances):
            if view.column != batch.notes.get("stream"):
                yield view


def mild(results: Iterator[Evidence]) -> Iterator[Evidence]:
    """The results for numbers whose level drifts with time: warnings, but for values far outside."""
    return (e if e.family == FAR else replace(e, effect=min(e.effect, DRIFT)) for e in results)


def _id(view: Numbers) -> str:
    return f"{view.column}|{view.what}"


def _rows(e: Evidence, batch: ProbeInput) -> tuple[int, ...]:
    return tuple((batch.sample_rows[np.asarray(e.rows, int) - 1] + 1).tolist())


def learn_numbers(values: Floats, ordered: bool) -> dict[str, Any]:
    """What is remembered of numbers [n] (NaN = none), at least ``LEAST`` of them present.

    ``ordered``: the rows follow one another in time, so that neighbours may resemble each other and count for less.
    """
    present = values[~np.isnan(values)]
    kinds, counts = np.unique(present, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    kept = order[: ATOMS if kinds.size > 2 * ATOMS else 2 * ATOMS]
    kept = kept[counts[kept] >= min(2, counts.max())]
    low, high = bounds(present)
    return {
        "histogram": Histogram.quantiles(values).to_json(),
        "atoms": [[float(kinds[i]), int(counts[i])] for i in kept],
        "rarer": int(counts[order[kept.size]]) if kept.size < order.size else 0,
        "pairs": int(((counts == 2) | (counts == 3)).sum()),
        "far": [low, high],
        "inflation": inflation(values) if ordered else 1.0,
    }


def compare_numbers(learned: dict[str, Any], view: Numbers, copies: float, strays: int = 0) -> Iterator[Evidence]:
    """Tests of a batch of numbers against what ``learn_numbers`` kept.

    ``copies``: how many rows of the batch count for one; ``strays``: values far outside that are let pass.
    """
    reference = Histogram.from_json(learned["histogram"])
    batch = Histogram.of(view.values, reference.edges)
    if batch.rows < 5:
        return
    weaker = learned["inflation"] * copies
    yield from _shape(reference.thinned(weaker), batch.thinned(weaker), view)
    yield from _place(reference.thinned(weaker), batch.thinned(weaker), view)
    yield from _tails(reference, view, weaker)
    yield from _far(learned, reference, view, strays)
    yield from _atoms(learned, reference, view, copies)


def _shape(reference: Histogram, batch: Histogram, view: Numbers) -> Iterator[Evidence]:
    n, total = batch.rows, reference.rows
    if n < 1 or total < 1:  # dependent rows may count for less than one
        return
    few = reference.coarse(max(4, min(20, min(n, total) // 10)))
    same = batch.on(few.edges)
    index = psi(same.counts, few.counts)
    yield Evidence(
        view.column,
        f"distribution of {view.what} (histogram)",
        homogeneity(same.counts, few.counts),
        index / 0.15,
        f"population stability index {index:.3f}",
        "below 0.1",
        soft=True,
    )
    distance = float(np.abs(batch.below() - reference.below()).max()) if reference.edges.size else 0.0
    yield Evidence(
        view.column,
        f"distribution of {view.what} (Kolmogorov-Smirnov)",
        ks_tail(distance, n, total),
        distance / 0.12,
        f"distance {distance:.3f}",
        f"about {1.36 * math.sqrt(1 / n + 1 / total):.3f} or less",
        soft=True,
    )


def _place(reference: Histogram, batch: Histogram, view: Numbers) -> Iterator[Evidence]:
    """Means of normal scores (place) and of their squares (spread), which no outlier can dominate."""
    scores = ndtri(reference.mid_ranks())
    for what, values in (("middle", scores), ("spread", np.minimum(scores**2, 9))):
        mean_0, sd_0 = _moments(values, reference.counts)
        mean_1, sd_1 = _moments(values, batch.counts)
        sd = max(sd_0, sd_1)
        if sd < 1e-6 or batch.counts.sum() < 1:
            continue
        z = (mean_1 - mean_0) / (sd * math.sqrt(1 / float(batch.counts.sum()) + 1 / float(reference.counts.sum())))
        middle_0, middle_1 = _median(reference), _median(batch)
        yield Evidence(
            view.column,
            f"{what} of {view.what}",
            float(normal_tail(z * 0.97)),
            abs(mean_1 - mean_0) / sd_0 / 0.35 if sd_0 else 1.0,
            f"{mean_1 - mean_0:+.2f} standard deviations; median {middle_1:.6g}",
            f"median {middle_0:.6g}",
            soft=True,
        )


def _moments(values: Floats, counts: Floats) -> tuple[float, float]:
    mean = float(np.average(values, weights=counts))
    return mean, math.sqrt(float(np.average((values - mean) ** 2, weights=counts)))


def _median(h: Histogram) -> float:
    return float(h.edges[min(int(np.searchsorted(h.below(), 0.5)), h.edges.size - 1)]) if h.edges.size else math.nan


def _tails(reference: Histogram, view: Numbers, weaker: float) -> Iterator[Evidence]:
    """More values than expected beyond the reference's outer quantiles, its smallest and its largest value."""
    total = reference.rows
    below = np.cumsum(reference.counts)[:-1]
    yield _beyond(view, view.values < reference.edges[0], reference.edges[0], "below", 0, total, weaker)
    yield _beyond(view, view.values > reference.edges[-1], reference.edges[-1], "above", 0, total, weaker)
    for share in (0.001, 0.005, 0.01):
        low = int(np.searchsorted(below, share * total, side="left"))
        edge = reference.edges[low]
        yield _beyond(view, view.values <= edge, edge, "up to", int(below[low]), total, weaker)
        high = max(int(np.searchsorted(below, (1 - share) * total, side="right")) - 1, 0)
        edge = reference.edges[high]
        yield _beyond(view, view.values > edge, edge, "above", int(total - below[high]), total, weaker)


def _beyond(
    view: Numbers, flags: NDArray[np.bool_], edge: float, side: str, K: int, total: int, weaker: float
) -> Evidence:
    k, n = int(flags.sum()), int(np.isfinite(view.values).sum())
    return Evidence(
        view.column,
        f"{view.what} {side} {'any seen before' if K == 0 else f'{edge:.6g}'}",
        rate_increase(int(k / weaker), int(n / weaker), round(K / weaker), int(total / weaker)),
        (k / max(n, 1) - K / total) / (0.005 if K == 0 else 0.02),
        f"{k} of {n} {side} {edge:.6g}, e.g. {_example(view.values, flags)}",
        f"{K} of {total}",
        first_rows(flags) if K == 0 else (),
        family=f"{view.what} beyond",
        soft=True,
    )


def _example(values: Floats, flags: NDArray[np.bool_]) -> str:
    hits = values[flags]
    return f"{hits[0]:.15g}" if hits.size else "none"


def _far(learned: dict[str, Any], reference: Histogram, view: Numbers, strays: int) -> Iterator[Evidence]:
    low, high = learned["far"]
    beyond = (view.values < low) | (view.values > high)
    k, n = int(beyond.sum()), int(np.isfinite(view.values).sum())
    yield Evidence(
        view.column,
        f"{view.what} far outside anything to be expected",
        _far_log_p(k, n, reference) - 2 * math.log2(_times_over(view.values[beyond], low, high)) if k > strays else 0.0,
        1.0 if k >= 3 else 0.5,
        f"{k} of {n}, e.g. {_example(view.values, beyond)}",
        f"between {low:.6g} and {high:.6g} (seen: {reference.edges[0]:.6g} to {reference.edges[-1]:.6g})",
        first_rows(beyond),
        family=FAR,
    )


def _times_over(values: Floats, low: float, high: float) -> float:
    """How many times further out the farthest value lies than the bound it crosses, seen from the middle; >= 1."""
    half = (high - low) / 2
    return max(1.0, float(np.abs(values - (high + low) / 2).max()) / half) if high - low > 1e-9 else 1.0


def _far_log_p(k: int, n: int, reference: Histogram) -> float:
    """log10 p of ``k`` values far outside; of what was constant, every other value is outside and none is far."""
    return rate_increase(k, n, 0, reference.rows) if reference.edges.size == 1 else stray(k, n, reference.rows)


def _atoms(learned: dict[str, Any], reference: Histogram, view: Numbers, copies: float) -> Iterator[Evidence]:
    """Single values that are much more frequent, or less, than before: defaults, stuck sensors, caps."""
    present = view.values[~np.isnan(view.values)]
    kinds, counts = np.unique(present, return_counts=True)
    known = dict(learned["atoms"])
    n, total, rarer = present.size, reference.rows, learned["rarer"]
    found = dict(zip(kinds.tolist(), counts.tolist(), strict=True))
    frequent = [float(kinds[i]) for i in np.argsort(-counts)[:20]]
    both = sorted(known, key=lambda v: -(known[v] + found.get(v, 0)))[:20]
    for value in dict.fromkeys([*frequent, *both]):
        k = int(found.get(value, 0))
        K = int(known.get(value, rarer))
        new = value not in known
        yield Evidence(
            view.column,
            f"share of the value {value:.15g}" if not new else "a value that was rare is frequent",
            (rate_increase if new else rate_change)(int(k / copies), int(n / copies), K, total),
            abs(k / n - K / total) / (0.01 if K <= 2 else 0.05),
            f"{value:.15g} in {k} of {n}",
            f"in {K} of {total}",
            first_rows(view.values == value) if new else (),
            1 + (learned["pairs"] // 20 if new else 0),
            0.25,
            f"frequent {view.what}",
        )
