"""Columns that advance: judged by their steps, gaps and pace and by where they go on from, never by their level."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.quality.screening.columns.advance import Advance, cycle_of, group_codes, ordered_texts, usual_outline
from components.quality.screening.columns.date_parts import disagrees
from components.quality.screening.columns.table import Table
from components.quality.screening.probes.evidence import Evidence, certain, suspicious
from components.quality.screening.probes.gaps import learn_gaps, no_gaps
from components.quality.screening.probes.probe import Batch, Learned, first_rows
from components.quality.screening.probes.probe_rows import counts_rows
from components.quality.stats.pvalues import rate_increase

Floats = NDArray[np.float64]
DAY = 86400.0
JUMP = 100.0
"""A step this many times larger than any seen is none of the source's own."""
NUMBERED = 1.2
"""Up to so many times the last value is no jump: numbers with the year in front go from 2024001503 to 2025000001."""
PACE = 20.0
"""A pace this many times faster or slower than that of any stretch of the clean rows is another unit."""
STRETCHES = 20
"""Stretches of the clean rows whose paces are remembered."""
ENDS = 500
"""Most groups whose last values are remembered."""


class AdvanceProbe:
    """Compares how columns go on."""

    name = "advance"

    def learn(self, batch: Batch) -> Learned:
        """By column: where it ends, its steps and pace, how often it stays or repeats."""
        columns = {}
        for name, advance in batch.advances.items():
            learned = _LEARN[advance.form](batch, name, advance)
            if learned is not None:
                columns[name] = {"advance": advance.to_json(), **learned}
        return {"columns": columns}

    def compare(self, learned: Learned, batch: Batch) -> Iterator[Evidence]:
        """The steps of each column that the file has."""
        for name, kept in learned["columns"].items():
            if name in batch.table.everything and name in batch.advances:
                advance = Advance.from_json(kept["advance"])
                yield from _COMPARE[advance.form](kept, batch, name, advance)


def _moments(batch: Batch, advance: Advance) -> Floats:
    """The moment of each row, or its place in the file where no column says the time."""
    values = batch.axis.values(batch.table) if batch.axis is not None and advance.by == "time" else np.array([])
    return values if np.isfinite(values).any() else np.arange(batch.table.rows, dtype=float)


@dataclass(frozen=True)
class Steps:
    """The steps of a number in the order in which it goes on.

    Attributes:
        rows: positions of the rows that have a value, by group and moment (of one moment the smaller first); [n].
        values, moments: of these rows, [n].
        same: whether a row and the next are of one group, [n - 1].
        change, time: what value and moment grow by to the next row, [n - 1].
    """

    rows: NDArray[np.intp]
    values: Floats
    moments: Floats
    same: NDArray[np.bool_]
    change: Floats
    time: Floats

    def within(self) -> tuple[Floats, Floats]:
        """The changes and times between rows of one group."""
        return self.change[self.same], self.time[self.same]


def steps_of(table: Table, name: str, moments: Floats, within: str) -> Steps:
    """The steps of a column by ``moments`` [n], within the groups of another column where one is named."""
    values = table.numbers(name)
    codes = group_codes(table, within) if within else np.zeros(values.size, np.int64)
    known = np.flatnonzero(~np.isnan(values) & ~np.isnan(moments))
    rows = known[np.lexsort((values[known], moments[known], codes[known]))]
    same = np.diff(codes[rows]) == 0
    return Steps(rows, values[rows], moments[rows], same, np.diff(values[rows]), np.diff(moments[rows]))


def _steps(batch: Batch, name: str, advance: Advance) -> Steps:
    return steps_of(batch.table, name, _moments(batch, advance), advance.within)


def _learn_number(batch: Batch, name: str, advance: Advance) -> Learned | None:
    steps = _steps(batch, name, advance)
    change, time = steps.within()
    if change.size == 0:
        return None
    values, up = steps.values, change[change > 0]
    paces, stays = _paces(change, time)
    return {
        "first": float(values.min()),
        "last": float(values.max()),
        "begins": float(steps.moments.min()),
        "ends": float(steps.moments.max()),
        "rows": int(values.size),
        "steps": int(change.size),
        "back": int((change < 0).sum()),
        "step": float(np.median(up)) if up.size else 0.0,
        "largest": float(change.max()),
        "fastest": float(np.max(change[time > 0] / time[time > 0], initial=0.0)),
        "paces": paces,
        "stays": stays,
        "once": bool(np.unique(values).size == values.size >= 50 and batch.table.specs[name].kind != "key"),
        "numbers_rows": counts_rows(batch.table, name),
        "groups": _last_of_groups(batch, steps, advance),
    }


