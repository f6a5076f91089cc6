"""Boosted trees beside the simple models are scikit-learn's, of dense and of sparse rows, and only where asked for."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from kilnworks.components.judging.simple_models import BOOSTED, CONSTANT, DENSE, LINEAR, of_classes, of_numbers

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(200, 3)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("made", [np.asarray, csr_matrix], ids=["dense", "sparse"])
def test_classes_have_a_column_each_also_where_no_row_had_one(made):
    truth = np.where(ROWS[:, 0] * ROWS[:, 1] > 0, 2, 0)
    found = of_classes(made(ROWS), truth, 4, (BOOSTED,))
    expected = HistGradientBoostingClassifier(random_state=0).fit(ROWS, truth).predict_proba(ROWS)
    got = found[BOOSTED](made(ROWS))
    assert found.keys() == {CONSTANT, BOOSTED} and got.shape == (200, 4)
    np.testing.assert_allclose(got[:, [0, 2]], expected)
    assert (got[:, [1, 3]] == 0).all()


@pytest.mark.slow
def test_numbers_are_learned_in_their_own_unit():
    truth = 1000 + 300 * ROWS[:, 0] * ROWS[:, 1]
    found = of_numbers(ROWS, truth, False, (CONSTANT, LINEAR, BOOSTED))
    trees = HistGradientBoostingRegressor(random_state=0).fit(ROWS, (truth - truth.mean()) / truth.std())
    np.testing.assert_allclose(found[BOOSTED](ROWS), trees.predict(ROWS) * truth.std() + truth.mean(), rtol=1e-6)
    error = {name: float(np.mean((model(ROWS) - truth) ** 2)) for name, model in found.items()}
    assert error[BOOSTED] < 0.5 * error[LINEAR]


def test_an_evaluation_learns_no_trees_and_too_wide_rows_have_none():
    truth = np.arange(200) % 2
    assert of_classes(ROWS, truth, 2).keys() == of_numbers(ROWS, truth).keys() == {CONSTANT, LINEAR}
    wide = csr_matrix((200, DENSE + 1), dtype=np.float32)
    assert of_classes(wide, truth, 2, (BOOSTED,)).keys() == {CONSTANT}
