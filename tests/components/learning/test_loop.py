"""Blocks of steps in the graph do what Keras does step by step."""

import numpy as np
import pytest

from tests.components.learning.training_examples import table
from tests.components.tasks.some_tasks import binary

pytestmark = pytest.mark.slow

ROWS, BATCH = 200, 16


def split(seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Encoded rows, targets and weights as training has them."""
    random = np.random.default_rng(seed)
    frame = table(ROWS, seed)
    arrays = {
        "numeric": np.column_stack([frame["age"].fill_null(45) / 50, frame["visits"]]).astype(np.float32),
        "plan": random.integers(0, 26, ROWS).astype(np.int32),
        "other": random.integers(0, 4, ROWS).astype(np.int32),
    }
    return arrays, (frame["left"] == "yes").to_numpy().astype(np.float32)[:, None], np.ones(ROWS, np.float32) * 0.5


def compiled():
    import keras

    from kilnworks.components.features.encoded import EncodedTensor
    from kilnworks.components.modeling.mlp import Mlp

    keras.utils.set_random_seed(7)
    tensors = (
        EncodedTensor(name="numeric", shape=(2,), dtype="float32", kind="numeric"),
        EncodedTensor(name="plan", shape=(), dtype="int32", kind="categorical", vocabulary_size=26),
        EncodedTensor(name="other", shape=(), dtype="int32", kind="categorical", vocabulary_size=4),
    )
    model = Mlp(units=(8,), l2=0.01).network(tensors, binary())
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    return model


@pytest.mark.parametrize("size", [1, 5, 100])
def test_an_epoch_equals_train_on_batch(size: int) -> None:
    import keras

    from kilnworks.components.learning.epochs import run_epochs
    from kilnworks.components.learning.input_pipeline import MemoryFeed
    from kilnworks.components.learning.loop import BlockFunction, parts

    arrays, target, weight = split()
    feed = MemoryFeed((arrays, target, weight), BATCH, seed=3)
    order = feed.permutation(0)
    ours, keras_own = compiled(), compiled()
    ours.optimizer.build(ours.trainable_variables)
    history = keras.callbacks.History()
    train, blocks = BlockFunction(ours, feed, jit=False), parts(feed.blocks(range(1), size), None)
    run_epochs(ours, train, blocks, [history], feed=feed, epochs=range(1), block=size)
    losses = []
    for rows in order:
        logs = keras_own.train_on_batch(
            {n: a[rows] for n, a in arrays.items()}, target[rows], sample_weight=weight[rows], return_dict=True
        )
        losses.append(float(logs["loss"]))
    for one, other in zip(ours.get_weights(), keras_own.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert int(ours.optimizer.iterations.numpy()) == feed.steps == 12
    np.testing.assert_allclose(history.history["loss"], np.mean(losses), rtol=1e-5)
    assert set(history.history) == set(logs) == {"loss", "accuracy"}


def test_it_stops_at_the_step_whose_loss_is_not_finite() -> None:
    from kilnworks.components.learning.input_pipeline import MemoryFeed
    from kilnworks.components.learning.loop import BlockFunction, LossNotFinite, parts

    arrays, target, weight = split()
    feed = MemoryFeed((arrays, target, weight), BATCH, seed=3)
    target[feed.permutation(0)[4, 2]] = np.nan
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    train = BlockFunction(model, feed, jit=False)
    with pytest.raises(LossNotFinite) as caught:
        train(parts(feed.blocks(range(1), 12), None))
    assert (caught.value.step, caught.value.name) == (4, "loss")


def test_columns_gather_rows_of_any_structure() -> None:
    import tensorflow as tf

    from kilnworks.components.learning.row_gather import Columns

    arrays, target, weight = split()
    numbers = np.array([5, 0, 199, 5], np.int32)
    expected = ({n: a[numbers] for n, a in arrays.items()}, target[numbers], weight[numbers])
    nest = (arrays, target, weight)
    flat = tf.nest.flatten(nest)
    found = Columns(tf.nest.map_structure(lambda _: 0, nest), flat).rows(tf.constant(numbers))
    assert flat == [None] * 5
    tf.nest.map_structure(lambda a, b: np.testing.assert_array_equal(np.asarray(a), b), found, expected)


@pytest.mark.parametrize(
    ("batch", "shape", "steps"), [(512, (15,), 256), (128, (28, 28, 1), 41), (64, (400, 400, 3), 1)]
)
def test_steps_of_one_call(batch: int, shape: tuple[int, ...], steps: int) -> None:
    import keras

    from kilnworks.components.learning.training import steps_per_execution

    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten()])
    assert steps_per_execution(model, batch) == steps


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
def test_a_large_array_becomes_a_tensor_without_a_copy(dtype: str) -> None:
    """A split in memory is there once; another array than ours is copied and may be changed afterwards."""
    import tensorflow as tf

    from kilnworks.components.learning.arrays import aligned
    from kilnworks.components.learning.row_gather import as_tensor

    ours = aligned((1000, 3), dtype)
    ours[:] = 1
    tensor = as_tensor(ours)
    assert tensor.dtype == dtype
    if not tf.config.list_physical_devices("GPU"):
        ours[5, 1] = 7
        assert int(tensor[5, 1]) == 7
    other = np.ones(1001, dtype)[1:]
    copied = as_tensor(other)
    other[:] = 7
    assert (copied.numpy() == 1).all()
    assert as_tensor(aligned((0, 3), dtype)).shape == (0, 3)
