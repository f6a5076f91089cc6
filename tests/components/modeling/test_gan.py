"""Networks of a GAN against their formulas, and what they refuse."""

import numpy as np
import pytest
from pydantic import ValidationError

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.generative.gan import Dcgan, WganGp
from kilnworks.components.modeling.generative.networks import Frame, critic, generator
from kilnworks.components.modeling.learner import Learner
from kilnworks.components.tasks.generation.generation import Generation
from kilnworks.schemas.contract import Label
from kilnworks.schemas.errors import ConfigError

pytestmark = pytest.mark.slow

DIGITS = Generation(label=Label(name="digit", dtype="int", classes=(3, 7)))
WORDS = Generation(label=Label(name="what", dtype="string", classes=("cat", "dog")))
IMAGE = (EncodedTensor(name="image", shape=(8, 8, 1), dtype="float32", kind="image"),)
DRAW = np.random.default_rng(0)


def learner(architecture, task=DIGITS) -> Learner:
    rows = DRAW.uniform(-1, 1, (50, 8, 8, 1)).astype(np.float32)
    return architecture.shown({"image": rows}).learner(IMAGE, task)


def stepping(architecture, task=DIGITS):
    """What is trained, with its optimizers, and a compiled step."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    made = learner(architecture, task)
    phase = made.phases[-1]
    trained = phase.trained
    for name, own in phase.optimizers.items():
        setattr(trained, name, own.build(own.learning_rate))
    return made, trained, tf.function(trained.train_step)


def batch(n: int = 20):
    import tensorflow as tf

    images = DRAW.uniform(-1, 1, (n, 8, 8, 1)).astype(np.float32)
    return {"image": tf.constant(images)}, tf.constant(DRAW.integers(0, 2, (n, 1)).astype(np.int32))


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (75, 50, 3), (4, 9, 1)], ids=str)
def test_images_have_the_size_of_the_contract_whatever_it_is(shape: tuple[int, int, int]) -> None:
    import tensorflow as tf

    frame = Frame.of(shape)
    assert min(frame.first) >= 4
    seeds, classes = tf.random.stateless_normal([3, 5], [1, 2]), tf.one_hot([0, 1, 0], 2)
    made = generator(5, 2, frame, 4, lambda name: None)([seeds, classes])
    assert made.shape == (3, *shape) and float(abs(np.asarray(made)).max()) <= 1
    assert critic(2, frame, 4, "spectral", 0.1)([made, classes]).shape == (3, 1)


def test_the_penalty_is_that_of_the_gradient_between_the_images() -> None:
    """Of a critic w * x its gradient is w everywhere, and the penalty (|w| - 1)^2."""
    import keras
    import tensorflow as tf

    _, trained, _ = stepping(WganGp(filters=4, conditional=False))
    image = keras.Input((8, 8, 1))
    dense = keras.layers.Dense(1)
    trained.critic = keras.Model([image], dense(keras.layers.Flatten()(image)))
    real, made = (tf.constant(DRAW.normal(size=(6, 8, 8, 1)), tf.float32) for _ in range(2))
    length = float(np.sqrt((dense.kernel.numpy() ** 2).sum()))
    found = trained.penalty(real, made, None, tf.constant(DRAW.random((6, 1, 1, 1)), tf.float32))
    assert float(found) == pytest.approx((length - 1) ** 2, rel=1e-4)


def test_the_penalty_looks_between_the_two_images() -> None:
    """Of a critic sum(x^2) / 2 the gradient is where it is taken: the mixed image."""
    import keras
    import tensorflow as tf

    _, trained, _ = stepping(WganGp(filters=4, conditional=False))
    image = keras.Input((8, 8, 1))
    trained.critic = keras.Model([image], keras.ops.sum(keras.ops.square(image), axis=(1, 2, 3))[:, None] / 2)
    real, made, where = (DRAW.normal(size=(6, 8, 8, 1)), DRAW.normal(size=(6, 8, 8, 1)), DRAW.random((6, 1, 1, 1)))
    mixed = (1 - where) * real + where * made
    wanted = ((np.sqrt((mixed**2).sum(axis=(1, 2, 3))) - 1) ** 2).mean()
    given = (tf.constant(one, tf.float32) for one in (real, made))
    found = trained.penalty(*given, None, tf.constant(where, tf.float32))
    assert float(found) == pytest.approx(wanted, rel=1e-4)


def test_losses_are_those_of_the_papers() -> None:
    import tensorflow as tf

    real, made = DRAW.normal(size=(9, 1)), DRAW.normal(size=(9, 1))
    _, wasserstein, _ = stepping(WganGp(filters=4))
    _, logistic, _ = stepping(Dcgan(filters=4))
    scores = tf.constant(real), tf.constant(made)
    assert float(wasserstein.losses_of_critic(*scores)) == pytest.approx(made.mean() - real.mean())
    assert float(wasserstein.loss_of_generator(scores[1])) == pytest.approx(-made.mean())
    probability = [1 / (1 + np.exp(-one)) for one in (real, made)]
    wanted = -(np.log(probability[0]).mean() + np.log(1 - probability[1]).mean())
    assert float(logistic.losses_of_critic(*scores)) == pytest.approx(wanted)
    assert float(logistic.loss_of_generator(scores[1])) == pytest.approx(-np.log(probability[1]).mean())


def test_spectral_layers_divide_by_the_largest_singular_value() -> None:
    from kilnworks.components.modeling.generative.spectral import SpectralConv2D, SpectralDense

    dense, x = SpectralDense(5), DRAW.normal(size=(7, 9)).astype(np.float32)
    for _ in range(60):
        found = dense(x, training=True)
    kernel = dense.kernel.numpy()
    np.testing.assert_allclose(found, x @ kernel / np.linalg.svd(kernel)[1][0], rtol=1e-4, atol=1e-5)
    layer, image = SpectralConv2D(5, 3), DRAW.normal(size=(2, 3, 3, 4)).astype(np.float32)
    for _ in range(60):
        found = layer(image, training=True)
    flat = layer.kernel.numpy().reshape(-1, 5)
    wanted = image.reshape(2, -1) @ flat / np.linalg.svd(flat)[1][0]
    np.testing.assert_allclose(np.asarray(found).reshape(2, 5), wanted, rtol=1e-4, atol=1e-5)


def test_a_step_moves_both_networks_and_the_average_follows() -> None:
    made, trained, step = stepping(Dcgan(filters=4, average=0.5))
    before = {n: [v.numpy() for v in getattr(trained, n).trainable_variables] for n in ("generator", "critic")}
    start = [v.numpy() for v in trained.average.variables]
    told = step(batch())
    assert set(told) == {"generator_loss", "critic_loss"}
    for name, values in before.items():
        assert any(
            (v.numpy() != old).any() for v, old in zip(getattr(trained, name).trainable_variables, values, strict=True)
        )
    stays = min(0.5, 2 / 11)
    learned = {id(v) for v in trained.generator.trainable_variables}
    for behind, ahead, old in zip(trained.average.variables, trained.generator.variables, start, strict=True):
        wanted = stays * old + (1 - stays) * ahead.numpy() if id(ahead) in learned else ahead.numpy()
        np.testing.assert_allclose(behind.numpy(), wanted, rtol=1e-5, atol=1e-6)
    assert made.model.count_params() < trained.count_params()


def test_the_critic_has_more_turns_each_on_rows_of_its_own() -> None:
    _, trained, step = stepping(WganGp(filters=4, critic_steps=3))
    step(batch())
    assert int(trained.criticising.iterations.numpy()) == 3
    assert int(trained.generating.iterations.numpy()) == 1
    with pytest.raises(ConfigError, match="batch 5 on each replica, and 3 turns"):
        trained.train_step(batch(5))


@pytest.mark.parametrize(("task", "sent"), [(DIGITS, [7, 3, 5]), (WORDS, ["dog", "cat", "cow"])], ids=["int", "text"])
def test_the_class_is_looked_up_in_the_model(task: Generation, sent: list) -> None:
    import tensorflow as tf

    made = learner(Dcgan(filters=4), task)
    seed = tf.constant(np.repeat(DRAW.normal(size=(1, 64)), 3, axis=0), tf.float32)
    trained = made.phases[-1].trained
    for one in trained.average.weights:
        one.assign(one + 0.3 * tf.random.stateless_normal(one.shape, [1, 2]))
    pixels = made.model({"seed": seed, "class": tf.constant(sent)}).numpy()
    one_hot = tf.constant([[0, 1], [1, 0], [0, 0]], tf.float32)
    wanted = (np.asarray(trained.average([seed, one_hot])).reshape(3, -1) + 1) / 2 * 255
    np.testing.assert_allclose(pixels, wanted, rtol=1e-4, atol=1e-3)
    assert (pixels[0] != pixels[1]).any()


def test_without_a_class_there_is_one_input_and_without_a_label_one_phase() -> None:
    asked = learner(Dcgan(filters=4, conditional=False))
    assert [i.name for i in asked.model.inputs] == ["seed"] and [p.name for p in asked.phases] == [
        "features",
        "adversarial",
    ]
    assert [p.name for p in learner(Dcgan(filters=4), Generation()).phases] == ["adversarial"]


def test_features_without_a_label_are_principal_components() -> None:
    from sklearn.decomposition import PCA

    from kilnworks.components.modeling.generative.judge import components

    rows = DRAW.normal(size=(80, 4, 4, 1)) * np.linspace(1, 9, 16).reshape(4, 4, 1)
    found = components("image", rows, 5)({"image": rows.astype(np.float32)})
    theirs = PCA(5).fit_transform(rows.reshape(80, -1))
    np.testing.assert_allclose(np.abs(found["features"]), np.abs(theirs), rtol=1e-3, atol=1e-3)
    assert found["probabilities"].shape == (80, 0)


def test_what_judges_takes_images_of_any_form() -> None:
    from kilnworks.components.modeling.generative.judge import classifier

    for shape in ((4, 4, 1), (8, 256, 1), (75, 50, 3)):
        judge, trained = classifier("image", shape, 2, 3)
        assert judge({"image": np.zeros((2, *shape), np.float32)})["features"].shape == (2, 3)
        assert trained.output_shape == (None, 2)


def test_without_validation_images_no_epoch_can_be_judged() -> None:
    made = learner(Dcgan(filters=4))
    with pytest.raises(ConfigError, match=r"no validation rows(.|\n)*at least 2"):
        made.measured(None)


@pytest.mark.parametrize("kind", [Dcgan, WganGp])
def test_batch_normalization_in_the_critic_is_refused_with_the_reason(kind: type) -> None:
    with pytest.raises(ValidationError, match="no batch normalization in the critic: it ties the rows"):
        kind(critic_normalization="batch")
    with pytest.raises(ValidationError, match=r"l2 0\.1: nothing looks at it here"):
        kind(l2=0.1)


def test_what_it_cannot_make_is_said() -> None:
    two = (*IMAGE, IMAGE[0].model_copy(update={"name": "other"}))
    with pytest.raises(ConfigError, match=r"dcgan of image, other(.|\n)*one image"):
        Dcgan().learner(two, DIGITS)
    small = (IMAGE[0].model_copy(update={"shape": (3, 8, 1)}),)
    with pytest.raises(ConfigError, match=r"images of 3 x 8 pixels(.|\n)*at least 4 x 4"):
        Dcgan().learner(small, DIGITS)
    with pytest.raises(ConfigError, match=r"cannot take 'age', which is encoded as numeric"):
        Dcgan().learner((EncodedTensor(name="age", shape=(1,), dtype="float32", kind="numeric"),), DIGITS)
    with pytest.raises(ConfigError, match="conditional=True, and no label"):
        Dcgan(conditional=True).learner(IMAGE, Generation())
