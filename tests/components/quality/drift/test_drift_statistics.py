"""Each statistic against its formula written out, or scipy's and scikit-learn's."""

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats
from scipy.spatial.distance import jensenshannon

from kilnworks.components.judging.metrics import auc
from kilnworks.components.quality.drift.chi_squared import chi_squared
from kilnworks.components.quality.drift.compare import compare
from kilnworks.components.quality.drift.correction import benjamini_hochberg
from kilnworks.components.quality.drift.domain_classifier import domain_classifier
from kilnworks.components.quality.drift.jensen_shannon import jensen_shannon
from kilnworks.components.quality.drift.kolmogorov_smirnov import kolmogorov_smirnov
from kilnworks.components.quality.drift.missing_rate import missing_rate
from kilnworks.components.quality.drift.new_categories import new_categories
from kilnworks.components.quality.drift.psi import psi
from kilnworks.components.quality.stats.histogram import Histogram
from kilnworks.components.quality.stats.summary import merge, summarise
from kilnworks.components.sketches.counts import ValueCounts
from kilnworks.schemas.contract import Contract, Feature, Label, dump_contract, parse_contract
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.reference import DriftThresholds

A, B = np.array([20.0, 30, 0, 50]), np.array([100.0, 300, 40, 560])


def test_psi():
    p, q = (A + 0.5) / (A.sum() + 2), (B + 0.5) / (B.sum() + 2)
    assert psi(A, B) == pytest.approx(sum((x - y) * math.log(x / y) for x, y in zip(p, q, strict=True)))
    assert psi(B, B) == 0.0


def test_jensen_shannon():
    assert jensen_shannon(A, B) == pytest.approx(jensenshannon(A, B, base=2))
    assert jensen_shannon(np.array([1.0, 0]), np.array([0, 1.0])) == 1.0


def test_kolmogorov_smirnov_is_exact_when_every_value_is_a_cut_point():
    r = np.random.default_rng(0)
    x, y = r.integers(0, 40, 300).astype(float), r.integers(3, 40, 800).astype(float)
    edges = np.unique(np.concatenate([x, y]))
    distance, log_p = kolmogorov_smirnov(Histogram.of(x, edges), Histogram.of(y, edges))
    found = scipy_stats.ks_2samp(x, y)
    assert distance == pytest.approx(found.statistic)
    assert log_p >= np.log10(found.pvalue) - 1e-9


def test_chi_squared():
    new, reference = np.array([30.0, 50, 20]), np.array([300.0, 350, 350])
    v, log_p = chi_squared(new, reference)
    found = scipy_stats.chi2_contingency([new, reference])
    assert log_p == pytest.approx(np.log10(found.pvalue))
    assert v == pytest.approx(math.sqrt(found.statistic / 1100))


def test_missing_rate():
    change, log_p = missing_rate(30, 100, 10, 100)
    assert change == pytest.approx(0.2)
    assert 10**log_p == pytest.approx(2 * scipy_stats.fisher_exact([[30, 70], [10, 90]], "greater").pvalue)


def counted(levels):
    return ValueCounts(pl.DataFrame({"value": list(levels), "count": list(levels.values())}))


def test_new_categories_allows_for_as_many_as_were_seen_once():
    reference = counted({"a": 500, "b": 490, **{f"x{i}": 1 for i in range(10)}})
    share, log_p, names = new_categories(counted({"a": 90, "y1": 1}), reference)
    assert share == pytest.approx(1 / 91) and names == ["y1"] and log_p > -1
    assert new_categories(counted({"a": 60, "y1": 30}), reference)[1] < -10


def test_benjamini_hochberg():
    p = np.array([0.01, 0.04, 0.03, 0.005, 0.8])
    assert 10 ** benjamini_hochberg(np.log10(p)) == pytest.approx(scipy_stats.false_discovery_control(p))
    assert benjamini_hochberg([]).size == 0


def test_auc_is_scikit_learns():
    from sklearn.metrics import roc_auc_score

    r = np.random.default_rng(3)
    y, score = r.integers(0, 2, 500), r.integers(0, 30, 500).astype(float)
    assert auc(y, score) == pytest.approx(roc_auc_score(y, score))


@pytest.mark.slow
def test_domain_classifier_tells_moved_rows_and_names_the_feature():
    r = np.random.default_rng(4)

    def rows(n, shift):
        return pl.DataFrame(
            {"a": r.normal(0, 1, n), "b": r.normal(shift, 1, n), "c": r.choice(["x", "y"], n), "d": r.integers(0, 5, n)}
        )

    same = domain_classifier(rows(1500, 0), rows(1500, 0))
    moved = domain_classifier(rows(1500, 1.0), rows(1500, 0))
    assert abs(same.auc - 0.5) < 0.05 and same.log_p > -2.5
    assert moved.auc > 0.7 and moved.log_p < -20 and moved.telling[0][0] == "b"


