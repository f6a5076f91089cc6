"""The step that is tried before the first epoch leaves nothing behind."""

import numpy as np
import pytest

from tests.components.tasks.some_tasks import binary

pytestmark = pytest.mark.slow


def test_every_variable_is_put_back() -> None:
    """Those of a second optimizer and of the generators of random numbers, too, so that training is as without."""
    import keras

    from kilnworks.components.learning.input_pipeline import MemoryFeed
    from kilnworks.components.learning.own.trial import try_one_batch
    from tests.components.learning.toys import Duel

    feed = MemoryFeed((np.ones((16, 3), np.float32), np.ones((16, 1), np.float32)), 8, 0, unpack=lambda x: x)

    def states(tried: bool) -> list[np.ndarray]:
        """Every variable after a step, from one seed."""
        keras.utils.set_random_seed(3)
        features = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
        critic = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        duel = Duel(features, critic)
        duel.compile("adam", jit_compile=False)
        duel.c_optimizer = keras.optimizers.RMSprop(0.01)
        if tried:
            try_one_batch(duel, feed, binary())
        duel.train_step((np.ones((8, 3), np.float32), np.ones((8, 1), np.float32)))
        held = (*duel.variables, *duel.optimizer.variables, *duel.c_optimizer.variables)
        return [np.array(keras.ops.convert_to_numpy(v)) for v in held]

    straight, other = states(False), states(True)
    assert len(straight) == len(other)
    for one, two in zip(straight, other, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)
