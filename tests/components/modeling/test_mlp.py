"""The multilayer perceptron against the same arithmetic in NumPy."""

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.base import embedding_size, scope_name
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.errors import ConfigError
from tests.components.tasks.some_tasks import binary, multiclass, regression

TENSORS = (
    EncodedTensor(name="numeric", shape=(3,), dtype="float32", kind="numeric"),
    EncodedTensor(name="plan name", shape=(), dtype="int32", kind="categorical", vocabulary_size=6),
    EncodedTensor(name="dense_1", shape=(4, 2), dtype="float32", kind="sequence"),
)
BINARY = binary()


def rows(n: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "numeric": random.normal(size=(n, 3)).astype(np.float32),
        "plan name": random.integers(0, 6, n).astype(np.int32),
        "dense_1": random.normal(size=(n, 4, 2)).astype(np.float32),
    }


def seeded(model: Mlp, head: Task = BINARY, tensors=TENSORS, seed: int = 1):
    import keras

    keras.utils.set_random_seed(seed)
    return model.network(tensors, head)


@pytest.mark.parametrize(
    ("vocabulary", "expected"), [(2, 3), (10, 6), (26, 10), (100, 22), (1000, 32), (1_000_000, 32)]
)
def test_embedding_size_rule(vocabulary: int, expected: int) -> None:
    assert embedding_size(vocabulary) == expected


def test_scope_names() -> None:
    assert scope_name("plan name/é") == "plan_name__"


@pytest.mark.slow
def test_forward_pass() -> None:
    model = seeded(Mlp(units=(4,), embedding_size=2))
    table, kernel, bias, last, last_bias = (np.array(w) for w in model.get_weights())
    given = rows()
    features = np.concatenate([given["numeric"], table[given["plan name"]], given["dense_1"].reshape(5, 8)], axis=1)
    hidden = np.maximum(features @ kernel + bias, 0)
    expected = 1 / (1 + np.exp(-(hidden @ last + last_bias)))
    np.testing.assert_allclose(model(given).numpy(), expected, atol=1e-6)
    assert set(model.input) == {"numeric", "plan name", "dense_1"}
    assert [layer.name for layer in model.layers if layer.name.startswith("dense")] == ["dense_1", "dense_1_"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "name", "shape"),
    [
        (BINARY, "probability", (5, 1)),
        (multiclass(4), "probabilities", (5, 4)),
        (regression(1e5, 10.0), "value", (5, 1)),
    ],
)
def test_heads(head: Task, name: str, shape: tuple[int, int]) -> None:
    model = seeded(Mlp(units=()), head)
    output = model(rows()).numpy()
    assert model.layers[-1].name == name
    assert output.shape == shape
    if head.kind == "multiclass":
        np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-6)
    if head.kind == "regression":
        standard = model.get_layer("standard_value").output
        assert abs(output.mean() - 1e5) < 100
        assert standard.shape == (None, 1)


@pytest.mark.slow
def test_penalty_formula() -> None:
    model = seeded(Mlp(units=(4, 3), l1=0.01, l2=0.1))
    kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")][:2]
    expected = sum(0.01 * np.abs(k).sum() + 0.1 * np.square(k).sum() for k in kernels)
    assert float(sum(float(v) for v in model.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_building_is_bit_stable(normalization: str) -> None:
    config = Mlp(dropout=0.5, normalization=normalization, initializer="he_normal", activation="gelu")
    one, two, other = seeded(config), seeded(config), seeded(config, seed=2)
    assert [layer.name for layer in one.layers] == [layer.name for layer in two.layers]
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
    assert sum("normalization" in layer.name for layer in one.layers) == (0 if normalization == "none" else 2)


@pytest.mark.slow
def test_no_input_is_refused() -> None:
    with pytest.raises(ConfigError, match="no encoded tensor"):
        Mlp().network([], BINARY)
    broken = EncodedTensor(name="plan", shape=(), dtype="int32", kind="categorical")
    with pytest.raises(ConfigError, match="'plan' has no vocabulary_size"):
        Mlp().network([broken], BINARY)
