"""Weights in one byte: the formula against a loop; a SavedModel holds bytes and answers as the rounded model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kilnworks.components.challenging.verdict import Verdict
from kilnworks.components.compressing.sides import gate
from kilnworks.components.compressing.smaller import to_int8
from kilnworks.components.modeling.compact.int8 import FILE, Int8Model, as_stored, rounded, whole, wholes
from kilnworks.components.modeling.kept import load_trained
from kilnworks.schemas.artifacts import Model

pytestmark = pytest.mark.slow
RANDOM = np.random.default_rng(0)


def by_hand(weights: np.ndarray) -> np.ndarray:
    """Channel by channel, value by value."""
    found = np.zeros_like(weights)
    for channel in range(weights.shape[-1]):
        largest = max(abs(value) for value in weights[..., channel].reshape(-1))
        scale = np.float32(largest / np.float32(127)) if largest else np.float32(1)
        for place in np.ndindex(weights.shape[:-1]):
            found[(*place, channel)] = np.float32(round(float(weights[(*place, channel)] / scale))) * scale
    return found


@pytest.mark.parametrize("shape", [(40, 7), (3, 3, 5, 8)])
def test_each_channel_has_its_scale_and_zero_stays_zero(shape):
    weights = (RANDOM.normal(size=shape) * 10.0 ** np.arange(-3, shape[-1] - 3)).astype(np.float32)
    weights[..., 1] = 0.0
    weights[0] = 0.0
    found = whole(weights)
    np.testing.assert_array_equal(found.wide, by_hand(weights))
    assert found.values.dtype == np.int8 and np.abs(found.values).max() == 127
    assert (found.wide[weights == 0] == 0).all()
    assert (np.abs(found.wide - weights) <= found.scale / 2 * (1 + 1e-6)).all()


def test_one_scale_for_all_channels_would_lose_the_small_ones():
    weights = np.stack([RANDOM.normal(size=300), RANDOM.normal(size=300) * 1e-3], axis=1).astype(np.float32)
    small = np.abs(whole(weights).wide - weights)[:, 1].max()
    together = np.abs(whole(weights, channels=0).wide - weights)[:, 1].max()
    assert small < 0.02 * together


def layers_of_many_kinds():
    keras.utils.set_random_seed(3)
    image, words = keras.Input((8, 8, 3), name="image"), keras.Input((6,), dtype="int32", name="words")
    x = keras.layers.Conv2D(16, 3, name="conv")(image)
    x = keras.layers.DepthwiseConv2D(3, name="depth")(keras.layers.Conv2D(32, 1, name="wide")(x))
    x = keras.layers.BatchNormalization()(x)
    read = keras.layers.GRU(12, name="gru")(keras.layers.Embedding(50, 8, name="table")(words))
    both = keras.layers.Concatenate()([keras.layers.Flatten()(x), read])
    hidden = keras.layers.Dense(16, "relu", name="hidden")(keras.layers.Dropout(0.3)(both))
    model = keras.Model({"image": image, "words": words}, keras.layers.Dense(3, "softmax", name="last")(hidden))
    for variable in model.variables:
        if "moving" in variable.path:
            variable.assign(RANDOM.uniform(0.5, 1.5, variable.shape))
    return model


def test_a_saved_model_holds_bytes_and_answers_as_the_rounded_model(tmp_path):
    model = layers_of_many_kinds()
    before = {variable.path: np.asarray(variable) for variable in model.variables}
    found = wholes(model, 256)
    narrow = {model.variables[one.place].path for one in found}
    assert narrow == {
        "conv/kernel", "depth/kernel", "wide/kernel", "gru/gru_cell/kernel", "gru/gru_cell/recurrent_kernel",
        "table/embeddings", "hidden/kernel",
    }  # fmt: skip
    depth = next(one for one in found if model.variables[one.place].path == "depth/kernel")
    assert depth.scale.shape == (1, 1, 32, 1), "a scale for each channel of a convolution channel by channel"
    rounded(model, found)
    assert all(np.array_equal(before[v.path], v) for v in model.variables if v.path not in narrow)
    rows = {"image": RANDOM.normal(size=(5, 8, 8, 3)).astype("f4"), "words": RANDOM.integers(0, 50, (5, 6), "i4")}
    wanted = np.asarray(model(rows, training=False))
    held = Int8Model(model, found)
    module = tf.Module()
    module.held = held.stored
    spec = {name: tf.TensorSpec((None, *v.shape[1:]), v.dtype, name=name) for name, v in rows.items()}
    serve = tf.function(lambda given: {"answer": held(given)}, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"serving_default": serve.get_concrete_function()})
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    got = loaded.signatures["serving_default"](**{name: tf.constant(v) for name, v in rows.items()})
    np.testing.assert_allclose(got["answer"], wanted, atol=1e-6)
    reader = tf.train.load_checkpoint(str(tmp_path / "m" / "variables" / "variables"))
    kinds = reader.get_variable_to_dtype_map()
    shapes = reader.get_variable_to_shape_map()
    in_bytes = sum(int(np.prod(shapes[name])) for name, kind in kinds.items() if kind == tf.int8)
    assert in_bytes == sum(before[path].size for path in narrow)
    wide = max((int(np.prod(shapes[n])) for n, kind in kinds.items() if kind == tf.float32), default=0)
    assert wide < 256, "no kernel lies there in float32"


def test_a_model_that_was_rounded_before_keeps_its_own_file(tmp_path):
    """What is taken over is linked, so writing over it would change the artifact that it is from."""
    given = keras.Input((40,), name="x")
    parts = [
        keras.layers.Dense(64, name="wide")(given),
        keras.layers.Dense(1024, name="alone")(keras.layers.Dense(1, name="one")(given)),
    ]
    (tmp_path / "trained").mkdir()
    keras.Model({"x": given}, keras.layers.Concatenate()(parts)).save(tmp_path / "trained" / "model.keras")
    told = [to_int8(Model(tmp_path / of), tmp_path / out) for of, out in (("trained", "first"), ("first", "again"))]
    assert not (tmp_path / "first" / FILE).samefile(tmp_path / "again" / FILE)
    for name in ("first", "again"):
        model = Model(tmp_path / name)
        assert isinstance(as_stored(model, load_trained(model)), Int8Model)
    for one in told:
        assert [v["name"] for v in one["variables"]] == ["wide/kernel"]
        (alone,) = [v for v in one["left"] if v["name"] == "alone/kernel"]
        assert alone["why"] == "one weight a channel"


def test_what_to_do_about_a_loss_is_of_the_way_in_which_the_model_was_made_smaller():
    worse = Verdict("worse", False, "auc 0.7 against 0.8", metric="auc", margin=0.005, level=0.95, rule="not_worse")
    assert gate(worse, "int8").next_action == "allow more `max_loss`, or leave the compression out"
    assert "`sparsity`" in gate(worse, "pruned").next_action
