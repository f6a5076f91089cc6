"""Boltzmann machines against scikit-learn's and against the exact likelihood of a machine of few units."""

import itertools

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.generative.boltzmann import Dbn, Rbm
from kilnworks.components.tasks.codes import Codes
from kilnworks.schemas.errors import ConfigError

pytestmark = pytest.mark.slow

BITS = (EncodedTensor(name="bits", shape=(6,), dtype="float32", kind="numeric"),)


def bits(n: int = 600) -> np.ndarray:
    """Rows of two patterns of six bits, a few bits flipped."""
    draw = np.random.default_rng(0)
    rows = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 1]])[draw.integers(0, 2, n)]
    return np.where(draw.random(rows.shape) < 0.05, 1 - rows, rows).astype(np.float32)


def random_stack(architecture, rows: np.ndarray):
    """Model and layer with random weights."""
    model = architecture.shown({"bits": rows}).network(BITS, Codes())
    stack, draw = model.get_layer("machines"), np.random.default_rng(1)
    for one in (*stack.kernels, *stack.hidden_biases, *stack.visible_biases):
        one.assign(draw.normal(0, 0.7, one.shape))
    return model, stack


def arrays(stack, level: int = 0) -> list[np.ndarray]:
    return [np.asarray(one.numpy(), np.float64) for one in stack.weights_of(level)]


def test_codes_and_free_energy_are_those_of_scikit_learn() -> None:
    from sklearn.neural_network import BernoulliRBM

    rows = bits()
    model, stack = random_stack(Rbm(units=(4,)), rows)
    kernel, hidden, visible = arrays(stack)
    theirs = BernoulliRBM(4)
    theirs.components_, theirs.intercept_hidden_, theirs.intercept_visible_ = kernel.T, hidden, visible
    output = model({"bits": rows}).numpy()
    np.testing.assert_allclose(output[:, 1], theirs._free_energy(rows), rtol=1e-5)
    np.testing.assert_allclose(output[:, 2:6], theirs.transform(rows), rtol=1e-5)
    back = 1 / (1 + np.exp(-(output[:, 2:6] @ kernel.T + visible)))
    np.testing.assert_allclose(output[:, 6:12], back, rtol=1e-5)
    np.testing.assert_allclose(output[:, 0], ((rows - back) ** 2).mean(axis=1), rtol=1e-4)
    np.testing.assert_array_equal(output[:, 12:], rows)


def test_free_energy_of_gaussian_units_is_the_sum_over_hidden_states() -> None:
    rows = np.random.default_rng(2).normal(3, 2, (50, 6)).astype(np.float32)
    model, stack = random_stack(Rbm(units=(3,), visible="gaussian"), rows)
    kernel, hidden, visible = arrays(stack)
    v = (rows - rows.mean(axis=0, dtype=np.float64)) / rows.std(axis=0, dtype=np.float64)
    states = np.array(list(itertools.product([0, 1], repeat=3)))
    energy = ((v - visible) ** 2).sum(axis=1)[:, None] / 2 - states @ hidden - v @ kernel @ states.T
    np.testing.assert_allclose(model({"bits": rows}).numpy()[:, 1], -np.log(np.exp(-energy).sum(axis=1)), rtol=1e-4)


def log_likelihood(kernel: np.ndarray, hidden: np.ndarray, visible: np.ndarray, rows: np.ndarray) -> float:
    """Mean over the rows, in nats, by going through every state of the visible units."""

    def unnormalised(v: np.ndarray) -> np.ndarray:
        return v @ visible + np.logaddexp(0, v @ kernel + hidden).sum(axis=1)

    every = np.array(list(itertools.product([0.0, 1.0], repeat=rows.shape[1])))
    return float(unnormalised(rows).mean() - np.log(np.exp(unnormalised(every)).sum()))


