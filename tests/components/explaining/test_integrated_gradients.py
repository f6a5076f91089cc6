"""Integrated gradients: complete, exact for a linear model, and those of the served signature."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kilnworks.components.explaining.attributions import Attributions
from kilnworks.components.explaining.gradients import Gradients
from kilnworks.components.export import ExportConfig, export
from kilnworks.components.features.derived.settings import Derived
from kilnworks.components.features.raw import raw_arrays
from kilnworks.components.features.settings import PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.modeling.texts.sequences import Places, WordNoise
from kilnworks.components.preprocess import preprocess
from kilnworks.components.serving.loading.saved_model import load_saved_model
from kilnworks.components.tasks.choose import choose, task_of
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.schemas.errors import ConfigError
from tests.components.features import tabular

pytestmark = pytest.mark.slow
RANDOM = np.random.default_rng(0)


def test_words_categories_and_numbers_together_are_complete() -> None:
    keras.utils.set_random_seed(0)
    numbers, plan = keras.Input((3,), name="numeric"), keras.Input((), dtype="int32", name="plan")
    words = keras.Input((5,), dtype="int32", name="words")
    read = keras.layers.LSTM(6)(keras.layers.Embedding(20, 8, mask_zero=True)(words))
    x = keras.layers.Concatenate()([numbers, keras.layers.Embedding(6, 4)(plan), read])
    out = keras.layers.Dense(3, "softmax")(keras.layers.Dense(16, "tanh")(x))
    model = keras.Model({"numeric": numbers, "plan": plan, "words": words}, out)
    rows = {
        "numeric": RANDOM.normal(size=(40, 3)).astype(np.float32),
        "plan": RANDOM.integers(0, 6, 40).astype(np.int32),
        "words": np.pad(RANDOM.integers(1, 20, (40, 3)), ((0, 0), (0, 2))).astype(np.int32),
    }
    gradients = Gradients(model, {"numeric": rows["numeric"].mean(0)}, rows)
    found, value, base = gradients.explained({name: tf.constant(values) for name, values in rows.items()})
    together = sum(np.asarray(one).reshape(40, -1).sum(1) for one in found.values())
    np.testing.assert_allclose(together, value - base, atol=1e-5)
    np.testing.assert_allclose(value, np.asarray(model(rows)).max(1), atol=1e-6)
    assert np.asarray(found["words"])[:, 3:].max() == 0, "padding says nothing"
    assert all(np.abs(one).max() > 1e-3 for one in found.values())


def test_words_are_followed_through_noise_and_places_do_not_move() -> None:
    """Of a linear model of word and place vectors each word adds weight * vector of the word."""
    keras.utils.set_random_seed(0)
    given = keras.Input((5,), dtype="int32", name="words")
    words = WordNoise(drop=0.5)(given)
    vectors = keras.layers.Embedding(20, 8)
    x = keras.layers.Add()([vectors(words), keras.layers.Embedding(5, 8)(Places()(words))])
    last = keras.layers.Dense(1)
    model = keras.Model({"words": given}, last(keras.layers.Flatten()(x)))
    rows = RANDOM.integers(3, 20, (30, 5)).astype(np.int32)
    found, value, base = Gradients(model, {}, {"words": rows}).explained({"words": tf.constant(rows)})
    each = vectors.get_weights()[0][rows] * last.get_weights()[0].reshape(5, 8)
    np.testing.assert_allclose(found["words"], each.sum(axis=2), atol=1e-5)
    np.testing.assert_allclose(each.sum(axis=(1, 2)), value - base, atol=1e-5)


def test_of_a_linear_model_they_are_weight_times_distance_from_the_mean() -> None:
    given = keras.Input((4,), name="numeric")
    model = keras.Model({"numeric": given}, keras.layers.Dense(1)(given))
    rows = RANDOM.normal(2, 3, (50, 4)).astype(np.float32)
    found, _, base = Gradients(model, {"numeric": rows.mean(0)}, {"numeric": rows}).explained(
        {"numeric": tf.constant(rows)}
    )
    weight = model.get_weights()[0][:, 0]
    np.testing.assert_allclose(found["numeric"], weight * (rows - rows.mean(0)), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(base, np.full(50, (rows @ weight).mean()), rtol=1e-4, atol=1e-4)


def test_a_way_through_a_curve_is_that_of_many_small_steps() -> None:
    keras.utils.set_random_seed(1)
    given = keras.Input((3,), name="numeric")
    hidden = keras.layers.Dense(32, "relu")(given)
    model = keras.Model({"numeric": given}, keras.layers.Dense(1, "sigmoid")(hidden))
    rows, base = RANDOM.normal(0, 2, (20, 3)).astype(np.float32), np.array([0.3, -0.2, 0.1], np.float32)
    found = Gradients(model, {"numeric": base}, {"numeric": rows}).explained({"numeric": tf.constant(rows)})[0]
    total = np.zeros_like(rows)

    @tf.function(autograph=False)
    def slope(at):
        with tf.GradientTape() as tape:
            tape.watch(at)
            said = model({"numeric": at})
        return tape.gradient(said, at)

    for share in (np.arange(2000) + 0.5) / 2000:
        total += np.asarray(slope(tf.constant(base + np.float32(share) * (rows - base)))) / 2000
    np.testing.assert_allclose(found["numeric"], total * (rows - base), atol=5e-3)


def test_an_input_that_goes_nowhere_is_refused() -> None:
    plan = keras.Input((), dtype="int32", name="plan")
    out = keras.layers.Dense(1)(keras.ops.one_hot(plan + 1, 5))
    with pytest.raises(ConfigError, match="input 'plan' of the model holds no numbers"):
        Gradients(keras.Model({"plan": plan}, out), {}, {"plan": np.zeros(3, np.int32)})


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A binary table with the signature, and what lies around it."""
    folder = tmp_path_factory.mktemp("explained")
    contract, frame = tabular.contract("binary"), tabular.rows(100, seed=7, task="binary")
    splits = {"train": [tabular.rows(300, task="binary")], "test": [frame]}
    given = tabular.examples(folder / "examples", contract, splits)
    model = tabular.untrained(folder / "model", preprocess(tabular.SETTINGS, given, folder / "transform"))
    evaluation = tabular.evaluated(folder / "evaluation")
    servable = export(ExportConfig(explain=True, keras_file=False), model, given, evaluation, folder / "servable")
    return model, frame, splits["train"][0], servable


