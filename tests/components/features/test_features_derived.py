"""Clusters and components of several numbers as places of the block: against scikit-learn, and the two ways equal."""

import datetime

import numpy as np
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from kilnworks.components.features.derived import fit as fitting
from kilnworks.components.features.derived.settings import Derived
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.feature_columns import column_names, feature_columns
from kilnworks.schemas.artifacts import Transform
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, KilnworksError, UnknownName
from tests.components.features import tabular

FEATURES = {
    "a": {"dtype": "float", "nullable": True},
    "b": {"dtype": "float"},
    "c": {"dtype": "int"},
    "on": {"dtype": "datetime"},
    "plan": {"dtype": "string"},
    "empty": {"dtype": "float", "nullable": True},
    "same": {"dtype": "float"},
}
CONTRACT = Contract.model_validate({"name": "x", "features": FEATURES, "label": tabular.LABELS["binary"]})
METHODS = {
    "kmeans distances": Derived(of=("a", "b", "c"), count=3),
    "kmeans membership": Derived(of=("a", "b", "c"), count=3, gives="membership"),
    "gaussian distances": Derived(of=("a", "b", "c"), method="gaussian_mixture", count=3),
    "gaussian membership": Derived(of=("a", "b", "c"), method="gaussian_mixture", count=3, gives="membership"),
    "pca": Derived(of=("c", "a", "b"), method="pca", count=2),
    "pca of a moment": Derived(of=("on", "b"), method="pca", count=2),
}
STEPS = [10_000, 20_000, 40_000]


def _rows(n, seed=0):
    """Three groups of rows that lie apart."""
    r = np.random.default_rng(seed)
    group = r.integers(0, 3, n)
    start = datetime.datetime(2024, 1, 1)
    return pl.DataFrame(
        {
            "a": r.normal(np.array([0.0, 8.0, 0.0])[group], 1 + group, n),
            "b": r.normal(np.array([100.0, 100.0, 160.0])[group], 9, n),
            "c": r.integers(0, 5, n) + np.array(STEPS)[group],
            "on": [start + datetime.timedelta(hours=int(hour)) for hour in r.integers(0, 9000, n)],
            "plan": r.choice(["basic", "plus"], n),
            "empty": pl.Series([None] * n, dtype=pl.Float64),
            "same": [2.5] * n,
            "label": r.choice(["no", "yes"], n),
        }
    )


