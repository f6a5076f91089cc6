"""The autoencoder: its output against a loop, its columns against the features, its errors in plain words."""

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.autoencoder import Autoencoder
from kilnworks.components.modeling.usual_rows import centre_and_spread, soft_clipped
from kilnworks.components.tasks.anomaly import Anomaly
from kilnworks.schemas.errors import ConfigError

pytestmark = pytest.mark.slow

TENSORS = (
    EncodedTensor(name="numeric", shape=(4,), dtype="float32", kind="numeric"),
    EncodedTensor(name="window", shape=(2, 3), dtype="float32", kind="sequence"),
)


def rows(n: int = 50) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {
        "numeric": (draw.normal(size=(n, 4)) * [1, 10, 100, 0.1] + 7).astype(np.float32),
        "window": draw.normal(size=(n, 2, 3)).astype(np.float32),
    }


def test_the_output_is_the_squared_error_of_each_column() -> None:
    import keras

    keras.utils.set_random_seed(0)
    given = rows()
    flat = np.concatenate([given["numeric"], given["window"].reshape(50, -1)], axis=1)
    model = Autoencoder(units=(6,), code=3).shown(given).network(TENSORS, Anomaly())
    x = soft_clipped(flat, *centre_and_spread(flat), 5.0).astype(np.float64)
    w = {layer.name: [np.asarray(v, np.float64) for v in layer.get_weights()] for layer in model.layers}
    hidden = np.tanh(x @ w["dense_1"][0] + w["dense_1"][1])
    code = hidden @ w["code_deep"][0] + w["code_deep"][1] + x @ w["code_straight"][0]
    up = np.tanh(code @ w["dense_up_1"][0] + w["dense_up_1"][1])
    made = up @ w["made_deep"][0] + w["made_deep"][1] + code @ w["made_straight"][0]
    assert np.asarray(model(given)) == pytest.approx((x - made) ** 2, rel=1e-3, abs=1e-4)


def test_noise_is_for_training_alone() -> None:
    given = rows()
    model = Autoencoder(noise=0.5).shown(given).network(TENSORS, Anomaly())
    once, again = (np.asarray(model(given, training=False)) for _ in range(2))
    assert (once == again).all()
    assert (np.asarray(model(given, training=True)) != np.asarray(model(given, training=True))).any()


def test_rows_that_are_all_the_same_teach_nothing() -> None:
    same = {name: np.ones_like(values) for name, values in rows().items()}
    with pytest.raises(ConfigError, match="every training row is the same"):
        Autoencoder().shown(same)


def test_one_column_is_refused() -> None:
    one = EncodedTensor(name="numeric", shape=(1,), dtype="float32", kind="numeric")
    with pytest.raises(ConfigError, match="one column"):
        Autoencoder().network((one,), Anomaly())


def test_indices_of_categories_are_refused() -> None:
    city = EncodedTensor(name="city", shape=(), dtype="int32", kind="categorical", vocabulary_size=3)
    with pytest.raises(ConfigError, match="model autoencoder cannot take 'city'"):
        Autoencoder().network((*TENSORS, city), Anomaly())
