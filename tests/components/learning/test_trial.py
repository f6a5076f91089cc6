"""The step that is tried before the first epoch leaves nothing behind."""

import numpy as np
import pytest

from tests.components.tasks.some_tasks import binary

pytestmark = pytest.mark.slow


def test_every_variable_is_put_back() -> None:
    """Those of a second optimizer and of the generators of random numbers, too."""
    import keras

    from components.learning.input_pipeline import MemoryFeed
    from components.learning.trial import try_one_batch
    from tests.components.learning.toys import Duel

    keras.utils.set_random_seed(3)
    features = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    critic = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    duel = Duel(features, critic)
    duel.compile("adam", jit_compile=False)
    duel.optimizer.build(features.trainable_variables)
    duel.c_optimizer = keras.optimizers.RMSprop(0.01)
    duel.c_optimizer.build(critic.trainable_variables)
    feed = MemoryFeed((np.ones((16, 3), np.float32), np.ones((16, 1), np.float32)), 8, 0, unpack=lambda x: x)

    def state() -> list[np.ndarray]:
        held = (*duel.variables, *duel.optimizer.variables, *duel.c_optimizer.variables)
        return [np.array(keras.ops.convert_to_numpy(v)) for v in held]

    keras.random.uniform((1,))
    before = state()
    try_one_batch(duel, feed, binary())
    for one, other in zip(before, state(), strict=True):
        np.testing.assert_array_equal(one, other)
    drawn = keras.random.uniform((4,))
    keras.utils.set_random_seed(3)
    keras.random.uniform((1,))
    np.testing.assert_array_equal(drawn, keras.random.uniform((4,)))