def stepped(architecture, rows: np.ndarray, epochs: int):
    """The weights after steps on batches of 50 rows."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(3)
    learner = architecture.shown({"bits": rows}).learner(BITS, Codes())
    (phase,) = learner.phases
    trained = phase.trained
    trained.compile(keras.optimizers.SGD(1.0))
    own = phase.optimizers["divergence"]
    trained.divergence = own.build(own.learning_rate)
    step = tf.function(trained.train_step)
    for _ in range(epochs):
        for part in np.split(rows, len(rows) // 50):
            told = step(({"bits": tf.constant(part)},))
    return arrays(learner.model.get_layer("machines")), {name: float(value) for name, value in told.items()}


@pytest.mark.parametrize("how", [{}, {"k": 3}, {"chains": 50}], ids=["cd", "cd-3", "persistent"])
def test_the_exact_likelihood_reaches_that_of_scikit_learn(how: dict) -> None:
    from sklearn.neural_network import BernoulliRBM

    rows = bits()
    settings = {"units": (4,), "divergence_rate": 0.1, "momentum": 0.0, "decay": 0.0, **how}
    weights, told = stepped(Rbm(**settings), rows, 60)
    theirs = BernoulliRBM(4, learning_rate=0.1, batch_size=50, n_iter=60, random_state=0).fit(rows)
    reached = log_likelihood(theirs.components_.T, theirs.intercept_hidden_, theirs.intercept_visible_, rows)
    apart = rows.mean(axis=0)
    independent = (rows * np.log(apart) + (1 - rows) * np.log(1 - apart)).sum(axis=1).mean()
    assert log_likelihood(*weights, rows) > max(reached - 0.15, independent + 0.5)
    assert -3 < told["pseudo_likelihood"] < 0


def test_the_mean_step_of_chains_at_rest_is_the_slope_of_the_likelihood() -> None:
    """Chains that have run for long are rows of the model itself, and a step follows the exact gradient."""
    import keras
    import tensorflow as tf

    rows = bits()
    learner = Rbm(units=(3,), chains=10_000, k=20, decay=0.0).shown({"bits": rows}).learner(BITS, Codes())
    stack, trained = learner.model.get_layer("machines"), learner.phases[0].trained
    draw = np.random.default_rng(4)
    for one in stack.weights_of(0):
        one.assign(draw.normal(0, 0.5, one.shape))
    before = arrays(stack)
    trained.compile(keras.optimizers.SGD(1.0))
    trained.divergence = keras.optimizers.SGD(1e-6)
    step = tf.function(trained.train_step)
    for _ in range(10):
        step(({"bits": tf.constant(rows)},))  # the weights hardly move; the chains come to rest
    trained.divergence = keras.optimizers.SGD(1.0)
    tf.function(trained.train_step)(({"bits": tf.constant(rows)},))
    for place, (one, other) in enumerate(zip(before, arrays(stack), strict=True)):
        for index in np.ndindex(one.shape):
            up, down = [part.copy() for part in before], [part.copy() for part in before]
            up[place][index] += 1e-4
            down[place][index] -= 1e-4
            slope = (log_likelihood(*up, rows) - log_likelihood(*down, rows)) / 2e-4
            assert other[index] - one[index] == pytest.approx(slope, abs=0.02)


def test_what_is_beyond_0_and_1_is_refused_and_gaussian_units_take_it() -> None:
    rows = bits() * 3
    with pytest.raises(ConfigError, match=r"'bits' from 0 to 3 for Bernoulli units(.|\n)*minmax(.|\n)*gaussian"):
        Rbm().shown({"bits": rows})
    shown = Rbm(visible="gaussian").shown({"bits": rows})
    assert np.isfinite(shown.network(BITS, Codes())({"bits": rows})).all()


def test_the_layers_of_keras_answer_the_same() -> None:
    import keras

    rows = bits()
    for visible in ("bernoulli", "gaussian"):
        model, stack = random_stack(Rbm(units=(5, 3), visible=visible), rows)
        again = keras.Model(model.input, stack.in_stock_layers(model.inputs[0]))
        np.testing.assert_allclose(again({"bits": rows}), model({"bits": rows}), rtol=1e-4, atol=1e-5)


def test_machines_above_learn_from_the_codes_below() -> None:
    learner = Dbn(units=(5, 3), fine_tune=False).shown({"bits": bits()}).learner(BITS, _binary())
    assert [(p.name, p.judged) for p in learner.phases] == [
        ("divergence_1", False), ("divergence_2", False), ("fit", True)
    ]  # fmt: skip
    stack = learner.model.get_layer("machines")
    below = stack.below(bits()[:7], 1)
    np.testing.assert_allclose(below, stack.hidden(bits()[:7], 0), rtol=1e-6)
    learner.phases[-1].prepare()
    assert [w.path for w in learner.model.trainable_variables] == ["probability/kernel", "probability/bias"]


def _binary():
    from kilnworks.components.tasks.binary import Binary
    from kilnworks.schemas.contract import Label

    return Binary(label=Label(name="y", dtype="string", classes=("a", "b")))
