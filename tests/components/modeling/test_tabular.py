"""The tabular ensemble: its encoding against a loop, its members against separate networks, its mean, its training."""

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.errors import ConfigError
from tests.components.tasks.some_tasks import binary, multiclass, regression

pytestmark = pytest.mark.slow

TENSORS = (
    EncodedTensor(name="numeric", shape=(5,), dtype="float32", kind="numeric"),
    EncodedTensor(name="shares", shape=(3,), dtype="float32", kind="shares"),
    EncodedTensor(name="city x", shape=(), dtype="int32", kind="categorical", vocabulary_size=7),
    EncodedTensor(name="member_outputs", shape=(2, 2), dtype="float32", kind="sequence"),
)
HEADS = [
    binary(),
    multiclass(4),
    regression(100.0, 7.0),
]


def rows(n: int = 6) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "numeric": random.normal(size=(n, 5)).astype(np.float32) * 4,
        "shares": random.random((n, 3)).astype(np.float32),
        "city x": random.integers(0, 7, n).astype(np.int32),
        "member_outputs": random.normal(size=(n, 2, 2)).astype(np.float32),
    }


def made(head: Task, seed: int = 3, **settings):
    import keras

    keras.utils.set_random_seed(seed)
    config = Tabular(**{"members": 3, "units": (8, 6), "bins": 4, "number_size": 2, "dropout": 0.0, **settings})
    model = config.network(TENSORS, head)
    random = np.random.default_rng(1)
    model.set_weights([w + random.normal(0, 0.3, w.shape).astype(np.float32) for w in model.get_weights()])
    return config, model


def finished(logits: np.ndarray, head: Task) -> np.ndarray:
    if head.kind == "binary":
        return 1 / (1 + np.exp(-logits))
    if head.kind == "regression":
        return logits * head.scale + head.offset
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def row_losses(outputs: np.ndarray, target: np.ndarray, head: Task) -> np.ndarray:
    """Cross-entropy from logits, or the squared error, of each row."""
    if head.kind == "binary":
        return np.log1p(np.exp(-outputs * (2 * target - 1)))[:, 0]
    if head.kind == "regression":
        return np.square(finished(outputs, head) - target)[:, 0]
    return np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(target)), target]


def test_pieces_are_those_of_a_loop() -> None:
    from kilnworks.components.modeling.ensemble import PiecewiseLinear

    shares = rows()["shares"]
    expected = np.zeros((6, 3, 5))
    for n in range(6):
        for d in range(3):
            for b in range(5):
                low, high = b / 5, (b + 1) / 5
                expected[n, d, b] = min(1.0, max(0.0, (shares[n, d] - low) / (high - low)))
    np.testing.assert_allclose(PiecewiseLinear(5)(shares).numpy(), expected, atol=1e-6)


def test_the_clip_hardly_moves_small_numbers_and_bounds_large_ones() -> None:
    from kilnworks.components.modeling.ensemble import SoftClip

    x = np.array([-1e6, -5.0, 0.1, 5.0, 1e6], np.float32)
    np.testing.assert_allclose(SoftClip(5.0)(x).numpy(), [-5, -5 / 2**0.5, 0.09998, 5 / 2**0.5, 5], rtol=1e-4)


@pytest.mark.parametrize("head", HEADS, ids=lambda h: h.kind)
def test_members_are_separate_networks_and_the_answer_is_their_mean(head: Task) -> None:
    """Each member computed alone, in NumPy, with its own slices of the factors."""
    _, model = made(head)
    weight = {v.path: v.numpy() for v in model.variables}
    given = rows()
    clipped = {n: given[n].reshape(6, -1) for n in ("numeric", "member_outputs")}
    clipped = {n: x / np.sqrt(1 + (x / 5) ** 2) for n, x in clipped.items()}
    pieces = np.clip(given["shares"][..., None] * 4 - np.arange(4), 0, 1)
    numbers = np.einsum("ndb,dbe->nde", pieces, weight["embedding_shares/kernel"]) + weight["embedding_shares/bias"]
    features = np.concatenate(
        [
            clipped["numeric"],
            np.maximum(numbers, 0).reshape(6, -1),
            weight["embedding_city_x/embeddings"][given["city x"]],
            clipped["member_outputs"],
        ],
        axis=1,
    )
    linear = (
        clipped["numeric"] @ weight["effect_numeric/kernel"]
        + weight["effect_city_x/embeddings"][given["city x"]]
        + clipped["member_outputs"] @ weight["effect_member_outputs/kernel"]
    )
    answers = []
    for k in range(3):
        x = features
        for layer in (1, 2):
            x = (x * weight[f"member_inputs_{layer}/factor"][k]) @ weight[f"dense_{layer}/kernel"]
            units = f"member_units_{layer}"
            x = np.maximum(x * weight[f"{units}/factor"][k] + weight[f"{units}/bias"][k], 0)
        logits = x @ weight["member_heads/kernel"][k] + weight["member_heads/bias"][k] + linear
        answers.append(finished(logits, head))
    np.testing.assert_allclose(model(given).numpy(), np.mean(answers, axis=0), rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("head", HEADS, ids=lambda h: h.kind)
def test_the_loss_is_the_mean_of_the_members_losses_with_the_prior(head: Task) -> None:
    import keras

    config, model = made(head, prior=0.01)
    trained = config.training(model, head)
    losses = {
        "binary": keras.losses.BinaryCrossentropy(),
        "multiclass": keras.losses.SparseCategoricalCrossentropy(),
        "regression": keras.losses.MeanSquaredError(),
    }
    loss = losses[head.kind]
    trained.compile(optimizer="sgd", loss=loss, run_eagerly=True)
    target = {"binary": np.array([[0.0], [1]] * 3), "multiclass": np.arange(6) % 4}.get(
        head.kind, np.linspace(90, 110, 6)[:, None]
    )
    weights = np.linspace(0.5, 2, 6).astype(np.float32)
    logits = trained(rows(), training=False)
    got = float(trained.compute_loss(rows(), keras.ops.convert_to_tensor(target), logits, sample_weight=weights))
    each = [float((weights * row_losses(logits.numpy()[:, k], target, head)).mean()) for k in range(3)]
    tables = [v.numpy() for v in model.variables if v.path.endswith("embeddings")]
    penalty = 0.01 * sum(float(np.square(t).sum()) for t in tables)
    assert got == pytest.approx(np.mean(each) + penalty, rel=1e-4)
    assert len(tables) == 2


def test_a_saved_model_answers_the_same_and_starts_from_its_seed(tmp_path) -> None:
    import keras

    _, model = made(HEADS[1])
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_array_equal(model(rows()).numpy(), again(rows()).numpy())
    for a, b in zip(made(HEADS[0])[1].get_weights(), made(HEADS[0])[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    factor = Tabular(members=4).network(TENSORS, HEADS[0]).get_layer("member_inputs_1").factor.numpy()
    assert set(np.unique(factor)) == {-1.0, 1.0}


def test_refused() -> None:
    image = EncodedTensor(name="photo", shape=(8, 8, 1), dtype="float32", kind="image")
    with pytest.raises(ConfigError, match=r"tabular cannot take 'photo'.*(?s:.)*use model: .*vision"):
        Tabular().network([image], HEADS[0])
    with pytest.raises(ConfigError, match="no encoded tensor"):
        Tabular().network([], HEADS[0])
    with pytest.raises(ValueError, match="members would share its statistics"):
        Tabular(normalization="batch")