def _paces(change: Floats, time: Floats) -> tuple[list[float], float]:
    """Slowest and fastest pace, and the largest share of steps that stay, of stretches of neighbouring rows."""
    size = max(change.size // STRETCHES, 10)
    places = [slice(i, i + size) for i in range(0, max(change.size - size + 1, 1), size)]
    lasted = [float(time[p].sum()) for p in places]
    paces = [float(change[p].sum()) / t for p, t in zip(places, lasted, strict=True) if t > 0]
    stays = max(float((change[p] == 0).mean()) for p in places)
    return [min(paces, default=0.0), max(paces, default=0.0)], stays


def _last_of_groups(batch: Batch, steps: Steps, advance: Advance) -> dict[str, list[float]]:
    """By group its last value and moment, of few groups."""
    if not advance.within:
        return {}
    names = batch.table.texts(advance.within).fill_null("")
    lasts = np.append(np.flatnonzero(~steps.same), steps.values.size - 1)
    if lasts.size > ENDS:
        return {}
    return {names[int(steps.rows[i])]: [float(steps.values[i]), float(steps.moments[i])] for i in lasts}


def _compare_number(kept: Learned, batch: Batch, name: str, advance: Advance) -> Iterator[Evidence]:
    steps = _steps(batch, name, advance)
    if steps.values.size == 0:
        return
    change, _ = steps.within()
    back = steps.same & (steps.change < 0)
    if advance.by == "rows" and back.sum() > 0.2 * max(change.size, 1) and change.size >= 5:
        yield suspicious(name, "rows are in the order in which it counts on", f"{int(back.sum())} steps back", "none")
        return
    yield from _goes_back(kept, steps, back, name, advance)
    yield from _goes_on(kept, batch, steps, name, advance)
    yield from _jumps(kept, steps, name, batch.table.rows)
    yield from _pace(kept, steps, name, advance)
    yield from _stays(kept, change, name)
    if kept["once"]:
        yield from _twice(steps, name)


def _goes_back(kept: Learned, steps: Steps, back: NDArray[np.bool_], name: str, advance: Advance) -> Iterator[Evidence]:
    k = int(back.sum())
    if k == 0:
        return
    rows = tuple((steps.rows[np.flatnonzero(back)[:5] + 1] + 1).tolist())
    at = int(np.flatnonzero(back)[0])
    seen = f"{k} steps back, e.g. from {steps.values[at]:.12g} to {steps.values[at + 1]:.12g}"
    of = f" of one {advance.within}" if advance.within else ""
    rule, usual = f"never goes back{of}", f"{kept['back']} of {kept['steps']} steps"
    if kept["back"] == 0 and kept["steps"] >= 50:
        yield certain(name, rule, seen, usual, rows)
        return
    m = int(steps.same.sum())
    log_p = rate_increase(k, m, kept["back"], kept["steps"])
    yield Evidence(name, rule, log_p, (k / m - kept["back"] / kept["steps"]) / 0.005, seen, usual, rows)


def _goes_on(kept: Learned, batch: Batch, steps: Steps, name: str, advance: Advance) -> Iterator[Evidence]:
    """Where a later file begins: not before the last value that was seen, and not far behind it."""
    if advance.within:
        yield from _groups_go_on(kept, batch, steps, name, advance)
        return
    if kept["numbers_rows"] and counts_rows(batch.table, name):
        return
    by_time = advance.by == "time" and batch.axis is not None
    first, range_ = float(steps.values.min()), kept["last"] - kept["first"]
    seen, expected = f"begins with {first:.12g}", f"goes on from {kept['last']:.12g}"
    if batch.axis is not None and batch.axis.columns == (name,) and not batch.axis.rows:
        yield from _own_moments(kept, steps, name, (seen, expected))
        return
    if by_time and steps.moments.min() < kept["ends"]:
        return
    if first < kept["last"]:
        again = not by_time and first >= kept["first"] - 0.05 * range_
        yield (suspicious if again else certain)(name, "goes on from the last value seen", seen, expected)
        return
    most = max(JUMP * kept["largest"], 20 * range_)
    if by_time:
        most = max(most, JUMP * kept["fastest"] * (float(steps.moments.min()) - kept["ends"]))
    if first - kept["last"] > most > 0 and first > NUMBERED * kept["last"]:
        yield certain(name, "jumps far ahead", seen, expected)


def _own_moments(kept: Learned, steps: Steps, name: str, words: tuple[str, str]) -> Iterator[Evidence]:
    """Moments written as numbers, or a key that is the only time there is: nothing else can be held against them."""
    rounding = float(np.spacing(max(abs(kept["first"]), abs(kept["last"])))) * kept["rows"]
    range_ = max(kept["last"] - kept["first"], 1.0, rounding if rounding > kept["rows"] else 0.0)
    early = float((steps.values < kept["first"] - 0.02 * range_).mean())
    far = (float(steps.values.max()) - kept["last"]) / range_
    if early:
        yield (certain if early > 0.005 else suspicious)(name, "before the first one seen", *words)
    if far > 20 and far * range_ > JUMP * kept["largest"]:
        yield certain(name, "jumps far ahead", words[0], words[1])


def _groups_go_on(kept: Learned, batch: Batch, steps: Steps, name: str, advance: Advance) -> Iterator[Evidence]:
    """The same for each known group by itself."""
    starts = np.concatenate([[0], np.flatnonzero(~steps.same) + 1])
    names = batch.table.texts(advance.within).fill_null("")
    back, ahead, known = [], [], 0
    for i in starts.tolist():
        last = kept["groups"].get(names[int(steps.rows[i])])
        if last is None or (advance.by == "time" and steps.moments[i] < last[1]):
            continue
        known += 1
        lasted = steps.moments[i] - last[1] if advance.by == "time" else 0.0
        if steps.values[i] < last[0]:
            back.append(i)
        elif steps.values[i] - last[0] > max(JUMP * kept["largest"], 5 * JUMP * kept["fastest"] * lasted) > 0:
            ahead.append(i)
    for found, rule in ((back, "goes on from the last value seen"), (ahead, "jumps far ahead")):
        if found:
            rows = tuple((steps.rows[found[:5]] + 1).tolist())
            seen = f"{len(found)} of {known} known {advance.within}, e.g. {steps.values[found[0]]:.12g}"
            allowed = kept["back"] == 0 and (len(found) >= 3 or len(found) >= 0.01 * known)
            yield (certain if allowed else suspicious)(name, rule, seen, f"{advance.within} by {advance.within}", rows)


def _jumps(kept: Learned, steps: Steps, name: str, rows: int) -> Iterator[Evidence]:
    """Steps within the file that are far larger than any seen, for the time that passed or, without, for the rows."""
    thinner = max(1.0, kept["rows"] / rows)
    fast = np.where(steps.time > 0, steps.change / np.where(steps.time > 0, steps.time, 1.0), np.inf)
    far = steps.same & (steps.change > JUMP * kept["largest"] * thinner) & (fast > JUMP * kept["fastest"])
    far &= steps.values[1:] > NUMBERED * steps.values[:-1]
    if far.any() and kept["largest"] > 0:
        at = int(np.flatnonzero(far)[0])
        seen = f"from {steps.values[at]:.12g} to {steps.values[at + 1]:.12g}"
        where = tuple((steps.rows[np.flatnonzero(far)[:5] + 1] + 1).tolist())
        yield certain(name, "jumps far ahead", seen, f"steps up to {kept['largest']:.6g}", where)


def _pace(kept: Learned, steps: Steps, name: str, advance: Advance) -> Iterator[Evidence]:
    change, time = steps.within()
    slow, fast = kept["paces"]
    lasted = float(time.sum())
    if change.size < 10 or lasted <= 0 or advance.by == "rows" or fast <= 0:
        return
    pace = float(change.sum()) / lasted
    numbered = steps.values[-1] <= NUMBERED * steps.values[0] and pace > fast
    times = max(pace / fast, slow / pace if pace > 0 else 0.0)
    if times > PACE / 4 and not numbered:
        report = certain if times > PACE else suspicious
        yield report(name, "goes on at the usual pace", f"{pace:.4g} a step of time", f"{slow:.4g} to {fast:.4g}")


def _stays(kept: Learned, change: Floats, name: str) -> Iterator[Evidence]:
    """A counter that is frozen: more steps of nothing than in any stretch of the clean rows."""
    k, m = int((change == 0).sum()), change.size
    if m < 10:
        return
    share = kept["stays"]
    chance = rate_increase(k, m, round(share * kept["steps"]), kept["steps"])
    effect = (k / m - share) / (0.01 if share == 0 else 0.05)
    yield Evidence(name, "goes on and is not stuck", chance, effect, f"{k} of {m} steps stay", f"at most {share:.0%}")


def _twice(steps: Steps, name: str) -> Iterator[Evidence]:
    again = np.flatnonzero(np.diff(np.sort(steps.values)) == 0)
    if again.size:
        many = again.size >= max(3, 0.01 * steps.values.size)
        text = f"{again.size} of {steps.values.size} again, e.g. {np.sort(steps.values)[again[0]]:.12g}"
        yield (certain if many else suspicious)(name, "each value once", text, "no value twice")


def _learn_date(batch: Batch, name: str, advance: Advance) -> Learned | None:
    values = batch.table.numbers(name)
    return learn_gaps(values) if np.isfinite(values).any() else None


def _compare_date(kept: Learned, batch: Batch, name: str, advance: Advance) -> Iterator[Evidence]:
    values = batch.table.numbers(name)
    present = values[~np.isnan(values)]
    if present.size == 0:
        return
    yield from _far_from_all(kept, values, name)
    if name == batch.notes.get("stream"):  # the rest is known by the order of the rows
        return
    yield from _place(kept, values, name)
    if present.size >= 5:
        yield from no_gaps(kept, present, name)


def _place(kept: Learned, values: Floats, name: str) -> Iterator[Evidence]:
    """Before the clean rows, or far behind them."""
    n, span = int(np.isfinite(values).sum()), max(kept["last"] - kept["first"], DAY / 24)
    first, last = kept["first"], kept["last"]
    room = max(0.02 * span, kept["largest_seconds"])
    early = values < first - room
    if early.any():
        yield _strays(
            kept, name, "dates before the first one seen", early, (first - float(np.nanmin(values))) / span, n
        )
    late = np.sort(values[values > last + room])
    if late.size == 0:
        return
    start = (float(np.nanquantile(values, 0.02)) - last) / span
    begins = (float(np.nanmin(values)) - last) / span
    if start > 3 and last > first:
        text = f"the file begins {start * span / DAY:.3g} days behind the last"
        far = start > 20 and start * span > 300 * DAY
        yield (certain if far else suspicious)(name, "dates far behind the last one seen", text, "a continuation")
    elif begins < -0.25 and (late[-1] - last) / span > 0.25 and late.size > 0.05 * n:
        text = f"{late.size / n:.0%} of the rows up to {(late[-1] - last) / DAY:.3g} days behind the last"
        yield suspicious(name, "dates of a period seen and of a later one", text, "one or the other")


def _far_from_all(kept: Learned, values: Floats, name: str) -> Iterator[Evidence]:
    """A few rows far behind all others."""
    n, span = int(np.isfinite(values).sum()), max(kept["last"] - kept["first"], DAY / 24)
    middle = max(kept["last"], float(np.nanmedian(values)))
    alone = _apart(np.sort(values[values > middle]), middle, span)
    if 0 < alone.size < 0.2 * n:
        times = (float(alone[-1]) - middle) / span
        yield _strays(kept, name, "dates far behind all others", values >= alone[0], times, n)


def _apart(late: Floats, begin: float, span: float) -> Floats:
    """The last ones, behind a gap of more than the whole time of the clean rows; none where there is no such gap."""
    beyond = late[late > begin]
    gaps = np.diff(np.concatenate([[begin], beyond]))
    wide = np.flatnonzero(gaps > max(span, 2 * DAY))
    return beyond[wide[0] :] if wide.size else beyond[:0]


def _strays(kept: Learned, name: str, rule: str, flags: NDArray[np.bool_], times: float, n: int) -> Evidence:
    """A few moments out of place: unlikely by their number and by how many times the clean rows' span they are off."""
    k = int(flags.sum())
    chance = rate_increase(k, n, 0, kept["rows"]) - 4 * math.log2(1 + max(times, 0.0))
    text = f"{k} of {n} rows, up to {times * max(kept['last'] - kept['first'], DAY / 24) / DAY:.4g} days off"
    return Evidence(name, rule, chance, k / n / 0.005, text, "moments of the period", first_rows(flags))


def _learn_text(batch: Batch, name: str, advance: Advance) -> Learned | None:
    number = batch.table.specs[name].kind == "number"
    outline = "" if number else usual_outline(batch.table.texts(name)) or ""
    values = _ranks(batch, name, outline)
    known = values[~np.isnan(values)]
    if known.size == 0:
        return None
    kinds, counts = np.unique(known, return_counts=True)
    return {
        "outline": outline,
        "first": float(known.min()),
        "last": float(known.max()),
        "rows": int(known.size),
        "known": kinds[:ENDS].tolist(),
        "more": bool(kinds.size > ENDS),
        "seldom": int((counts == 1).sum()),
        "odd": int(np.isnan(values).sum() - batch.table.missing(name).sum()),
        "example": str(batch.table.texts(name).drop_nulls()[0]),
    }


def _ranks(batch: Batch, name: str, outline: str) -> Floats:
    """Values in their natural order; of texts those with the outline that the clean ones have."""
    if batch.table.specs[name].kind == "number":
        return batch.table.numbers(name)
    return ordered_texts(batch.table.texts(name), outline)


def _compare_text(kept: Learned, batch: Batch, name: str, advance: Advance) -> Iterator[Evidence]:
    values, missing = _ranks(batch, name, kept["outline"]), batch.table.missing(name)
    odd = np.isnan(values) & ~missing
    n = int((~missing).sum())
    if n == 0:
        return
    example = kept["example"]
    yield Evidence(
        name,
        "texts are written as before",
        rate_increase(int(odd.sum()), n, kept["odd"], kept["rows"]) * 1.5,
        (odd.sum() / n - kept["odd"] / kept["rows"]) / 0.005,
        f"{int(odd.sum())} of {n}",
        f"as {example!r}",
        first_rows(odd),
    )
    early = values < kept["first"]
    between = (values < kept["last"]) & ~early & ~np.isin(values, kept["known"]) & (not kept["more"])
    for flags, rule, usual in (
        (early, "never before the first one seen", 0),
        (between, "new and not later", kept["seldom"]),
    ):
        k = int(flags.sum())
        chance = rate_increase(k, n, usual, kept["rows"]) * (1.5 if usual == 0 else 1.0)
        seen = f"{k} of {n}"
        yield Evidence(name, rule, chance, (k / n - usual / kept["rows"]) / 0.02, seen, "", first_rows(flags))


def _learn_part(batch: Batch, name: str, advance: Advance) -> Learned | None:
    apart, known = disagrees(batch.table, name, advance.part)
    return {"apart": int(apart.sum()), "rows": int(known.sum())}


def _compare_part(kept: Learned, batch: Batch, name: str, advance: Advance) -> Iterator[Evidence]:
    date, part = advance.part
    if date not in batch.table.names("datetime"):
        return
    apart, known = disagrees(batch.table, name, advance.part)
    k, n = int(apart.sum()), int(known.sum())
    if n:
        chance = rate_increase(k, n, kept["apart"], kept["rows"]) * 1.5
        effect = (k / n - kept["apart"] / kept["rows"]) / 0.005
        yield Evidence(
            name, f"is the {part} of {date}", chance, effect, f"not in {k} of {n} rows", "", first_rows(apart)
        )


def _learn_cycle(batch: Batch, name: str, advance: Advance) -> Learned | None:
    values = batch.table.numbers(name)
    size = cycle_of(name, batch.table) or 31
    return {"least": min(1.0, float(np.nanmin(values))), "most": float(size), "rows": int(np.isfinite(values).sum())}


def _compare_cycle(kept: Learned, batch: Batch, name: str, advance: Advance) -> Iterator[Evidence]:
    values = batch.table.numbers(name)
    outside = (values < kept["least"]) | (values > kept["most"])
    k, n = int(outside.sum()), int(np.isfinite(values).sum())
    if n:
        chance, usual = rate_increase(k, n, 0, kept["rows"]) * 1.5, f"{kept['least']:g} to {kept['most']:g}"
        yield Evidence(name, "part of a date", chance, k / n / 0.005, f"{k} of {n}", usual, first_rows(outside))


_LEARN = {
    "number": _learn_number,
    "date": _learn_date,
    "text": _learn_text,
    "part": _learn_part,
    "cycle": _learn_cycle,
    "constant": _learn_text,
}
_COMPARE = {
    "number": _compare_number,
    "date": _compare_date,
    "text": _compare_text,
    "part": _compare_part,
    "cycle": _compare_cycle,
    "constant": _compare_text,
}
