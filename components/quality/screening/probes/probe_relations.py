"""Arithmetic between columns: totals, products, differences of dates, one number never above another."""

from collections.abc import Iterator, Set
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.drifts import goes_with
from kilnworks.components.quality.screening.columns.views import Numbers
from kilnworks.components.quality.screening.probes.evidence import Evidence
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput
from kilnworks.components.quality.screening.probes.probe_numbers import compare_numbers, learn_numbers, mild
from kilnworks.components.quality.stats.pvalues import rate_increase

Floats = NDArray[np.float64]

ROWS = 20_000
COLUMNS = 30
CLOSE = 0.9
"""Least share of a column's variance that the others must explain for its residual to be watched, in [0, 1]."""


class RelationProbe:
    """Learns formulas that hold between columns of numbers and watches what is left over."""

    name = "relations"

    def learn(self, batch: ProbeInput) -> Learned:
        """Linear and multiplicative formulas, differences of dates, orders of pairs."""
        table = batch.sample
        numbers = table.names("number")[:COLUMNS]
        data = {n: table.numbers(n)[:ROWS] for n in numbers}
        moving = {*batch.advances, *batch.drifts}
        formulas = [f for form in ("sum", "product") for f in _formulas(data, form) if _lasts(f[0], f[1], moving)]
        ordered = batch.in_order
        dates = [list(p) for p in combinations(table.names("datetime"), 2)][:10]
        learned: Learned = {"formulas": [], "dates": [], "orders": _orders({**data, **_dates(batch)}, moving)}
        for formula, residual in formulas:
            learned["formulas"].append({**formula, "left": learn_numbers(residual, ordered)})
        for first, second in dates:
            gap = (table.numbers(second) - table.numbers(first)) / 86400
            if np.isfinite(gap).sum() >= 20 and _varies(table.numbers(first)) and _varies(table.numbers(second)):
                left = learn_numbers(gap, ordered)
                drifts = batch.axis is not None and goes_with(gap, batch.axis.values(table))
                learned["dates"].append({"columns": [first, second], "left": left, "drifts": drifts})
        return learned

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """Residuals of the formulas, gaps between dates, broken orders."""
        table = batch.sample
        for formula in learned["formulas"]:
            names = [formula["column"], *formula["terms"]]
            if all(n in table.names("number") for n in names):
                left = _residual(formula, {n: table.numbers(n) for n in names})
                view = Numbers(formula["column"], f"difference from {_words(formula)}", left)
                yield from _placed(compare_numbers(formula["left"], view, batch.copies, 1), batch)
        for pair in learned["dates"]:
            first, second = pair["columns"]
            if {first, second} <= set(table.names("datetime")):
                gap = (table.numbers(second) - table.numbers(first)) / 86400
                view = Numbers(second, f"days since {first}", gap)
                results = compare_numbers(pair["left"], view, batch.copies)
                yield from _placed(mild(results) if pair.get("drifts") else results, batch)
        for low, high, rows in learned["orders"]:
            if {low, high} <= set(table.names("number", "datetime")):
                yield _order(low, high, rows, batch)


def _varies(moments: Floats) -> bool:
    """Whether dates are more than those of one extract, whose distances next month's file need not have."""
    return bool(np.unique(moments[~np.isnan(moments)]).size >= 3)


def _lasts(formula: dict[str, Any], residual: Floats, moving: Set[str]) -> bool:
    """Whether a formula holds in later files, too: with columns that move on only if it is exact."""
    return not moving & {formula["column"], *formula["terms"]} or bool(np.nanmax(np.abs(residual)) <= 1e-4)


def _placed(results: Iterator[Evidence], batch: ProbeInput) -> Iterator[Evidence]:
    for e in results:
        yield replace(e, rows=tuple((batch.sample_rows[np.asarray(e.rows, int) - 1] + 1).tolist())) if e.rows else e


def _dates(batch: ProbeInput) -> dict[str, Floats]:
    return {n: batch.sample.numbers(n)[:ROWS] for n in batch.sample.names("datetime")}


def _words(formula: dict[str, Any]) -> str:
    if formula["form"] == "product":
        return " * ".join(f"{n}^{w:.3g}" for n, w in zip(formula["terms"], formula["weights"], strict=True))
    return " + ".join(f"{w:.3g} {n}" for n, w in zip(formula["terms"], formula["weights"], strict=True))


