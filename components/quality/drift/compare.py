"""Two summaries side by side: every statistic of every feature, corrected for their number, the most moved first."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.drift.chi_squared import chi_squared
from kilnworks.components.quality.drift.correction import benjamini_hochberg
from kilnworks.components.quality.drift.jensen_shannon import jensen_shannon
from kilnworks.components.quality.drift.kolmogorov_smirnov import kolmogorov_smirnov
from kilnworks.components.quality.drift.missing_rate import missing_rate
from kilnworks.components.quality.drift.new_categories import new_categories
from kilnworks.components.quality.drift.psi import psi
from kilnworks.components.quality.stats.histogram import Histogram
from kilnworks.components.quality.stats.summary import Distribution
from kilnworks.components.sketches.counts import ValueCounts
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.magnitudes import plain
from kilnworks.schemas.reference import DriftThresholds, OwnStatistic

Floats = NDArray[np.float64]

BINS = 20
TOP = 30


@dataclass(frozen=True)
class FeatureDrift:
    """What moved in one feature.

    Attributes:
        feature: its name.
        statistics: value of each statistic by its name in ``DriftThresholds``.
        log_p: log10 p of each that is a test, corrected for the number of features (Benjamini and Hochberg).
        beyond: statistics beyond their threshold (and, where tested, significant).
        score: how many times the threshold the strongest one reaches; the ranking.
        bins: labels of the bins drawn, [B].
        new, reference: share of rows in each bin, [B].
    """

    feature: str
    statistics: dict[str, float]
    log_p: dict[str, float]
    beyond: tuple[str, ...]
    score: float
    bins: tuple[str, ...]
    new: tuple[float, ...]
    reference: tuple[float, ...]

    @property
    def drifted(self) -> bool:
        """Whether any statistic is beyond its threshold."""
        return bool(self.beyond)

    def record(self) -> dict[str, Any]:
        """Plain values for reports and decision records."""
        return {**asdict(self), "drifted": self.drifted}


def compare(
    new: Mapping[str, Distribution],
    reference: Mapping[str, Distribution],
    thresholds: DriftThresholds,
    advancing: Collection[str] = (),
) -> list[FeatureDrift]:
    """Drift of every feature that both have, the most moved first.

    Histograms must lie over the same cut points (``summarise(..., like=reference)``). Of features that are
    ``advancing``, whose level moves on by itself, only the share of missing values is compared.
    """
    names = [n for n in reference if n in new]
    raw = [
        _missing(new[n], reference[n]) if n in advancing else _statistics(new[n], reference[n], thresholds.own)
        for n in names
    ]
    tests = sorted({t for _, p in raw for t in p})
    corrected: dict[tuple[str, str], float] = {}
    for test in tests:
        having = [(n, p[test]) for n, (_, p) in zip(names, raw, strict=True) if test in p]
        for (name, _), value in zip(having, benjamini_hochberg([v for _, v in having]), strict=True):
            corrected[name, test] = float(value)
    found = [_judge(n, raw[i][0], corrected, thresholds, new[n], reference[n]) for i, n in enumerate(names)]
    return sorted(found, key=lambda d: -d.score)


def _missing(new: Distribution, reference: Distribution) -> tuple[dict[str, float], dict[str, float]]:
    change, p = missing_rate(new.missing, new.rows + new.missing, reference.missing, reference.rows + reference.missing)
    return {"missing_rate": abs(change)}, {"missing_rate": p}


def _statistics(
    new: Distribution, reference: Distribution, own: Sequence[OwnStatistic]
) -> tuple[dict[str, float], dict[str, float]]:
    values, log_p = _missing(new, reference)
    if new.rows == 0 or reference.rows == 0:
        return values, log_p
    a, b, _ = bins_of(new, reference)
    values["psi"], values["jensen_shannon"] = psi(a, b), jensen_shannon(a, b)
    values["chi_squared"], log_p["chi_squared"] = chi_squared(a, b)
    if isinstance(new, Histogram) and isinstance(reference, Histogram):
        values["kolmogorov_smirnov"], log_p["kolmogorov_smirnov"] = kolmogorov_smirnov(new, reference)
    elif isinstance(new, ValueCounts) and isinstance(reference, ValueCounts):
        values["new_categories"], log_p["new_categories"], _ = new_categories(new, reference)
    return {**values, **{one.statistic.path: _own(one, a, b) for one in own}}, log_p


def _own(one: OwnStatistic, new: Floats, reference: Floats) -> float:
    """What a user's own statistic says of rows in the same bins."""
    statistic, path = one.statistic.load(), one.statistic.path
    try:
        value = float(statistic(new.copy(), reference.copy(), **one.statistic.options))
    except Exception as error:
        raise ConfigError(
            f"drift statistic {path}: {type(error).__name__}: {error}",
            "a function f(new, reference) -> float of rows in the same bins, two arrays [B]",
            "mend it, or take it out of drift.own of the contract",
        ) from error
    if not math.isfinite(value):
        raise ConfigError(
            f"drift statistic {path} is {value}",
            "a finite number, also where a bin is empty",
            "mend it, or take it out of drift.own of the contract",
        )
    return value


def bins_of(new: Distribution, reference: Distribution) -> tuple[Floats, Floats, list[str]]:
    """Rows of both in the same few bins, [B] each, and what the bins are called, B texts.

    Raises:
        ValueError: one is a histogram and the other counts of categories.
    """
    if isinstance(new, Histogram) and isinstance(reference, Histogram):
        few = reference.coarse(BINS)
        edges = _told_apart(few.edges.tolist())
        names = [f"<= {edges[0]}", *(f"{a} .. {b}" for a, b in pairwise(edges)), f"> {edges[-1]}"]
        return new.on(few.edges).counts, few.counts, names if edges else ["all"]
    if not (isinstance(new, ValueCounts) and isinstance(reference, ValueCounts)):
        raise ValueError("a histogram and counts of categories cannot be compared")
    novel = max((n for n in new.levels if n not in reference.levels), key=lambda n: new.levels[n], default=None)
    names = [*list(reference.levels)[:TOP], "other" if novel is None else f"other, e.g. {novel}"]
    a = [float(new.levels.get(n, 0)) for n in names[:-1]]
    b = [float(reference.levels[n]) for n in names[:-1]]
    return np.array([*a, new.rows - sum(a)]), np.array([*b, reference.rows - sum(b)]), names


def _told_apart(edges: list[float]) -> list[str]:
    """Rising numbers in as few digits, at least four, as tell them apart."""
    for digits in (4, 6, 9, 12):
        texts = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(texts)) == len(set(edges)):
            return texts
    return [plain(edge) for edge in edges]


def _judge(
    name: str,
    values: dict[str, float],
    corrected: Mapping[tuple[str, str], float],
    thresholds: DriftThresholds,
    new: Distribution,
    reference: Distribution,
) -> FeatureDrift:
    limit = math.log10(thresholds.significance)
    log_p = {t: p for (n, t), p in corrected.items() if n == name}
    evidence = min(log_p.values(), default=0.0)
    limits = thresholds.limits()
    times = {s: v / limits[s] for s, v in values.items()}
    beyond = tuple(s for s, t in times.items() if t >= 1 and log_p.get(s, evidence) <= limit)
    share: tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]] = ((), (), ())
    if new.rows and reference.rows:
        a, b, names = bins_of(new, reference)
        share = (tuple((a / a.sum()).tolist()), tuple((b / b.sum()).tolist()), tuple(names))
    return FeatureDrift(name, values, log_p, beyond, max(times.values(), default=0.0), share[2], share[0], share[1])
