"""The logistic regression finds the weights of scikit-learn's, on dense and sparse rows, of two classes and of more."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from kilnworks.components.judging.logistic import fitted
from kilnworks.components.judging.simple_models import LINEAR, of_classes

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(600, 5)).astype(np.float32)
SCORES = ROWS @ RANDOM.normal(size=(5, 4)) + RANDOM.gumbel(size=(600, 4)) + np.arange(4)
"""Of four classes that are not equally often."""


@pytest.mark.parametrize("made", [np.asarray, csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_are_scikit_learns(made, classes):
    truth = SCORES[:, :classes].argmax(axis=1)
    wanted = LogisticRegression(tol=1e-8, max_iter=5000).fit(ROWS, truth).predict_proba(ROWS)
    got = fitted(made(ROWS), truth, classes, 300)(made(ROWS))
    assert got.shape == (600, classes)
    np.testing.assert_allclose(got, wanted, atol=2e-3)
    np.testing.assert_allclose(got.sum(axis=1), 1)


def test_the_penalty_counts_and_spares_the_constant():
    """Classes that a line parts have finite weights; columns of nothing leave the shares of the classes."""
    parted = (ROWS[:, 0] > 0).astype(int)
    wanted = LogisticRegression(tol=1e-8, max_iter=5000).fit(ROWS, parted).predict_proba(ROWS)
    np.testing.assert_allclose(fitted(ROWS, parted, 2, 300)(ROWS), wanted, atol=5e-3)
    rare = (np.arange(600) < 30).astype(int)
    shares = fitted(np.zeros_like(ROWS), rare, 2, 300)(np.zeros((1, 5)))
    np.testing.assert_allclose(shares, [[0.95, 0.05]], atol=1e-3)


def test_scores_beyond_the_exponential_are_no_overflow():
    rows = 1e4 * ROWS
    truth = SCORES.argmax(axis=1)
    got = fitted(rows, truth, 4, 300)(rows)
    assert np.isfinite(got).all()
    assert (got.argmax(axis=1) == truth).mean() > 0.6


def test_classes_that_no_row_had_have_a_column():
    truth = np.where(SCORES[:, :2].argmax(axis=1), 3, 1)
    got = of_classes(ROWS, truth, 5)[LINEAR](ROWS)
    assert got.shape == (600, 5)
    assert (got[:, [0, 2, 4]] == 0).all()
    assert (got.argmax(axis=1) == truth).mean() > 0.6
