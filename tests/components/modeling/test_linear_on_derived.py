"""A linear model that is given distances to clusters draws borders that it cannot draw by itself."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.features.derived.settings import Derived
from kilnworks.components.features.settings import PreprocessConfig
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.contract import Contract
from tests.components.learning.training_examples import examples, fitted, trained

pytestmark = pytest.mark.slow

PLACES = np.array([[-3.0, -3.0], [3.0, 3.0], [-3.0, 3.0], [3.0, -3.0]])
CONTRACT = Contract.model_validate(
    {
        "name": "squares",
        "features": {"x": {"dtype": "float"}, "y": {"dtype": "float"}},
        "label": {"name": "same", "dtype": "string", "classes": ["no", "yes"]},
    }
)
TRAIN = TrainConfig(model=Mlp(units=()), epochs=12, batch=64, optimizer=Adam(learning_rate=0.03))


def squares(rows: int, seed: int) -> pl.DataFrame:
    """Four groups of rows; those of opposite corners have the same label (exclusive or)."""
    r = np.random.default_rng(seed)
    group = r.integers(0, 4, rows)
    at = PLACES[group] + r.normal(0, 1.5, (rows, 2))
    return pl.DataFrame({"x": at[:, 0], "y": at[:, 1], "same": np.where(group < 2, "yes", "no").astype(str)})


def reference_auc(train: pl.DataFrame, val: pl.DataFrame, derive: bool) -> float:
    """AUC of scikit-learn's logistic regression on scaled numbers, with its own k-means beside them where asked for."""
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    both = FeatureUnion([("numbers", FunctionTransformer()), ("far", KMeans(4, n_init=10, random_state=0))])
    steps = [StandardScaler(), *([both, StandardScaler()] if derive else [])]
    model = make_pipeline(*steps, LogisticRegression()).fit(train.select("x", "y").to_numpy(), train["same"] == "yes")
    return float(roc_auc_score(val["same"] == "yes", model.predict_proba(val.select("x", "y").to_numpy())[:, 1]))


def test_distances_to_clusters_let_a_linear_model_see_an_exclusive_or(tmp_path):
    frames = {"train": squares(1500, 1), "val": squares(600, 2)}
    given = examples(tmp_path / "examples", CONTRACT, frames)
    derived = PreprocessConfig(derived={"corner": Derived(of=("x", "y"), count=4)})
    found = {}
    for name, config in (("numbers", PreprocessConfig()), ("with clusters", derived)):
        made = trained(tmp_path, TRAIN, given, fitted(tmp_path / f"{name} transform", given, config), name)
        found[name] = made.training["best"]["val_auc"]
    assert reference_auc(**frames, derive=False) < 0.6 and found["numbers"] < 0.6
    assert found["with clusters"] == pytest.approx(reference_auc(**frames, derive=True), abs=0.01)
    assert found["with clusters"] > 0.95
