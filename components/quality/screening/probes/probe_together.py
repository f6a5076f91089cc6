"""Several columns at once: what goes with what, the label's relation to the features, many small shifts together.

One matrix is remembered: how often any two codes of any two columns meet in a row (``encode``). From it follow
the table of each pair, ridge regressions of each column on all others, and the covariance of all columns.
"""

import base64
import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.probes.encode import Codes, Coding, encode, learn_codings, one_hot
from kilnworks.components.quality.screening.probes.evidence import Evidence
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput
from kilnworks.components.quality.screening.probes.stretches import TOGETHER
from kilnworks.components.quality.stats.memory import inflation
from kilnworks.components.quality.stats.pvalues import cell_z, chi2_tail, normal_tail, rate_increase

Floats = NDArray[Any]

ROWS = 20_000
"""Most rows that are looked at (evenly spread)."""
FOLDS = 4
LEAST = 100
"""Fewer reference rows than this are not compared."""
_MEETINGS = 8.0
"""A pair of codes that should have met this often by chance, and never did, is called impossible."""


class TogetherProbe:
    """Compares the joint distribution of the columns."""

    name = "together"

    def learn(self, batch: ProbeInput) -> Learned:
        """Codings, the matrix of meetings, how well each column follows from the others, rate of new pairs."""
        codings = learn_codings(batch)
        codes = _spread(encode(batch, codings))
        if len(codings) < 2 or codes.shape[0] < LEAST:
            return {}
        z, places = one_hot(codes, codings)
        gram = _meetings(z)
        return {
            "codings": [c.to_json() for c in codings],
            "rows": int(z.shape[0]),
            "meetings": _pack(gram),
            "follows": _learn_follows(z, places, codings),
            "impossible": _learn_impossible(z, places, _numbers(codings, batch)),
            "ordered": _numbers(codings, batch),
            "inflation": max(inflation(column.astype(float)) for column in z.T) if batch.in_order else 1.0,
        }

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """Each column from the others, single cells of pairs, impossible pairs, all means at once."""
        if not learned:
            return
        all_codings = [Coding.from_json(c) for c in learned["codings"]]
        if any(c.column not in batch.sample.frame.columns for c in all_codings):
            return
        codes = _spread(encode(batch, all_codings))
        z, places = one_hot(codes, all_codings)
        reference = _unpack(learned["meetings"], z.shape[1])
        if z.shape[0] < 20:
            return
        weaker = learned["inflation"] * batch.copies
        yield from _follows(learned, reference, z, places, all_codings, batch.label, weaker)
        yield from _cells(reference, learned["rows"], z, places, all_codings, weaker)
        yield _impossible(learned, reference, z, places, all_codings)
        yield _all_means(reference, learned["rows"], z, places, all_codings, weaker)


def _spread(codes: Codes) -> Codes:
    n = codes.shape[0]
    return codes if n <= ROWS else codes[np.linspace(0, n - 1, ROWS).astype(int)]


def _pack(gram: Floats) -> str:
    upper = gram[np.triu_indices(gram.shape[0])].astype("<u4")
    return base64.b85encode(zlib.compress(upper.tobytes(), 9)).decode()


def _unpack(text: str, size: int) -> Floats:
    gram = np.zeros((size, size))
    gram[np.triu_indices(size)] = np.frombuffer(zlib.decompress(base64.b85decode(text)), "<u4")
    return gram + np.triu(gram, 1).T


def _target(coding: Coding) -> Floats:
    """How a column's codes become what is predicted: the score of a number, the indicators of a category."""
    return np.asarray(coding.scores)[:, None] if coding.scores else np.eye(coding.size)


def _regressions(gram: Floats, places: list[slice]) -> list[Floats]:
    """For each column the ridge weights [size, its codes] of all other columns' codes (0 for its own).

    All come from one inverse: with P = inv(G + ridge), the weights of a block on the others are -P_ob inv(P_bb).
    """
    rows = float(np.trace(gram[places[0], places[0]]))
    inverse = np.linalg.inv(gram + np.eye(gram.shape[0]) * (10 + 0.005 * rows))
    found = []
    for place in places:
        weights = np.asarray(-inverse[:, place] @ np.linalg.inv(inverse[place, place]), float)
        weights[place] = 0.0
        found.append(weights)
    return found


