"""Numbers that go on: counters, meters, totals, running keys; by their steps, pace, ends, stays and repeats."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.advance import Advance
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain, suspicious
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput
from kilnworks.components.quality.screening.probes.probe_rows import counts_rows
from kilnworks.components.quality.screening.probes.steps import Steps, steps_in
from kilnworks.components.quality.stats.pvalues import rate_increase

Floats = NDArray[np.float64]
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


def learn_number(batch: ProbeInput, name: str, advance: Advance) -> Learned | None:
    """Where a number ends, its steps, its pace and how often it stays; None where no two rows follow one another."""
    steps = steps_in(batch, name, advance)
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


def _last_of_groups(batch: ProbeInput, steps: Steps, advance: Advance) -> dict[str, list[float]]:
    """By group its last value and moment, of few groups."""
    if not advance.within:
        return {}
    names = batch.table.texts(advance.within).fill_null("")
    lasts = np.append(np.flatnonzero(~steps.same), steps.values.size - 1)
    if lasts.size > ENDS:
        return {}
    return {names[int(steps.rows[i])]: [float(steps.values[i]), float(steps.moments[i])] for i in lasts}


def compare_number(kept: Learned, batch: ProbeInput, name: str, advance: Advance) -> Iterator[Evidence]:
    """Whether the numbers of a file go on as those of the clean rows did."""
    steps = steps_in(batch, name, advance)
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


def _goes_on(kept: Learned, batch: ProbeInput, steps: Steps, name: str, advance: Advance) -> Iterator[Evidence]:
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


def _groups_go_on(kept: Learned, batch: ProbeInput, steps: Steps, name: str, advance: Advance) -> Iterator[Evidence]:
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