def _fit(folder, frame, config, shards=2):
    files = []
    for i in range(shards):
        files.append(folder / f"part-{i}.parquet")
        frame.slice(i * (frame.height // shards), frame.height // shards).write_parquet(files[-1])
    return FeatureTransform.fit(CONTRACT, files, config)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A transform with one of every kind, saved and loaded, and the rows it was fitted to."""
    folder, frame = tmp_path_factory.mktemp("derived"), _rows(600)
    _fit(folder, frame, PreprocessConfig(derived=METHODS)).save(folder / "transform")
    return FeatureTransform.load(Transform(folder / "transform")), frame, folder / "transform"


def _places(transform, frame, name):
    start = transform.plan.block.index(transform.plan.derived[name].places(name)[0])
    return transform.encode(frame)["numeric"][:, start : start + transform.plan.derived[name].count]


def _scaled(frame, names):
    return StandardScaler().fit_transform(frame.select(names).to_numpy().astype(float))


@pytest.mark.slow
def test_distances_are_those_of_k_means_on_scaled_numbers(fitted):
    transform, frame, _ = fitted
    rows = _scaled(frame, ["a", "b", "c"])
    model = KMeans(3, n_init=10, random_state=0).fit(rows)
    order = np.argsort(-np.bincount(model.labels_))
    wanted = StandardScaler().fit_transform(model.transform(rows)[:, order])
    np.testing.assert_allclose(_places(transform, frame, "kmeans distances"), wanted, atol=2e-4)
    ones = _places(transform, frame, "kmeans membership")
    np.testing.assert_array_equal(ones, np.eye(3)[np.argsort(order)[model.labels_]])


@pytest.mark.slow
def test_probabilities_and_distances_are_those_of_a_gaussian_mixture(fitted):
    transform, frame, _ = fitted
    rows = _scaled(frame, ["a", "b", "c"])
    model = GaussianMixture(3, reg_covar=1e-3, n_init=2, max_iter=300, random_state=0).fit(rows)
    order = np.argsort(-np.bincount(model.predict(rows)))
    wanted = model.predict_proba(rows)[:, order]
    np.testing.assert_allclose(_places(transform, frame, "gaussian membership"), wanted, atol=2e-4)
    away = rows[:, None] - model.means_[order]
    mahalanobis = np.sqrt(np.einsum("nkd,kde,nke->nk", away, np.linalg.inv(model.covariances_[order]), away))
    wanted = StandardScaler().fit_transform(mahalanobis)
    np.testing.assert_allclose(_places(transform, frame, "gaussian distances"), wanted, atol=2e-3)


@pytest.mark.slow
def test_components_are_those_of_pca_each_of_variance_1(fitted):
    transform, frame, _ = fitted
    wanted = StandardScaler().fit_transform(PCA(2).fit_transform(_scaled(frame, ["c", "a", "b"])))
    np.testing.assert_allclose(_places(transform, frame, "pca"), wanted, atol=2e-4)


@pytest.mark.slow
def test_the_served_graph_gives_the_same_numbers_bit_by_bit_and_holds_no_layer_of_ours(fitted):
    import keras

    from kilnworks.components.features.graph import input_name

    transform, _, folder = fitted
    model = keras.saving.load_model(folder / "transform.keras")
    frame = _rows(300, seed=1).with_columns(a=pl.when(pl.col("b") > 100).then("a"))
    frame[0, "b"], frame[1, "b"], frame[2, "a"] = 3e38, -1e20, float("nan")
    raw = {input_name(n): tensor for n, tensor in tabular.as_tensors(CONTRACT, frame).items()}
    got = model(raw)["numeric"].numpy()
    np.testing.assert_array_equal(got, transform.encode(frame)["numeric"])
    assert np.isfinite(got).all()
    assert not [layer for layer in model.layers if type(layer).__module__.startswith("kilnworks")]


def test_a_missing_number_counts_as_its_mean(fitted):
    transform, frame, _ = fitted
    mean = transform.plan.features["a"].mean
    hole, filled = (frame.head(5).with_columns(a=pl.lit(v, pl.Float64)) for v in (None, mean))
    for name in METHODS:
        np.testing.assert_allclose(_places(transform, hole, name), _places(transform, filled, name), atol=1e-5)


def test_places_have_names_and_owners(fitted):
    transform, _, _ = fitted
    block = transform.plan.block
    assert block[-2:] == ("pca of a moment component 1", "pca of a moment component 2")
    assert {"kmeans distances distance 1", "gaussian membership cluster 3"} <= set(block)
    features, owner = feature_columns(transform)
    named = dict(zip(column_names(transform), (features[i] for i in owner), strict=True))
    assert named["pca component 2"] == "pca" and named["b"] == "b" and len(owner) == len(block)


def test_what_is_found_does_not_depend_on_shards_nor_on_rows_beyond_the_training_split(tmp_path, fitted):
    transform, frame, _ = fitted
    again = _fit(tmp_path, frame, PreprocessConfig(derived=METHODS), shards=3)
    other = _fit(tmp_path, frame.head(400), PreprocessConfig(derived=METHODS), shards=1)
    for name in METHODS:
        np.testing.assert_allclose(_places(again, frame, name), _places(transform, frame, name), atol=1e-4)
        assert other.plan.derived[name] != transform.plan.derived[name]


def test_of_many_rows_as_many_as_may_be_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "MOST_ROWS", 40)
    derived = {"p": Derived(of=("b", "c"), method="pca", count=1, seed=3)}
    transform = _fit(tmp_path, _rows(200), PreprocessConfig(derived=derived))
    chosen = np.sort(np.random.default_rng(3).permutation(200)[:40])
    frame = _rows(200)
    numbers = [transform.plan.features[name] for name in ("b", "c")]
    rows = (frame.select("b", "c").to_numpy() - [n.mean for n in numbers]) / np.sqrt([n.variance for n in numbers])
    wanted = PCA(1).fit(rows[chosen]).transform(rows)[:, 0] / PCA(1).fit_transform(rows[chosen]).std()
    np.testing.assert_allclose(_places(transform, frame, "p")[:, 0], wanted, atol=2e-4)


@pytest.mark.parametrize(
    ("derived", "error", "said"),
    [
        ({"d": {"of": ["a", "z"]}}, UnknownName, "no feature 'z'"),
        ({"b": {"of": ["a"]}}, ConfigError, "'b' is a column of the contract"),
        ({"label": {"of": ["a"]}}, ConfigError, "'label' is a column of the contract"),
        ({"d": {"of": ["a", "plan"]}}, ConfigError, "'plan', which is encoded as category"),
        ({"d": {"of": ["empty"]}}, ConfigError, "encoded as dropped (no value in the training split)"),
        ({"d": {"of": ["a", "b"], "method": "pca", "count": 3}}, ConfigError, "of 2 numbers in 90 training rows"),
        ({"d": {"of": ["c"], "count": 40}}, ConfigError, "have 15 different values in 90 training rows"),
        ({"d": {"of": ["same"], "count": 2}}, ConfigError, "have 1 different values in 90 training rows"),
        ({"d": {"of": ["same"], "method": "pca", "count": 1}}, ConfigError, "same is the same in all 90 training"),
    ],
    ids=[
        "unknown", "name of a feature", "name of the label", "category", "no value", "components", "clusters",
        "clusters of one value", "components of one value",
    ],
)  # fmt: skip
def test_what_cannot_be_derived_is_refused(tmp_path, derived, error, said):
    config = PreprocessConfig.model_validate({"derived": derived})
    with pytest.raises(error) as raised:
        _fit(tmp_path, _rows(90), config)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"of": ["a"], "count": 1}, "of clusters there are at least 2"),
        ({"of": ["a", "a"]}, "names a feature twice"),
        ({"of": ["a"], "method": "pca", "gives": "membership"}, "means nothing with pca"),
        ({"of": []}, "at least 1 item"),
    ],
    ids=["one cluster", "twice", "membership of components", "none"],
)
def test_settings_that_contradict_themselves_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        Derived.model_validate(settings)


def test_a_feature_that_is_dropped_by_the_settings_says_so(tmp_path):
    config = PreprocessConfig(
        features={"a": FeatureSettings(encode="drop")}, derived={"d": Derived(of=("a", "b"), count=2)}
    )
    with pytest.raises(KilnworksError, match="left out by the settings"):
        _fit(tmp_path, _rows(60), config)


def test_a_number_that_never_varied_and_a_copy_of_another_are_no_harm(tmp_path):
    frame = _rows(90).with_columns(b=pl.col("a"))
    derived = {
        "k": Derived(of=("a", "b", "same"), count=2),
        "g": Derived(of=("a", "b", "same"), count=2, method="gaussian_mixture"),
        "p": Derived(of=("a", "b", "same"), count=3, method="pca"),
    }
    transform = _fit(tmp_path, frame, PreprocessConfig(derived=derived))
    components = _places(transform, frame, "p")
    assert np.isfinite(transform.encode(frame)["numeric"]).all()
    np.testing.assert_allclose(components.std(axis=0), [1, 0, 0], atol=1e-5)


def test_a_model_that_takes_features_as_they_are_sent_refuses_what_is_derived(tmp_path):
    transform = _fit(tmp_path, _rows(60), PreprocessConfig(derived={"axes": METHODS["pca"]}))
    with pytest.raises(ConfigError, match="derived axes for a model that takes features as they are sent"):
        transform.as_sent()