CONTRACT = Contract(
    name="t",
    features={
        "x": Feature(dtype="float", nullable=True),
        "k": Feature(dtype="int"),
        "c": Feature(dtype="string"),
        "when": Feature(dtype="datetime"),
    },
    label=Label(name="y", dtype="int", classes=(0, 1)),
)


def _frame(n, seed, shift=0.0):
    r = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "x": np.where(r.random(n) < 0.1, np.nan, r.lognormal(shift, 1, n)),
            "k": r.integers(0, 9, n),
            "c": r.choice(["u", "v", "w"], n),
            "when": pl.datetime_range(
                pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 1) + pl.duration(hours=n - 1), "1h", eager=True
            ),
            "y": r.integers(0, 2, n),
        }
    )


def plain(distribution):
    if isinstance(distribution, Histogram):
        return distribution.to_json()
    return distribution.levels, distribution.other, distribution.missing


def test_parts_of_a_summary_add_up_to_the_whole():
    whole = _frame(900, 0)
    reference = summarise(_frame(2000, 1), CONTRACT)
    parts = merge([summarise(whole[i : i + 100], CONTRACT, like=reference) for i in range(0, 900, 100)])
    direct = summarise(whole, CONTRACT, like=reference)
    for name, distribution in direct.items():
        assert plain(parts[name]) == plain(distribution), name


def test_drift_ranks_the_feature_that_moved_first_and_leaves_the_others_alone():
    reference = summarise(_frame(4000, 1), CONTRACT)
    calm = compare(summarise(_frame(4000, 2), CONTRACT, like=reference), reference, DriftThresholds())
    moved = compare(summarise(_frame(4000, 3, shift=0.6), CONTRACT, like=reference), reference, DriftThresholds())
    assert not any(d.drifted for d in calm)
    assert moved[0].feature == "x" and {"psi", "kolmogorov_smirnov"} <= set(moved[0].beyond)
    assert [d.feature for d in moved if d.drifted] == ["x"]
    assert sum(moved[0].new) == pytest.approx(1.0) and len(moved[0].bins) == len(moved[0].reference)


def cumulative_distance(new: np.ndarray, reference: np.ndarray, power: float = 1.0) -> float:
    """A statistic of a user's own: mean distance of the cumulative shares."""
    p, q = np.cumsum(new) / new.sum(), np.cumsum(reference) / reference.sum()
    return float((np.abs(p - q) ** power).mean())


def not_a_number(new: np.ndarray, reference: np.ndarray) -> float:
    return float("nan")


def with_own(path: str, threshold: float, **options: float) -> list:
    frame = pl.DataFrame({"a": np.arange(400) / 100})
    contract = Contract(name="d", features={"a": Feature(dtype="float")})
    before = summarise(frame, contract)
    now = summarise(frame.with_columns(pl.col("a") + 1), contract, like=before)
    statistic = {"path": f"{__name__}:{path}", "options": options}
    return compare(now, before, DriftThresholds(own=({"statistic": statistic, "threshold": threshold},)))


def test_a_statistic_of_ones_own_counts_from_its_threshold_on():
    name = f"{__name__}:cumulative_distance"
    (found,) = with_own("cumulative_distance", 0.2)
    new, reference = np.array(found.new), np.array(found.reference)
    expected = float(np.mean(np.abs(np.cumsum(new) - np.cumsum(reference))))
    assert found.statistics[name] == pytest.approx(expected) and 0.2 < expected < 0.3
    assert name in found.beyond and name not in with_own("cumulative_distance", 0.4)[0].beyond
    squared = with_own("cumulative_distance", 0.2, power=2)[0].statistics[name]
    assert squared == pytest.approx(float(np.mean((np.cumsum(new) - np.cumsum(reference)) ** 2)))


@pytest.mark.parametrize(
    ("path", "options", "says"),
    [("not_a_number", {}, "is nan"), ("cumulative_distance", {"powr": 1.0}, "powr"), ("cumulativ", {}, "did you mean")],
)
def test_a_statistic_of_ones_own_that_fails_is_named(path, options, says):
    with pytest.raises(ConfigError, match=says):
        with_own(path, 0.2, **options)


def test_a_contract_names_statistics_of_ones_own():
    text = "name: d\nfeatures: {a: {dtype: float}}\ndrift: {psi: 0.3, own: [{statistic: 'm.n:f', threshold: 0.5}]}\n"
    contract = parse_contract(text)
    assert parse_contract(dump_contract(contract)) == contract
    assert contract.drift.limits()["m.n:f"] == 0.5 and contract.drift.limits()["psi"] == 0.3
    assert Contract.model_validate(contract.model_dump(mode="json")) == contract