def _agreements(gram: Floats, z: Floats, places: list[slice], codings: list[Coding]) -> Floats:
    """By row and column, the product of actual and predicted deviation from the column's mean, summed; [n, columns]."""
    regressions = _regressions(gram, places)
    rows = float(np.trace(gram[places[0], places[0]]))
    actual, predicted, means, starts = [], [], [], [0]
    for weights, place, coding in zip(regressions, places, codings, strict=True):
        target = _target(coding)
        own = np.zeros((z.shape[1], target.shape[1]))
        own[place] = target
        actual.append(own)
        predicted.append(weights @ target)
        means.append(np.diag(gram)[place] @ target / rows)
        starts.append(starts[-1] + target.shape[1])
    mean = np.concatenate(means).astype(z.dtype)
    product = z @ np.hstack(actual).astype(z.dtype) - mean
    product *= z @ np.hstack(predicted).astype(z.dtype) - mean
    return np.add.reduceat(product, starts[:-1], axis=1)


def _learn_follows(z: Floats, places: list[slice], codings: list[Coding]) -> dict[str, list[float]]:
    """Mean and deviation of ``_agreements`` on rows that the regressions did not see, where clearly above 0."""
    folds = np.arange(z.shape[0]) % FOLDS
    values = np.empty((z.shape[0], len(places)))
    for f in range(FOLDS):
        values[folds == f] = _agreements(_meetings(z[folds != f]), z[folds == f], places, codings)
    found = {}
    for coding, column in zip(codings, values.T, strict=True):
        mean, sd = float(column.mean()), float(column.std())
        if sd > 0 and mean / sd * math.sqrt(column.size) > 5:
            found[coding.column] = [mean, sd]
    return found


def _meetings(z: Floats) -> Floats:
    """How often each two codes meet in a row, [size, size]."""
    return np.asarray(z.T @ z, np.float64)


def _follows(
    learned: Learned,
    gram: Floats,
    z: Floats,
    places: list[slice],
    codings: list[Coding],
    label: str | None,
    weaker: float,
) -> Iterator[Evidence]:
    n, total = z.shape[0] / weaker, learned["rows"] / weaker
    agreements = _agreements(gram, z, places, codings)
    for coding, values in zip(codings, agreements.T, strict=True):
        if coding.column not in learned["follows"]:
            continue
        mean, sd = learned["follows"][coding.column]
        now = float(values.mean(dtype=np.float64))
        spread = max(sd, float(values.std(dtype=np.float64)))
        score = (mean - now) / (spread * math.sqrt(1 / n + 1 / total))
        lost = 1 - now / mean
        what = "the label follows from the features" if coding.column == label else "values follow from the others"
        yield Evidence(
            coding.column,
            what,
            float(normal_tail(score)) if score > 0 else 0.0,
            lost / 0.4,
            f"{1 - lost:.0%} of the usual connection",
            "about 100%",
            weight=30 if coding.column == label else 2,
            soft=coding.column != label,
        )


def _cells(
    reference: Floats, total: int, z: Floats, places: list[slice], codings: list[Coding], weaker: float
) -> Iterator[Evidence]:
    """The pair of codes whose share moved the most, one result for each column."""
    n = z.shape[0]
    now = _meetings(z)
    score = cell_z(now / weaker, n / weaker, reference / weaker, total / weaker)
    tests = score.size / 2 / len(codings)
    owner = np.concatenate([np.full(p.stop - p.start, j) for j, p in enumerate(places)])
    score[owner[:, None] == owner[None, :]] = 0.0
    for j, place in enumerate(places):
        block = np.abs(score[place, place.stop :])
        if block.size == 0:
            continue
        i, k = (int(v) for v in np.unravel_index(int(np.argmax(block)), block.shape))
        a, b = place.start + i, place.stop + k
        other = codings[owner[b]]
        yield Evidence(
            codings[j].column,
            f"share of a combination with {other.column}",
            float(normal_tail(score[a, b])),
            abs(now[a, b] / n - reference[a, b] / total) / 0.06,
            f"{now[a, b]:.0f} of {n}: {_code(codings[j], i)} with {_code(other, b - places[owner[b]].start)}",
            f"{reference[a, b]:.0f} of {total}",
            (),
            max(1, int(tests)),
            0.02,
            family=TOGETHER,
            soft=True,
        )


def _code(coding: Coding, i: int) -> str:
    if i == coding.size - 1:
        return f"{coding.column} missing"
    if coding.levels:
        return f"{coding.column} = {coding.levels[i]!r}" if i < len(coding.levels) else f"{coding.column} = another"
    if i == len(coding.edges):
        return f"{coding.column} > {coding.edges[-1]:.6g}"
    return f"{coding.column} <= {coding.edges[i]:.6g}"


def _numbers(codings: list[Coding], batch: ProbeInput) -> list[bool]:
    """Which codings are of numbers that may change with time: then a code next to one that occurs is possible."""
    return [bool(c.scores) and batch.axis is not None for c in codings]


