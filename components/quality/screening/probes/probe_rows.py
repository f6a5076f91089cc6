"""Rows as a whole: sent twice, joined twice, seen before; keys that repeat or come back."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain, suspicious
from kilnworks.components.quality.screening.probes.hashing import hash_column, hash_rows, local_hashes, pack, seen
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput, first_rows
from kilnworks.components.quality.stats.pvalues import chi2_tail, normal_tail, rate_increase

Flags = NDArray[np.bool_]
_LOOK_UP = 50_000
HALF_KEPT = 2000
"""Fingerprints of half rows that are remembered."""


class RowProbe:
    """Looks for repeated rows and keys inside the file, and for rows and keys of the clean file in it."""

    name = "rows"

    def learn(self, batch: ProbeInput) -> Learned:
        """Sets of fingerprints of rows and keys, and how common equal rows are in the clean file."""
        table = batch.table
        keys = table.names("key")
        content = hash_rows(table, contents(batch))
        return {
            "rows": table.rows,
            "twins": twin_rows(content),
            "collision": collision(content),
            "columns": contents(batch),
            "content": pack(content),
            "halves": _halves(batch),
            "keys": {k: pack(hash_column(table, k)) for k in keys if _unique(hash_column(table, k))},
            "counters": [k for k in keys if counts_rows(table, k)],
        }

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """Repeats inside the batch, then overlap with the clean rows."""
        content = batch.content
        keys = [k for k in learned["keys"] if k in batch.table.frame.columns]
        rich = learned["twins"] < 0.02 * learned["rows"]
        if rich and content.size and not keys:
            yield from _repeats(content, "rows repeated", learned)
        elif content.size and not rich:
            yield from _block(content, learned["collision"])
        for key in keys:
            yield from _repeated_keys(batch, key, content)
        if rich and content.size and keys:
            yield from _repeats(content, "rows repeated under new keys", learned)
        yield from _seen_before(learned, batch, keys)
        yield from _half_seen(learned, batch)
        yield from _totals(batch.table)


def _halves(batch: ProbeInput) -> list[dict[str, Any]]:
    """Fingerprints of rows over every other column, where such halves still tell rows apart."""
    table = batch.table
    names = sorted(contents(batch), key=lambda n: -table.frame[n].n_unique())
    found = []
    for half in (names[::2], names[1::2]):
        hashes = hash_rows(table, half)
        twins = twin_rows(hashes)
        if twins < 0.02 * table.rows:
            found.append({"columns": half, "twins": twins, "content": pack(hashes, HALF_KEPT)})
    return found


def _half_seen(learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
    """Rows of the clean file that come back with some columns changed."""
    table = batch.table
    if table.rows > _LOOK_UP:
        table = table.take(np.linspace(0, table.rows - 1, _LOOK_UP).astype(np.int64))
    for half in learned.get("halves", []):
        if not set(half["columns"]) <= set(table.frame.columns):
            continue
        can, hit = seen(half["content"], hash_rows(table, half["columns"]))
        k, n, usual = int((can & hit).sum()), int(can.sum()), half["twins"] / learned["rows"]
        if k >= 0.99 * n:
            continue
        yield Evidence(
            None,
            "rows of the clean file come back in part",
            rate_increase(k, n, half["twins"], learned["rows"]),
            (k / n - usual) / 0.01,
            f"{k} of {n} looked up are known in {', '.join(half['columns'][:6])}",
            f"about {usual:.1%} by chance",
            weight=10,
        )


def _totals(table: Table) -> Iterator[Evidence]:
    """A last row that holds the sums of the others."""
    sums = 0
    for name in table.names("number"):
        values = table.numbers(name)
        others = values[:-1][~np.isnan(values[:-1])]
        rest, largest = float(others.sum()), float(np.abs(others).max(initial=0.0))
        sums += bool(abs(rest) > 3 * largest > 0 and abs(values[-1] - rest) <= 1e-6 * abs(rest))
    if sums:
        yield certain(None, "the last row holds totals", f"{sums} columns", "rows of one kind", (table.rows,))


def contents(batch: ProbeInput) -> list[str]:
    """The columns that make up a row's content: all but its keys."""
    return batch.table.names("number", "category", "text", "datetime")