def test_the_served_signature_credits_every_feature_and_is_complete(served) -> None:
    model, frame, train, servable = served
    loaded = load_saved_model(str(servable.saved_model))
    try:
        signature = loaded.signature_defs["explain"]
        feeds = {signature.inputs[n].name: v for n, v in raw_arrays(model.contract, frame).items()}
        got = loaded.session.run({n: one.name for n, one in signature.outputs.items()}, feeds)
    finally:
        loaded.close()
    features = list(model.contract.features)
    assert got["attributions"].shape == (100, len(features))
    np.testing.assert_allclose(got["attributions"].sum(1), got["value"] - got["baseline"], atol=4e-3)
    transform, trained = FeatureTransform.load(model.transform), load_trained(model)
    np.testing.assert_allclose(got["value"], np.asarray(trained(transform.encode(frame)))[:, 0], atol=1e-5)
    assert (got["class"] == task_of(model).class_texts[1].encode()).all()
    assert servable.description["skew"]["signatures"]["explain"] <= 1e-3
    assert servable.description["signatures"]["explain"]["inputs"].keys() == set(features)
    changed = frame.with_columns(frame[features[0]].shuffle(seed=1))
    run = tf.function(Attributions(task_of(model), transform, trained, train).answers, autograph=False)
    before, after = (
        np.asarray(run({n: tf.constant(v) for n, v in transform.encode(rows).items()})["attributions"])
        for rows in (frame, changed)
    )
    assert np.abs(before[:, 0] - after[:, 0]).max() > 1e-4


def test_what_is_derived_is_credited_to_its_features_in_equal_parts(tmp_path) -> None:
    contract = tabular.contract("regression", {name: {"dtype": "float"} for name in ("charge", "stack", "change")})
    frame = tabular.rows(200, task="regression")
    config = PreprocessConfig(derived={"axis": Derived(of=("stack", "change"), method="pca", count=1)})
    made = tabular.examples(tmp_path, contract, {"train": [frame]})
    transform = FeatureTransform.fit(contract, made.files("train"), config)
    given = keras.Input((4,), name="numeric")
    model = keras.Model({"numeric": given}, keras.layers.Dense(1)(given))
    task = choose(contract).fitted(contract, LabelStatistics.of(contract, [frame["label"].to_numpy()]), TaskSettings())
    encoded = transform.encode(frame)
    told = Attributions(task, transform, model, frame).answers({n: tf.constant(v) for n, v in encoded.items()})
    numbers = encoded["numeric"]
    each = model.get_weights()[0][:, 0] * (numbers - numbers.mean(0))
    wanted = np.stack([each[:, 0], each[:, 1] + each[:, 3] / 2, each[:, 2] + each[:, 3] / 2], axis=1)
    np.testing.assert_allclose(told["attributions"], wanted, rtol=1e-4, atol=1e-4)


def test_what_has_no_single_output_is_refused(served) -> None:
    model, _, train, _ = served
    transform = FeatureTransform.load(model.transform)

    class Other(type(task_of(model))):  # type: ignore[misc]
        """As a task of codes is."""

        explains = False

    task = Other.model_construct(**task_of(model).model_dump())
    with pytest.raises(ConfigError, match="explanations of a binary"):
        Attributions(task, transform, load_trained(model), train)