def _near(gram: Floats, places: list[slice], numbers: list[bool]) -> Floats:
    """How often codes meet, or their neighbours where the codes are ranges of a number; the last code is missing."""
    wide = gram
    for place, number in zip(places, numbers, strict=True):
        if number:
            wide = wide.copy()
            block = wide[place.start : place.stop - 1]
            block[1:] += gram[place.start : place.stop - 2]
            block[:-1] += gram[place.start + 1 : place.stop - 1]
            gram = wide
    return wide


def _never(gram: Floats, places: list[slice], meetings: float, numbers: list[bool]) -> NDArray[np.intp]:
    """Pairs of codes [m, 2] that never meet although chance would have them meet ``meetings`` times."""
    near = _near(_near(gram, places, numbers).T, places, numbers)
    counts = np.diag(gram)
    rows = counts[places[0]].sum()
    expected = np.outer(counts, counts) / rows
    owner = np.concatenate([np.full(p.stop - p.start, j) for j, p in enumerate(places)])
    never = (near == 0) & (expected >= meetings) & (owner[:, None] < owner[None, :])
    return np.argwhere(never)


def _meet(z: Floats, pairs: NDArray[np.intp]) -> NDArray[np.bool_]:
    hits = np.zeros(z.shape[0], bool)
    flags = z > 0
    for a, b in pairs:
        hits |= flags[:, a] & flags[:, b]
    return hits


def _learn_impossible(z: Floats, places: list[slice], numbers: list[bool]) -> list[int]:
    """Rows of one half that break what the other half never shows, and rows of a half."""
    even = z[::2]
    never = _never(_meetings(even), places, _MEETINGS, numbers)
    return [int(_meet(z[1::2], never).sum()), int(z[1::2].shape[0])]


def _impossible(learned: Learned, reference: Floats, z: Floats, places: list[slice], codings: list[Coding]) -> Evidence:
    never = _never(reference, places, 2 * _MEETINGS, learned.get("ordered") or [False] * len(codings))
    hits = _meet(z, never)
    k, n = int(hits.sum()), hits.size
    K, half = learned["impossible"]
    example = ""
    if k:
        counts = [int((z[:, a] * z[:, b]).sum()) for a, b in never]
        a, b = never[int(np.argmax(counts))]
        names = []
        for code in (a, b):
            j = next(i for i, p in enumerate(places) if p.start <= code < p.stop)
            names.append(_code(codings[j], int(code - places[j].start)))
        example = f", e.g. {names[0]} with {names[1]}"
    return Evidence(
        None,
        "combinations of columns that never occur",
        rate_increase(k, n, K, half),
        (k / n - K / half) / 0.01,
        f"{k} of {n} rows{example}",
        f"{K} of {half}",
        weight=20,
        soft=True,
    )


def _all_means(
    reference: Floats, total: int, z: Floats, places: list[slice], codings: list[Coding], weaker: float
) -> Evidence:
    """Hotelling's T-squared of all normal scores and indicators: many shifts too small to be seen one by one."""
    n = z.shape[0]
    blocks: list[Any] = []
    for place, coding in zip(places, codings, strict=True):
        if coding.scores:
            blocks.append((place, np.asarray(coding.scores)[:, None]))
        shares = np.diag(reference)[place] / total
        keep = [i for i in range(coding.size) if min(n, total) * shares[i] >= 8 and shares[i] < 0.97]
        keep = keep[1:] if coding.levels and len(keep) > 1 else [i for i in keep if i == coding.size - 1]
        if keep:
            blocks.append((place, np.eye(coding.size)[:, keep]))
    mapping = np.zeros((z.shape[1], sum(b.shape[1] for _, b in blocks)))
    at = 0
    for place, b in blocks:
        mapping[place, at : at + b.shape[1]] = b
        at += b.shape[1]
    mean = np.diag(reference) @ mapping / total
    covariance = mapping.T @ reference @ mapping / total - np.outer(mean, mean)
    shift = z.mean(axis=0) @ mapping - mean
    size = shift.size
    ridge = np.diag(np.diag(covariance)) * 0.03 + np.eye(size) * 1e-9
    distance = float(shift @ np.linalg.solve(covariance + ridge, shift)) if size else 0.0
    weight = n * total / (n + total) / weaker
    statistic = distance * weight * max(0.0, (total - size - 2) / total)
    excess = math.sqrt(max(0.0, statistic - size) / weight)
    return Evidence(
        None,
        "all columns together (Hotelling's T-squared)",
        chi2_tail(statistic, size),
        excess / 0.4,
        f"means moved by {excess:.2f} standard deviations in all",
        "below 0.1",
        weight=30,
        soft=True,
    )