def twin_rows(hashes: NDArray[np.uint64]) -> int:
    """Rows that have at least one equal among the others."""
    _, counts = np.unique(hashes, return_counts=True)
    return int(counts[counts > 1].sum())


def collision(hashes: NDArray[np.uint64]) -> float:
    """Probability that two different rows are equal."""
    _, counts = np.unique(hashes, return_counts=True)
    n = hashes.size
    return float((counts * (counts - 1.0)).sum() / (n * (n - 1.0))) if n > 1 else 0.0


def copies(hashes: NDArray[np.uint64], usual: float) -> float:
    """How many times more often rows repeat than ``usual`` (a collision probability) explains, in rows per row."""
    if hashes.size < 2:
        return 1.0
    _, counts = np.unique(hashes, return_counts=True)
    ratio = float((counts**2.0).sum() / counts.sum()) / (1 + (hashes.size - 1) * usual)
    return ratio if ratio > 1.1 else 1.0


def counts_rows(table: Table, key: str) -> bool:
    """Whether a key just numbers the rows of its file, from 0 or 1: each file then begins again."""
    if not table.specs[key].integer:
        return False
    values = table.frame[key].cast(pl.Float64, strict=False).to_numpy()
    return bool(values.size > 1 and values[0] in (0.0, 1.0) and (np.diff(values) == 1).all())


def _unique(hashes: NDArray[np.uint64]) -> bool:
    return bool(np.unique(hashes).size == hashes.size)


