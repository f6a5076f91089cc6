"""Nearest training rows against scikit-learn, part by part and where all differences do not fit."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from kilnworks.components.explaining import neighbours
from kilnworks.components.explaining.neighbours import nearest


@pytest.mark.slow
@pytest.mark.parametrize("rows", [300, 60_000], ids=["few", "many"])
def test_they_are_those_of_scikit_learn(rows: int) -> None:
    random = np.random.default_rng(0)
    known, asked = random.normal(0, 3, (rows, 40)), random.normal(0, 3, (8, 40))
    known[:, 7] = 2.0
    parts = [known[: rows // 3], known[rows // 3 :]]
    places, apart = nearest(asked, iter(parts), known.std(axis=0))
    spread = np.where(known.std(axis=0) > 0, known.std(axis=0), 1.0)
    wanted, which = NearestNeighbors(n_neighbors=neighbours.NEAREST).fit(known / spread).kneighbors(asked / spread)
    assert (places == which).all()
    np.testing.assert_allclose(apart, wanted / np.sqrt(40), rtol=1e-6)


def test_fewer_rows_than_asked_for_are_all() -> None:
    places, apart = nearest(np.zeros((2, 3)), iter([np.ones((2, 3))]), np.ones(3))
    assert places.tolist() == [[0, 1], [0, 1]] and apart.tolist() == [[1, 1], [1, 1]]
