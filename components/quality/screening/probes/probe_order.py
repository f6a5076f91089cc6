"""The order of rows: sorting, gaps in time, time ahead or back, values that stick, memory from row to row."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.probes.evidence import Evidence
from kilnworks.components.quality.screening.probes.gaps import DAY, learn_gaps, no_gaps
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput
from kilnworks.components.quality.stats.pvalues import normal_tail, rate_increase

Floats = NDArray[np.float64]
MOMENTS = 8
"""Different moments that rows sorted by time must have; many rows may share one (a row a shop and day)."""
NEIGHBOURS = 20_000
"""Rows, evenly spread, that are compared with the next one."""
STUCK = "stuck"
MIXED = 4.0
"""Standard errors up to which the clean rows count as rows in random order."""


class OrderProbe:
    """Compares what depends on the order of the rows."""

    name = "order"

    def learn(self, batch: ProbeInput) -> Learned:
        """By column: direction of sorting, memory from row to row, longest run; for a stream its end and gaps."""
        columns = {n: _learn_column(batch, n) for n in _ordered(batch)}
        stream = batch.notes.get("stream")
        return {"columns": columns, "stream": _learn_stream(batch, stream) if stream else None}

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """Sorting, memory and runs by column; gaps and place in time of a stream."""
        stream = learned["stream"]
        regular = stream is not None and stream["regular"] > 0.5 and _as_regular(stream, batch)
        sorted_now = any(
            kept.get("mixed") and name in batch.table.everything and _grouped(_codes(batch.sample, name))
            for name, kept in learned["columns"].items()
        )
        for name in _ordered(batch):
            if name in learned["columns"]:
                for e in _compare_column(learned["columns"][name], batch, name, regular):
                    yield replace(e, effect=min(e.effect, 0.9)) if sorted_now and e.family == STUCK else e
        if stream and stream["column"] in batch.table.names("datetime"):
            yield from _compare_stream(stream, batch)


def _grouped(values: Floats) -> bool:
    """Whether equal values stand together throughout, as in a file that was sorted by them or by what they follow."""
    present = values[~np.isnan(values)]
    kinds = np.unique(present).size
    runs = 1 + int((present[1:] != present[:-1]).sum())
    return bool(present.size >= 5 * kinds and kinds >= 2 and runs <= 1.1 * kinds)


def find_stream(batch: ProbeInput) -> str | None:
    """The datetime column that the clean rows are sorted by, if any: later rows are then to be expected."""
    for name in batch.table.names("datetime"):
        values = batch.table.numbers(name)
        values = values[~np.isnan(values)]
        if values.size >= 20 and np.unique(values).size >= MOMENTS and (np.diff(values) >= 0).mean() > 0.999:
            return name
    return None


def _ordered(batch: ProbeInput) -> list[str]:
    whole = [n for n in batch.table.names("key") if batch.table.specs[n].integer]
    return [*batch.table.names("number", "datetime", "category"), *whole]


def _codes(table: Table, name: str) -> Floats:
    """Values by row as numbers, NaN = missing; equal texts get equal codes."""
    if table.specs[name].kind == "category":
        codes = table.texts(name).hash(seed=3).to_numpy() % np.uint64(2**52)
        return np.where(table.missing(name), np.nan, codes.astype(float))
    return table.numbers(name)


def _learn_column(batch: ProbeInput, name: str) -> dict[str, Any]:
    values = _codes(batch.table, name)
    stream = batch.notes.get("stream")
    up, down = _steps(values) if name == stream else (0, 0)
    kinds, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return {
        "up": up,
        "down": down,
        "memory": _memory(values) if stream and batch.table.specs[name].kind != "category" else 0.0,
        "mixed": stream is None and name not in batch.advances and abs(_togetherness(batch, name)) < MIXED,
        "run": max(_longest_run(v)[0] for v in _both_orders(batch, name)),
        "top": float(counts.max() / counts.sum()) if counts.size else 1.0,
        "rows": int(counts.sum()),
        "distinct": int(kinds.size),
    }


def _both_orders(batch: ProbeInput, name: str) -> list[Floats]:
    """The values in the order of the file and in that of time, in which a later file may come."""
    values = _codes(batch.sample, name)
    return [values] if batch.axis is None else [values, values[batch.axis.order(batch.sample)]]


def _steps(values: Floats) -> tuple[int, int]:
    change = np.diff(values[~np.isnan(values)])
    return int((change > 0).sum()), int((change < 0).sum())


def _memory(values: Floats) -> float:
    """Rank-like correlation of each value with the next one, [-1, 1]."""
    present = values[~np.isnan(values)][:200_000]
    if present.size < 30:
        return 0.0
    kinds, place, counts = np.unique(present, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2)[place]
    a, b = ranks[:-1] - ranks[:-1].mean(), ranks[1:] - ranks[1:].mean()
    norm = math.sqrt(float((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / norm) if norm > 0 and kinds.size > 5 else 0.0


def _longest_run(values: Floats) -> tuple[int, float, int]:
    """Length, value and first row of the longest run of one value, missing ones apart."""
    same = np.concatenate([[False], (values[1:] == values[:-1]) & ~np.isnan(values[1:]), [False]])
    edges = np.flatnonzero(np.diff(same.astype(np.int8)))
    if edges.size == 0:
        return 1, math.nan, 0
    starts, ends = edges[::2], edges[1::2]
    i = int(np.argmax(ends - starts))
    return int(ends[i] - starts[i]) + 1, float(values[starts[i]]), int(starts[i])


def _compare_column(kept: dict[str, Any], batch: ProbeInput, name: str, regular: bool) -> Iterator[Evidence]:
    if name == batch.notes.get("stream") and kept["down"] == 0:
        values = batch.table.numbers(name)
        n, (_, down) = int((~np.isnan(values)).sum()), _steps(values)
        yield Evidence(
            name,
            "rows are in rising order",
            rate_increase(down, n, 0, kept["rows"]) * 2 if n else 0.0,
            0.9,
            f"{down} steps back in {n} rows",
            "none",
        )
    if kept.get("mixed"):
        yield _still_mixed(batch, name)
    if batch.table.specs[name].kind != "key":
        yield from _run(kept, _codes(batch.sample, name), name, batch)
    if regular and abs(kept["memory"]) > 0.2 and kept["memory"] ** 2 * kept["rows"] > 60 and kept["down"] == 0:
        yield from _memory_kept(kept, batch.table.numbers(name), name)


def _togetherness(batch: ProbeInput, name: str) -> float:
    """How much more alike neighbouring rows are than rows in random order, in standard errors.

    Rank correlation of numbers; of a few kinds of values the share of equal neighbours (four of them for free, for
    rare kinds are not normally distributed).
    """
    values = _codes(batch.sample, name)
    values = values[:: max(1, values.size // NEIGHBOURS)]
    present = values[~np.isnan(values)]
    n = present.size
    if n < 30:
        return 0.0
    if batch.table.specs[name].kind != "category" and np.unique(present).size > 5:
        return math.atanh(min(_memory(present), 0.999)) * math.sqrt(n - 3)
    shares = np.unique(present, return_counts=True)[1] / n
    by_chance, cubes = float((shares**2).sum()), float((shares**3).sum())
    spread = math.sqrt(max((by_chance + by_chance**2 - 2 * cubes) / n, 0.0))
    more = float((present[1:] == present[:-1]).mean()) - by_chance
    return math.copysign(max(abs(more) - 4 / n, 0.0), more) / spread if spread > 0 else 0.0


def _still_mixed(batch: ProbeInput, name: str) -> Evidence:
    z = _togetherness(batch, name)
    return Evidence(
        name,
        "rows are in no order of this column",
        float(normal_tail(z * 0.9)) if z > 0 else 0.0,
        0.9,
        "equal or near values stand together, as in a sorted file",
        "rows in random order",
        weight=20 if name == batch.label else 1,
    )


def _memory_kept(kept: dict[str, Any], values: Floats, name: str) -> Iterator[Evidence]:
    n = int((~np.isnan(values)).sum())
    if n < 50:
        return
    memory = _memory(values)
    z = (math.atanh(min(abs(kept["memory"]), 0.999)) - math.atanh(min(abs(memory), 0.999))) * math.sqrt(n - 3)
    yield Evidence(
        name,
        "each value resembles the one before",
        -(z**2) / 12 if z > 0 else 0.0,
        min(0.9, (abs(kept["memory"]) - abs(memory)) / 0.3 * 0.9),
        f"correlation with the next row {memory:.2f}",
        f"{kept['memory']:.2f}",
    )


def _run(kept: dict[str, Any], values: Floats, name: str, batch: ProbeInput) -> Iterator[Evidence]:
    """A value that stays the same for longer than chance and the clean file allow: a stuck sensor."""
    length, value, start = _longest_run(values)
    if kept["distinct"] < 2 or kept["run"] > 0.2 * kept["rows"]:
        return
    share = max(min(kept["top"] * 1.5, 1 - 0.7 * (1 - kept["top"])), 3 / kept["rows"])
    chance = math.log10(values.size) + (length - 1) * math.log10(share)
    usual = kept["run"] * _run_growth(kept, values.size)
    if length <= 2 * usual + 2:
        chance = 0.0
    yield Evidence(
        name,
        "a value is stuck over many rows",
        min(0.0, chance),
        length / (2 * usual + 2),
        f"{length} equal values in a row (code {value:.6g})",
        f"at most {kept['run']}",
        tuple((batch.sample_rows[start : start + min(length, 5)] + 1).tolist()),
        family=STUCK,
        soft=batch.table.specs[name].kind == "category",
    )


def _as_regular(kept: dict[str, Any], batch: ProbeInput) -> bool:
    """Whether the batch, too, goes on in the usual steps, so that neighbours can be compared."""
    if kept["column"] not in batch.table.names("datetime"):
        return False
    step, regular = _usual(np.abs(np.diff(_moments(batch, kept["column"]))))
    return regular > 0.8 * kept["regular"] and abs(step - kept["step"]) <= 0.01 * kept["step"]


def _run_growth(kept: dict[str, Any], n: int) -> float:
    """How much longer the longest run of ``n`` rows may be: in proportion where equal values stand together."""
    by_chance = math.log(kept["rows"]) / -math.log(min(max(kept["top"], 1e-9), 0.999))
    if kept["run"] > 1.2 * by_chance + 1 or n > 2 * kept["rows"]:
        return max(1.0, n / kept["rows"])
    return 1 + 0.2 * math.log2(1 + n / kept["rows"])


def _learn_stream(batch: ProbeInput, name: str) -> dict[str, Any]:
    values = _moments(batch, name)
    gaps = np.diff(values)
    gaps = gaps[gaps > 0]
    step, regular = _usual(gaps)
    return {
        "column": name,
        **learn_gaps(values),
        "step": step,
        "regular": regular,
        "ties": float(1 - gaps.size / max(values.size - 1, 1)),
    }


def _moments(batch: ProbeInput, name: str) -> Floats:
    values = batch.table.numbers(name)
    return values[~np.isnan(values)]


def _usual(gaps: Floats) -> tuple[float, float]:
    """The most frequent step in seconds and its share."""
    if gaps.size == 0:
        return 0.0, 0.0
    kinds, counts = np.unique(np.round(gaps, 3), return_counts=True)
    i = int(np.argmax(counts))
    return float(kinds[i]), float(counts[i] / gaps.size)


def _compare_stream(kept: dict[str, Any], batch: ProbeInput) -> Iterator[Evidence]:
    name = kept["column"]
    values = _moments(batch, name)
    if values.size < 5:
        return
    yield from _place_in_time(kept, values, name)
    gaps = np.diff(np.sort(values))
    gaps = gaps[gaps > 0]
    if gaps.size < 10:
        return
    _, regular = _usual(gaps)
    if kept["regular"] > 0.9:
        odd = int((np.abs(gaps - kept["step"]) > 0.01 * kept["step"]).sum())
        K = round((1 - kept["regular"]) * kept["rows"])
        yield Evidence(
            name,
            "time goes on in equal steps",
            rate_increase(odd, gaps.size, K, kept["rows"]) * 3,
            1.0 if regular > 0.8 and gaps.max() > 2 * kept["step"] * _thinned(odd, gaps.size) else 0.9,
            f"{odd} steps are not {kept['step']:g} s, the longest {gaps.max():g} s",
            f"{kept['regular']:.1%} of the steps are {kept['step']:g} s",
        )
    yield from no_gaps(kept, values, name)


def _thinned(odd: int, gaps: int) -> float:
    """The longest gap, in steps, where moments were left out at random so that ``odd`` of the ``gaps`` are longer."""
    share = (odd + 0.5) / (gaps + 1)
    return 1 + math.log(gaps) / -math.log(share)


def _place_in_time(kept: dict[str, Any], values: Floats, name: str) -> Iterator[Evidence]:
    """Before the clean rows, far behind them, or most in place and some far away."""
    span = max(kept["last"] - kept["first"], DAY / 24)
    early = (kept["first"] - float(values.min())) / span
    if early > 0.02:
        share = float((values < kept["first"]).mean())
        text = f"{share:.0%} of the rows up to {early * span / DAY:.3g} days before the first"
        yield Evidence(name, "dates before the first one seen", -300.0, early / 0.1, text, "later rows", (), 0)
    after = values > kept["last"] + 0.02 * span
    late = (float(values.max()) - kept["last"]) / span
    start = (float(np.quantile(values, 0.02)) - kept["last"]) / span
    if late > 0.25 and start < 0 and after.mean() < 0.9:
        text = f"{after.mean():.0%} of the rows up to {late * span / DAY:.3g} days behind the last"
        yield Evidence(name, "dates far behind the last one seen", -300.0, late, text, "a continuation", (), 0)
    elif start > 3:
        text = f"the batch begins {start * span / DAY:.3g} days behind the last"
        effect = 1.0 if start > 20 and start * span > 300 * DAY else 0.5
        yield Evidence(name, "dates far behind the last one seen", -300.0, effect, text, "a continuation", (), 0)