def first_seen(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row the position of the first row equal to it, [n]."""
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def repeats(hashes: NDArray[np.uint64]) -> Flags:
    """Which rows are equal to an earlier one, [n]."""
    return ~pl.Series(hashes).is_first_distinct().to_numpy()


def _repeats(hashes: NDArray[np.uint64], rule: str, learned: Learned) -> Iterator[Evidence]:
    """Equal rows: how likely if rows had been drawn with replacement, which is what chance repeats look like."""
    again = repeats(hashes)
    k, n = int(again.sum()), hashes.size
    seen_text = f"{k} of {n} rows are repeats"
    if k < 2:
        return
    first = first_seen(hashes)
    log_p, how = unlike_chance(hashes, first, again)
    log_p = max(log_p, rate_increase(2 * k, 2 * n, learned["twins"], learned["rows"]))
    effect = max(k / n / 0.01, 0.5)
    yield Evidence(None, f"{rule}{how}", log_p, effect, seen_text, "each row once", first_rows(again), 3)


def _block(hashes: NDArray[np.uint64], usual: float) -> Iterator[Evidence]:
    """A stretch of rows that comes again later in the same order, in data where equal rows are common."""
    n = hashes.size
    order = np.argsort(hashes, kind="stable")
    same = hashes[order][1:] == hashes[order][:-1]
    distance = (order[1:] - order[:-1])[same]
    distance = distance[distance >= max(5, n // 20)]
    if distance.size == 0:
        return
    far = int(np.bincount(distance).argmax())
    k, pairs = int((hashes[far:] == hashes[:-far]).sum()), n - far
    chance = max(usual, collision(hashes))
    yield Evidence(
        None,
        "rows repeated: as a block",
        rate_increase(k, pairs, round(chance * 1e6) + 1, 1_000_000),
        k / n / 0.05,
        f"{k} rows are equal to those {far} rows before",
        f"{chance:.2%} of pairs are equal by chance",
        tests=n,
    )


def unlike_chance(hashes: NDArray[np.uint64], first: NDArray[np.int64], again: Flags) -> tuple[float, str]:
    """log10 p of the repeats' places and multiplicities under random drawing with replacement, and a word for how."""
    n, k = first.size, int(again.sum())
    distance = np.flatnonzero(again) - first[again]
    neighbours = int((hashes[1:] == hashes[:-1]).sum())
    adjacent = rate_increase(neighbours, n, 0, n) * 1.0 if neighbours > 5 * k * k / n / n + 2 else 0.0
    offsets, counts = np.unique(distance, return_counts=True)
    common = int(counts.max())
    block = -1.5 * common if offsets.size and common > 3 and common > 0.1 * k else 0.0
    places = np.flatnonzero(again) / n
    late = float(normal_tail((places.mean() - 2 / 3) / math.sqrt(1 / 18 / k))) if places.mean() > 2 / 3 else 0.0
    counts_test = _poisson_like(hashes)
    results = {": one after the other": adjacent, ": as a block": block, ": at the end": late, "": counts_test}
    best = min(results, key=lambda w: results[w])
    return results[best], best


def _poisson_like(hashes: NDArray[np.uint64]) -> float:
    """Chi-squared test of multiplicities against a Poisson law without zero."""
    _, counts = np.unique(hashes, return_counts=True)
    mean = hashes.size / counts.size
    rate = max(2 * (mean - 1), 1e-9)
    for _ in range(60):
        rate = max(mean * (1 - math.exp(-rate)), 1e-9)
    most = int(max(4, counts.max()))
    law = np.array([math.exp(j * math.log(rate) - math.lgamma(j + 1)) for j in range(1, most + 1)])
    expected = law / law.sum() * counts.size
    found = np.bincount(counts, minlength=most + 1)[1:].astype(float)
    cut = max(2, int(np.searchsorted(-expected, -5.0)))
    e = np.append(expected[:cut], expected[cut:].sum())
    f = np.append(found[:cut], found[cut:].sum())
    keep = e > 1.0
    statistic = float(((np.abs(f - e)[keep]) ** 2 / e[keep]).sum())
    return chi2_tail(statistic, int(keep.sum()) - 1)


def _repeated_keys(batch: ProbeInput, key: str, content: NDArray[np.uint64]) -> Iterator[Evidence]:
    names = local_hashes(batch.table.frame.select(key))
    filled = ~batch.table.missing(key)
    again = repeats(names) & filled
    k = int(again.sum())
    if k == 0:
        return
    first = first_seen(names)
    other = again & (content != content[first]) if content.size else again
    what = f"{k} of {first.size} keys repeat"
    if other.any():
        report = certain if other.sum() >= max(3, 0.01 * first.size) else suspicious
        yield report(key, "keys are unique: the same key on different rows", what, "each key once", first_rows(other))
        return
    log_p, how = unlike_chance(names, first, again)
    report = certain if log_p < -4 else suspicious
    yield report(key, f"keys are unique: whole rows repeated{how}", what, "each key once", first_rows(again))


def _seen_before(learned: Learned, batch: ProbeInput, keys: list[str]) -> Iterator[Evidence]:
    rows = np.arange(batch.table.rows)
    if rows.size > _LOOK_UP:
        rows = np.linspace(0, rows.size - 1, _LOOK_UP).astype(np.int64)
    table = batch.table.take(rows)
    same = set(learned["columns"]) == set(contents(batch))
    can, hit = seen(learned["content"], hash_rows(table, learned["columns"])) if same else (rows < 0, rows < 0)
    n, k = int(can.sum()), int((can & hit).sum())
    whole = n > 0 and k >= 0.99 * n
    known = {key: _key_overlap(learned["keys"][key], hash_column(table, key)) for key in keys}
    all_keys = all(k_ >= 0.99 * n_ for k_, n_, _ in known.values())
    if whole and all_keys and batch.table.rows >= 0.99 * learned["rows"]:
        return
    if whole and all_keys and learned["twins"] < 0.5 * learned["rows"]:
        yield suspicious(None, "every row is a row of the clean file", f"{k} of {n} looked up", "new rows")
        return
    for key, (k_, n_, flags) in known.items():
        again = key in learned["counters"] and counts_rows(batch.table, key)
        if k_ >= 2 and not again:
            report = certain if k_ >= max(3, 0.02 * n_) else suspicious
            found = tuple((rows[flags][:5] + 1).tolist())
            yield report(key, "keys seen in the clean file come back", f"{k_} of {n_} looked up", "new keys", found)
    if n:
        yield Evidence(
            None,
            "rows of the clean file come back",
            rate_increase(k, n, learned["twins"], learned["rows"]),
            (k / n - learned["twins"] / learned["rows"]) / 0.01,
            f"{k} of {n} looked up",
            f"about {learned['twins'] / learned['rows']:.1%} by chance",
            tuple((rows[can & hit][:5] + 1).tolist()),
            weight=20,
        )


def _key_overlap(packed: dict[str, object], hashes: NDArray[np.uint64]) -> tuple[int, int, Flags]:
    can, hit = seen(packed, hashes)
    return int((can & hit).sum()), int(can.sum()), can & hit
