"""What stands beside a model of anomalies, against scikit-learn and a formula."""

import numpy as np
import pytest

from kilnworks.components.judging.anomaly_baselines import baselines, mahalanobis


def test_the_distance_is_that_of_the_covariance() -> None:
    from sklearn.covariance import EmpiricalCovariance

    rows = np.random.default_rng(0).normal(size=(300, 4)) @ np.random.default_rng(1).normal(size=(4, 4))
    found, wanted = mahalanobis(rows)(rows), EmpiricalCovariance().fit(rows).mahalanobis(rows)
    assert found == pytest.approx(wanted * 299 / 300, rel=1e-6)


def test_a_column_that_never_varies_or_repeats_another_is_no_trouble() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2))
    twice = np.c_[rows, rows[:, :1], np.ones(300)]
    assert mahalanobis(twice)(twice) == pytest.approx(mahalanobis(rows)(rows), rel=1e-6)


def test_both_are_measured_on_the_judged_rows_in_parts() -> None:
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import average_precision_score, roc_auc_score

    draw = np.random.default_rng(0)
    train, judged = draw.normal(size=(400, 3)), draw.normal(size=(200, 3))
    odd = draw.random(200) < 0.1
    judged[odd] += 2
    halves = [{"numeric": judged[:90, :2], "b": judged[:90, 2:]}, {"numeric": judged[90:, :2], "b": judged[90:, 2:]}]
    found = baselines([{"numeric": train[:, :2], "b": train[:, 2:]}], iter(halves), odd.astype(int))
    score = -IsolationForest(random_state=0).fit(train).score_samples(judged)
    forest = found["baselines"]["isolation forest"]
    assert forest["average_precision"] == pytest.approx(average_precision_score(odd, score))
    assert forest["auc"] == pytest.approx(roc_auc_score(odd, score))
    best = max(one["average_precision"] for one in found["baselines"].values())
    assert found["baseline"]["metrics"]["average_precision"] == best
    assert baselines([{"n": train}], iter([{"n": judged}]), np.zeros(200, int)) == {}
