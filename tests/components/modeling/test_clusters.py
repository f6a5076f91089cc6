"""Clusters in layers of Keras against scikit-learn's own answers; what is refused, in plain words."""

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.judging.cluster_fits import by_size, count_of, fitted, told
from kilnworks.components.judging.cluster_settings import How
from kilnworks.components.modeling.clusters import TRIED, Clusters
from kilnworks.components.tasks.clusters import Clustering
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataInvalid

pytestmark = pytest.mark.slow

TENSORS = (
    EncodedTensor(name="numeric", shape=(4,), dtype="float32", kind="numeric"),
    EncodedTensor(name="window", shape=(2, 3), dtype="float32", kind="sequence"),
)
METHODS = (
    How(),
    How(method="gaussian_mixture", least_variance=1e-2),
    How(method="gaussian_mixture", covariance="diag"),
)
PLAIN = Contract.model_validate({"name": "p", "features": {"a": {"dtype": "float"}}})


def rows(n: int = 400) -> dict[str, np.ndarray]:
    """Four groups of rows; the first one has half of them."""
    draw = np.random.default_rng(0)
    group = draw.choice(4, n, p=[0.5, 0.2, 0.2, 0.1])
    centres = draw.normal(0, 3, (4, 10))
    flat = (centres[group] + draw.normal(size=(n, 10)) * [1, 2, 0.5, 1, 1, 1, 1, 3, 1, 1]).astype(np.float32)
    return {"numeric": flat[:, :4], "window": flat[:, 4:].reshape(n, 2, 3)}


def side_by_side(given: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([given["numeric"], given["window"].reshape(-1, 6)], axis=1)


def answered(how: How, given: dict[str, np.ndarray], count: int = 4) -> dict[str, np.ndarray]:
    shown = Clusters(count=count, **how.model_dump()).shown(given)
    output = shown.network(TENSORS, Clustering())(given)
    task = Clustering(how=how, count=count, columns=tuple("abcdefghij"))
    assert output.shape == (len(given["numeric"]), task.outputs)
    return {name: np.asarray(values) for name, values in task.looked_at(output).items()}


@pytest.mark.parametrize("how", METHODS, ids=["kmeans", "full", "diag"])
def test_the_answers_are_those_of_scikit_learn(how: How) -> None:
    given = rows()
    flat = side_by_side(given)
    model = fitted(flat, 4, how)
    order = by_size(model, flat)
    found = answered(how, given)
    assert (order[found["cluster"]] == told(model, flat)).all()
    assert np.bincount(found["cluster"]).tolist() == sorted(np.bincount(found["cluster"]), reverse=True)
    np.testing.assert_array_equal(found["columns"], flat)
    if how.method == "kmeans":
        np.testing.assert_allclose(found["distances"], model.transform(flat)[:, order], rtol=1e-4)
        np.testing.assert_allclose(found["distance"], model.transform(flat).min(axis=1), rtol=1e-4)
        return
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(flat)[:, order], rtol=1e-3, atol=1e-4)
    own = model.predict(flat)
    apart = flat.astype(float) - model.means_[own]
    inverse = model.precisions_ if how.covariance == "full" else np.stack([np.diag(p) for p in model.precisions_])
    wanted = np.sqrt(np.einsum("nd,nde,ne->n", apart, inverse[own], apart))
    np.testing.assert_allclose(found["distance"], wanted, rtol=1e-3)


@pytest.mark.parametrize("how", METHODS, ids=["kmeans", "full", "diag"])
def test_the_first_output_is_how_well_a_row_fits(how: How) -> None:
    given = rows()
    flat = side_by_side(given)
    model = fitted(flat, 4, how)
    best = np.asarray(Clusters(count=4, **how.model_dump()).shown(given).network(TENSORS, Clustering())(given))[:, 0]
    if how.method == "kmeans":
        assert best.mean() == pytest.approx(-model.inertia_ / len(flat) / 2, rel=1e-4)
    else:
        spread = model.score_samples(flat) - best  # the density of all of them is above that of the likeliest
        assert (spread > -1e-3).all() and (spread < np.log(4) + 1e-3).all()


def test_the_number_of_clusters_is_that_with_the_largest_silhouette() -> None:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    given = rows()
    flat = side_by_side(given).astype(float)
    model = Clusters(most=6).shown(given).network(TENSORS, Clustering())
    tried = model.__dict__[TRIED]
    fits = {k: KMeans(k, n_init=10, random_state=0).fit_predict(flat) for k in range(2, 7)}
    assert tried == pytest.approx({k: silhouette_score(flat, labels) for k, labels in fits.items()}, rel=1e-3)
    assert max(tried, key=lambda k: tried[k]) == 4 and model.output_shape == (None, 1 + 2 * 4 + 10)


def test_more_clusters_than_different_rows_are_refused() -> None:
    given = {name: np.repeat(values[:3], 5, axis=0) for name, values in rows().items()}
    with pytest.raises(ConfigError, match="4 clusters of 15 training rows, 3 of them different"):
        Clusters(count=4).shown(given)
    assert count_of(fitted(side_by_side(given), 2, How())) == 2
    with pytest.raises(ConfigError, match="1 of them different"):
        Clusters().shown({name: np.ones_like(values) for name, values in given.items()})


def test_one_cluster_and_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="count"):
        Clusters(count=1)
    given = rows()
    given["window"][3, 0, 0] = np.nan
    with pytest.raises(DataInvalid, match="NaN or infinite numbers, in window"):
        Clusters(count=2).shown(given)


def test_indices_of_categories_are_refused_and_so_is_a_network_before_rows_were_shown() -> None:
    city = EncodedTensor(name="city", shape=(), dtype="int32", kind="categorical", vocabulary_size=3)
    with pytest.raises(ConfigError, match="model clusters cannot take 'city'"):
        Clusters().network((*TENSORS, city), Clustering())
    with pytest.raises(ConfigError, match="not shown yet"):
        Clusters().network(TENSORS, Clustering())
