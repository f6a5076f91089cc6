"""Curves and calibration equal scikit-learn's; thinning keeps their shape."""

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from kilnworks.components.judging import curves, metrics
from kilnworks.components.judging.calibration import calibration, wilson


def case(n: int, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    truth = (rng.random(n) < 0.4).astype(np.int64)
    score = np.clip(0.4 + 0.2 * truth + 0.2 * rng.normal(size=n), 0, 1)
    return truth, np.round(score, 2) if ties else score


def test_short_roc_is_scikit_learns_point_by_point() -> None:
    truth, score = case(120, ties=True)
    ours = curves.roc(metrics.cells(truth, score))
    fpr, tpr, _ = reference.roc_curve(truth, score, drop_intermediate=False)
    np.testing.assert_allclose(ours["fpr"], fpr, atol=1e-5)
    np.testing.assert_allclose(ours["tpr"], tpr, atol=1e-5)


def test_short_precision_recall_is_scikit_learns_point_by_point() -> None:
    truth, score = case(120, ties=True)
    ours = curves.precision_recall(metrics.cells(truth, score))
    precision, recall, _ = reference.precision_recall_curve(truth, score)
    first = int(np.argmax(recall == 1)) if recall[0] == 1 else 0
    assert first == 0
    np.testing.assert_allclose(ours["recall"][1:], recall[:-1][::-1], atol=1e-5)
    np.testing.assert_allclose(ours["precision"][1:], precision[:-1][::-1], atol=1e-5)


def test_a_thinned_roc_keeps_the_area_and_the_ends() -> None:
    truth, score = case(20_000)
    ours = curves.roc(metrics.cells(truth, score))
    assert len(ours["fpr"]) <= curves.POINTS + 2
    assert (ours["fpr"][0], ours["tpr"][0], ours["fpr"][-1], ours["tpr"][-1]) == (0, 0, 1, 1)
    assert np.trapezoid(ours["tpr"], ours["fpr"]) == pytest.approx(reference.roc_auc_score(truth, score), abs=2e-3)


def test_threshold_table_is_what_each_threshold_gives() -> None:
    truth, score = case(500)
    for row in curves.threshold_table(metrics.cells(truth, score)):
        predicted = score > row["threshold"]
        assert row["flagged"] == pytest.approx(predicted.mean(), abs=1e-4)
        assert row["recall"] == pytest.approx(reference.recall_score(truth, predicted), abs=1e-4)
        if predicted.any():
            assert row["precision"] == pytest.approx(reference.precision_score(truth, predicted), abs=1e-4)
        else:
            assert row["precision"] is None


def test_reliability_bins_equal_scikit_learns_and_ece_its_definition() -> None:
    truth, score = case(3000)
    found = calibration(score, truth == 1, bins=10)
    observed, predicted = calibration_curve(truth, score, n_bins=10)
    np.testing.assert_allclose([b["observed"] for b in found["bins"]], observed, rtol=1e-5)
    np.testing.assert_allclose([b["predicted"] for b in found["bins"]], predicted, rtol=1e-5)
    rows = np.array([b["rows"] for b in found["bins"]])
    assert rows.sum() == 3000
    assert found["ece"] == pytest.approx((rows * np.abs(observed - predicted)).sum() / 3000)
    assert found["mce"] == pytest.approx(np.abs(observed - predicted).max())


def test_wilson_interval_of_a_known_case() -> None:
    low, high = wilson(np.array([0.0, 0.5]), np.array([10, 100]))
    assert low.tolist() == pytest.approx([0.0, 0.4038], abs=1e-4)
    assert high.tolist() == pytest.approx([0.2775, 0.5962], abs=1e-4)


def test_residual_pictures_count_every_row() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=999)
    found = curves.residuals(truth, truth + 0.1 * rng.normal(size=999))
    assert sum(found["histogram"]["counts"]) == 999
    by = found["by_value"]
    assert len(by["predicted"]) == 20
    assert all(lo <= mid <= hi for lo, mid, hi in zip(by["low"], by["actual"], by["high"], strict=True))
    assert curves.residuals(np.ones(3), np.ones(3))["histogram"]["counts"][0] == 3