def _formulas(data: dict[str, Floats], form: str) -> Iterator[tuple[dict[str, Any], Floats]]:
    """Columns that others explain, as a weighted sum or (of logarithms) as a product; with what is left over."""
    usable = {n: _transformed(v, form) for n, v in data.items()}
    columns = {n: v for n, v in usable.items() if v is not None and np.isfinite(v).sum() >= 100}
    if len(columns) < 2:
        return
    names = list(columns)
    matrix = np.stack([columns[n] for n in names], axis=1)
    matrix = matrix[np.isfinite(matrix).all(axis=1)]
    if matrix.shape[0] < 100:
        return
    for j in range(len(names)):
        formula = _explain(matrix, j, names, form)
        if formula is None:
            continue
        yield formula, _residual(formula, data)


def _transformed(values: Floats, form: str) -> Floats | None:
    present = values[~np.isnan(values)]
    if present.size == 0 or np.unique(present[:2000]).size < 5:
        return None
    if form == "sum":
        return values
    return np.log(values) if present.min() > 0 else None


def _explain(matrix: Floats, j: int, names: list[str], form: str) -> dict[str, Any] | None:
    """Up to four other columns, chosen one by one, that leave at most ``1 - CLOSE`` of the variance."""
    y = matrix[:, j] - matrix[:, j].mean()
    total = float((y**2).mean())
    if total <= 0:
        return None
    chosen: list[int] = []
    left, share = y, 1.0
    scaled = matrix - matrix.mean(axis=0)
    norm = np.sqrt((scaled**2).sum(axis=0)) + 1e-300
    for _ in range(4):
        gain = np.abs(scaled.T @ left) / norm
        gain[[j, *chosen]] = -1
        best = int(np.argmax(gain))
        if gain[best] <= 0:
            break
        x = scaled[:, [*chosen, best]]
        weights, *_ = np.linalg.lstsq(x, y, rcond=None)
        rest = y - x @ weights
        now = float((rest**2).mean()) / total
        if now > 0.9 * share:
            break
        chosen, left, share = [*chosen, best], rest, now
        if share < 1e-12:
            break
    if not chosen or share > 1 - CLOSE:
        return None
    weights, *_ = np.linalg.lstsq(scaled[:, chosen], y, rcond=None)
    constant = float(matrix[:, j].mean() - matrix[:, chosen].mean(axis=0) @ weights)
    return {
        "form": form,
        "column": names[j],
        "terms": [names[i] for i in chosen],
        "weights": weights.tolist(),
        "constant": constant,
        "scale": max(float(np.sqrt(total)), 1e-9),
    }


def _residual(formula: dict[str, Any], data: dict[str, Floats]) -> Floats:
    """What the formula leaves over, in units of the column's deviation; rounding errors become 0."""
    names = [formula["column"], *formula["terms"]]
    values = [data[n] for n in names]
    if formula["form"] == "product":
        values = [np.log(np.where(v > 0, v, np.nan)) for v in values]
    left = values[0] - formula["constant"]
    for weight, v in zip(formula["weights"], values[1:], strict=True):
        left = left - weight * v
    return np.round(left / formula["scale"], 5) + 0.0


def _orders(data: dict[str, Floats], moving: Set[str]) -> list[list[Any]]:
    """Pairs (low, high, rows) where low <= high in every row although their ranges overlap; both move on or none."""
    found: list[list[Any]] = []
    for low, high in (p for p in permutations(data, 2) if (p[0] in moving) == (p[1] in moving)):
        a, b = data[low], data[high]
        both = np.isfinite(a) & np.isfinite(b)
        a, b = a[both], b[both]
        if a.size < 100 or (a > b).any() or np.array_equal(a, b):
            continue
        by_chance = float((a > np.roll(b, a.size // 2 + 1)).mean())
        if by_chance > 0.02:
            found.append([low, high, int(a.size)])
    return found[:60]


def _order(low: str, high: str, rows: int, batch: ProbeInput) -> Evidence:
    with np.errstate(invalid="ignore"):
        broken = batch.sample.numbers(low) > batch.sample.numbers(high)
    k, n = int(broken.sum()), broken.size
    return Evidence(
        high,
        f"never below {low}",
        rate_increase(k, n, 0, rows) * 1.5,
        k / n / 0.005,
        f"{k} of {n} rows",
        f"none of {rows}",
        batch.row_numbers(broken),
    )
