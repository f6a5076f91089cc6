"""Probabilities against scipy's own tests."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from kilnworks.components.quality.stats.pvalues import (
    cell_z,
    chi2_tail,
    homogeneity,
    ks_tail,
    normal_tail,
    pool,
    rate_change,
    rate_increase,
)


@pytest.mark.parametrize(("k", "n", "K", "N"), [(5, 100, 2, 400), (12, 50, 0, 500), (30, 1000, 10, 1000), (1, 9, 0, 9)])
def test_rate_increase_is_fishers_exact_test(k, n, K, N):
    exact = scipy_stats.fisher_exact([[k, n - k], [K, N - K]], alternative="greater").pvalue
    assert rate_increase(k, n, K, N) == pytest.approx(np.log10(exact), abs=1e-6)


def test_rate_increase_stays_close_where_counts_are_large():
    exact = scipy_stats.hypergeom.logsf(52_000 - 1, 1_100_000, 550_000 + 2_000, 102_000) / np.log(10)
    assert rate_increase(52_000, 102_000, 500_000, 998_000) == pytest.approx(exact, rel=0.02)


def test_rate_change_sees_both_directions():
    assert rate_change(0, 500, 50, 500) < -10
    assert rate_change(50, 500, 0, 500) < -10
    assert rate_change(50, 500, 50, 500) > -0.5


def test_rate_increase_of_nothing_is_certain():
    assert rate_increase(0, 10, 0, 10) == 0.0
    assert rate_increase(3, 100, 30, 100) == 0.0


@pytest.mark.parametrize(("statistic", "df"), [(3.0, 1), (50.0, 10), (400.0, 30)])
def test_chi2_tail(statistic, df):
    assert chi2_tail(statistic, df) == pytest.approx(scipy_stats.chi2.logsf(statistic, df) / np.log(10), rel=1e-9)


def test_chi2_tail_far_out_is_an_order_of_magnitude_at_most_off():
    assert chi2_tail(3000.0, 5) == -300.0 or chi2_tail(3000.0, 5) < -299
    assert chi2_tail(1.0, 0) == 0.0


def test_normal_tail():
    assert normal_tail(4.0) == pytest.approx(np.log10(2 * scipy_stats.norm.sf(4.0)), rel=1e-12)
    assert normal_tail(-30.0) == pytest.approx((scipy_stats.norm.logsf(30) + np.log(2)) / np.log(10), rel=1e-9)


def test_homogeneity_is_never_bolder_than_pearsons_test():
    new, reference = np.array([30, 50, 20]), np.array([300, 350, 350])
    pearson = scipy_stats.chi2_contingency([new, reference]).pvalue
    ratio = scipy_stats.chi2_contingency([new, reference], lambda_="log-likelihood").pvalue
    assert homogeneity(new, reference) == pytest.approx(np.log10(max(pearson, ratio)), abs=1e-9)


def test_pool_keeps_every_row_and_leaves_no_thin_bin():
    new, reference = np.array([1.0, 0, 2, 9, 1, 0]), np.array([10.0, 5, 30, 90, 4, 2])
    a, b = pool(new, reference, 5)
    assert a.sum() == new.sum() and b.sum() == reference.sum()
    assert (((a + b) * new.sum() / (a + b).sum()) >= 5 - 1e-9).all()


def test_ks_tail_bounds_the_exact_test():
    r = np.random.default_rng(0)
    x, y = r.normal(0, 1, 300), r.normal(0.3, 1, 500)
    found = scipy_stats.ks_2samp(x, y, method="exact")
    assert np.log10(found.pvalue) <= ks_tail(found.statistic, 300, 500) + 1e-9
    assert ks_tail(found.statistic, 300, 500) < np.log10(found.pvalue) + 0.6


def test_cell_z_is_standard_normal_when_nothing_moved():
    r = np.random.default_rng(1)
    z = cell_z(r.poisson(20.0, 20_000).astype(float), 1000, r.poisson(200.0, 20_000).astype(float), 10_000)
    assert abs(z.mean()) < 0.03
    assert 0.85 < z.std() <= 1.02
    assert (np.abs(z) > 4).mean() < 2e-4


@pytest.mark.parametrize("tests", [homogeneity])
def test_homogeneity_raises_no_more_false_alarms_than_it_says(tests):
    r = np.random.default_rng(2)
    share = r.dirichlet(np.ones(12))
    p = [10 ** tests(r.multinomial(300, share), r.multinomial(3000, share)) for _ in range(2000)]
    assert np.mean(np.array(p) < 0.01) < 0.018
