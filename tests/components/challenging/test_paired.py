"""Bounds of a difference on the same rows, against other ways to the same numbers."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from scipy.stats.mstats import mquantiles
from sklearn.metrics import roc_auc_score

from bench.challenge import called, measured, verdicts
from kilnworks.components.challenging.paired import Resampled, influenced_gain, resampled, share_gain
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.judging.values import binary_influence, binary_value


def rights(both: int, won: int, lost: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """What the old and the new model have right."""
    old = [1] * both + [0] * won + [1] * lost + [0] * neither
    new = [1] * both + [1] * won + [0] * lost + [0] * neither
    return np.array(old, bool), np.array(new, bool)


@given(
    st.integers(0, 60), st.integers(0, 25), st.integers(0, 25), st.integers(1, 60), st.sampled_from([0.9, 0.95, 0.99])
)
def test_below_zero_is_exactly_what_mcnemar_rejects(both, won, lost, neither, level):
    """The p-value of the exact test, added up by hand: as many losses or more, of all rows that differ."""
    gain = share_gain(*rights(both, won, lost, neither), level)
    differ = won + lost
    worse = sum(comb(differ, k) for k in range(lost, differ + 1)) / 2**differ
    better = sum(comb(differ, k) for k in range(won, differ + 1)) / 2**differ
    assert (gain.high < 0) == (worse <= 1 - level + 1e-12)
    assert (gain.low > 0) == (better <= 1 - level + 1e-12)
    assert gain.low <= gain.value <= gain.high
    assert gain.value == pytest.approx((won - lost) / (both + won + lost + neither))


def test_bounds_are_those_of_another_library():
    gain = share_gain(*rights(500, 12, 31, 57), 0.95)
    share = binomtest(12, 43).proportion_ci(0.9, "exact")
    assert gain.low == pytest.approx(43 * (2 * share.low - 1) / 600)
    assert gain.high == pytest.approx(43 * (2 * share.high - 1) / 600)


def test_a_row_more_or_less_is_never_ruled_out_by_few_rows():
    gain = share_gain(*rights(20, 0, 0, 0), 0.95)
    assert (gain.value, gain.low, gain.high) == (0, pytest.approx(-3 / 20, rel=0.002), pytest.approx(3 / 20, rel=0.002))


def test_bounds_that_no_draw_reaches_are_those_of_the_normal_distribution():
    """The outermost of B draws is a bound for a confidence of 1 - 1 / (B + 1) at most; one of many slices asks more."""
    drawn = np.random.default_rng(0).normal(-1.0, 0.5, 200)
    found = Resampled(-1.0, drawn, 200)
    assert found.at(0.99).high == pytest.approx(float(mquantiles(drawn, [0.99], 0, 0)[0]))
    far, outermost = found.at(1 - 0.05 / 400), float(drawn.max())
    assert far.high >= max(outermost, -1.0 + norm.ppf(1 - 0.05 / 400) * drawn.std() - 1e-12)
    assert far.high > 0, "a loss of two standard errors is not shown in one of 400 slices"
    assert far.low <= float(drawn.min())
    assert Resampled(-1.0, np.empty(0), 200).at(0.9999).high == -1.0


@pytest.mark.slow
def test_one_draw_of_rows_for_both_models():
    """The bounds of an AUC difference, drawn in a loop of its own, with the areas of another library."""
    rng = np.random.default_rng(5)
    truth = (rng.random(200) < 0.4).astype(int)
    old, new = (truth + rng.normal(0, width, 200) for width in (0.9, 1.1))

    def values(rows):
        return roc_auc_score(truth[rows], old[rows]), roc_auc_score(truth[rows], new[rows])

    gain = resampled(values, 200, 1, 300, 7).at(0.95)
    again, found = np.random.default_rng(7), []
    for _ in range(300):
        weight = again.poisson(1.0, 200)
        found.append(roc_auc_score(truth, new, sample_weight=weight) - roc_auc_score(truth, old, sample_weight=weight))
    assert gain.value == pytest.approx(roc_auc_score(truth, new) - roc_auc_score(truth, old))
    assert (gain.low, gain.high) == pytest.approx(tuple(mquantiles(found, [0.05, 0.95], 0, 0)))


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "sign"), [("auc", 1), ("log_loss", -1)])
def test_the_influence_of_rows_gives_the_bounds_that_the_metric_of_each_draw_gives(metric, sign):
    """To a tenth of their distance, for models that err together."""
    rng = np.random.default_rng(3)
    truth = (rng.random(2000) < 0.3).astype(int)
    shared = truth + rng.normal(0, 1.2, 2000)
    old, new = (1 / (1 + np.exp(0.5 - shared - rng.normal(0, width, 2000))) for width in (0.8, 0.5))

    def values(rows):
        return binary_value(metric, truth[rows], old[rows]), binary_value(metric, truth[rows], new[rows])

    each = resampled(values, 2000, sign, 600, 7).at(0.975)
    quick = influenced_gain(*(binary_influence(metric, truth, s) for s in (old, new)), sign, 600, 7, 0.975)
    tenth = (each.high - each.low) / 10
    assert quick.value == pytest.approx(each.value)
    assert (quick.low, quick.high) == pytest.approx((each.low, each.high), abs=tenth)


def test_influences_are_added_with_the_weights_of_every_draw():
    """A loop over draws, for two pairs of models on the same rows, of which the second takes up what was drawn."""
    rng = np.random.default_rng(2)
    for _ in range(2):
        each = rng.normal(size=(2, 500))
        before, now = zip((0.7, 0.72), each - each.mean(axis=1, keepdims=True), strict=True)
        drawn, found = np.random.default_rng(9), []
        for _ in range(300):
            weights = drawn.poisson(1.0, 500)
            found.append(0.02 + np.sum(weights * (now[1] - before[1])) / weights.sum())
        low, high = np.quantile(found, [0.1, 0.9], method="weibull")
        gain = influenced_gain(before, now, 1, 300, 9, 0.9)
        assert (gain.value, gain.low, gain.high) == pytest.approx((0.02, low, high), abs=1e-12)


def test_less_is_better_turns_the_gain_round():
    old, new = np.arange(50.0), np.arange(50.0) + np.linspace(0, 2, 50)

    def means(rows):
        return float(old[rows].mean()), float(new[rows].mean())

    up, down = (resampled(means, 50, sign, 300, 1).at(0.9) for sign in (1, -1))
    assert (down.value, down.low, down.high) == pytest.approx((-up.value, -up.high, -up.low))


def test_pairs_say_more_than_two_intervals():
    """Both models err on the same rows: the bounds are far narrower than those of models drawn apart."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=400)
    old, new = np.abs(shared), np.abs(shared + 0.02)
    gain = resampled(lambda rows: (float(old[rows].mean()), float(new[rows].mean())), 400, -1, 400, 0).at(0.95)
    apart = 1.645 * np.sqrt(old.var() / 400 + new.var() / 400)
    assert gain.high - gain.low < apart / 5


def test_what_is_not_defined_has_no_gain():
    assert np.isnan(resampled(lambda rows: (float("nan"), 1.0), 10, 1, 200, 0).at(0.95).value)


@pytest.mark.slow
def test_many_rows_are_drawn_fewer_times():
    calls = []
    resampled(lambda rows: (calls.append(len(rows)) or 0.0, 0.0), 100_000, 1, 1000, 0).at(0.95)
    assert len(calls) == 201


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["accuracy", "auc", "rmse"])
def test_models_as_good_as_the_champion_are_seldom_called_worse(metric):
    """A/A pairs without a margin: 5 of 100 are expected; more than 11 have a chance of 4 in 1,000."""
    pairs = measured(metric, 120, 100, Challenge(resamples=200), seed=3)
    assert called(pairs, 120, Challenge(margin=0, resamples=200)).count("worse") <= 11
    assert called(pairs, 120, Challenge(resamples=200)).count("worse") <= 5, "with the default margin"


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["accuracy", "auc", "rmse"])
def test_a_model_that_has_lost_much_is_found_out(metric):
    lost = 1.0 if metric == "rmse" else 0.6
    found = verdicts(metric, 300, 40, Challenge(resamples=200), lost=lost, seed=3)
    assert found.count("worse") >= 38
