"""Models that train in ways of their own."""

from dataclasses import replace

import keras
import numpy as np
from keras import ops

from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.tasks.layer_names import LayerNames


class Duel(keras.Model):
    """A network against a critic that tells its features from noise: two optimizers, three kinds of random numbers."""

    def __init__(self, features, critic) -> None:
        super().__init__(name="duel")
        self.features, self.critic = features, critic
        self.seeds = keras.random.SeedGenerator(5)
        self.rounds = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="rounds")

    def call(self, inputs, training=False):
        return self.critic(self.features(inputs, training=training))

    def train_step(self, data):
        import tensorflow as tf

        inputs = data[0]
        with tf.GradientTape(persistent=True) as tape:
            made = self.features(inputs, training=True)
            noise = keras.random.normal(ops.shape(made), seed=self.seeds) + 0.1 * keras.random.uniform(ops.shape(made))
            c_loss = ops.mean(self.critic(made)) - ops.mean(self.critic(noise))
            g_loss = -ops.mean(self.critic(made)) + 0.1 * ops.mean(ops.square(made))
        for loss, layers, optimizer in (
            (c_loss, self.critic, self.c_optimizer),
            (g_loss, self.features, self.optimizer),
        ):
            weights = layers.trainable_variables
            optimizer.apply(tape.gradient(loss, weights), weights)
        self.rounds.assign_add(1)
        return {"g_loss": g_loss, "c_loss": c_loss, "rounds": self.rounds}


class TwoPhases(Architecture):
    """First a duel over the features, then the label, on features whose first layer is frozen."""

    kind: str = "two_phases"
    duel_epochs: int = 2

    def learner(self, encoded, task) -> Learner:
        from kilnworks.components.learning.optimizers import RmsProp

        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        first = keras.layers.Dense(8, "relu", name="first")
        made = keras.layers.Dropout(0.2, name="dropout")(first(self.flat(encoded, inputs, names)))
        features = keras.Model(inputs, keras.layers.Dense(4, name="second")(made))
        critic = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, name="critic")], name="critic")
        model = keras.Model(inputs, task.head(features.output, names), name=self.kind)
        duel = Duel(features, critic)

        def freeze() -> None:
            first.trainable = False

        phases = (
            Phase("duel", duel, self.duel_epochs, optimizers={"c_optimizer": RmsProp(learning_rate=0.01)}),
            Phase("label", self.training(model, task), rate=0.5, prepare=freeze),
        )
        return Learner(model, phases, kept=(critic,))

    def trunk(self, encoded, inputs, names):
        raise NotImplementedError


class InOrder(Architecture):
    """Trains on the rows in the order of the split, by a feed of its own."""

    kind: str = "in_order"

    def learner(self, encoded, task) -> Learner:
        from kilnworks.components.learning.input_pipeline import MemoryFeed

        class Ordered(MemoryFeed):
            def permutation(self, epoch):
                return np.arange(self.steps * self.batch, dtype=np.int32).reshape(self.steps, self.batch)

        return replace(super().learner(encoded, task), feed=Ordered)

    def trunk(self, encoded, inputs, names):
        return self.flat(encoded, inputs, names)


class OwnTest(keras.Model):
    """Reports a number of its own on the training and on the validation split."""

    def train_step(self, data):
        return {**super().train_step(data), "spread": ops.std(self(data[0]))}

    def test_step(self, data):
        x, y = data[0], data[1]
        return {"loss": ops.mean(ops.abs(self(x) - y)), "spread": ops.mean(ops.square(self(x) - y))}


class Tested(Architecture):
    """A network with a ``test_step`` of its own."""

    kind: str = "tested"

    def training(self, model, task):
        return OwnTest(model.input, model.output)

    def trunk(self, encoded, inputs, names):
        return self.dense_layers(self.flat(encoded, inputs, names), (4,), names)


class RawLoss(keras.Model):
    """Answers with a loss that no metric keeps, and with a sum that one does."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.rows = keras.metrics.Sum(name="rows")

    def train_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(self(data[0], training=True) - data[1]))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, **self._counted(data[1])}

    def test_step(self, data):
        return {"loss": ops.mean(ops.square(self(data[0]) - data[1])), **self._counted(data[1])}

    def _counted(self, target):
        self.rows.update_state(ops.ones_like(target))
        return {"rows": self.rows.result()}


class Raw(Architecture):
    """A network with such steps, compiled by itself without metrics."""

    kind: str = "raw"

    def training(self, model, task):
        trained = RawLoss(model.input, model.output)
        trained.compile(keras.optimizers.SGD(1e-12), jit_compile=False)
        return trained

    def trunk(self, encoded, inputs, names):
        return self.flat(encoded, inputs, names)


class Thaw(Architecture):
    """Compiled by the training, then, with all layers thawed, by the phase itself."""

    kind: str = "thaw"

    def learner(self, encoded, task) -> Learner:
        model = self.network(encoded, task)
        trained = self.training(model, task)
        body = model.get_layer(index=-2)

        def freeze() -> None:
            body.trainable = False

        def thaw() -> None:
            body.trainable = True
            trained.compile(keras.optimizers.SGD(0.125), task.loss(), jit_compile=False)

        return Learner(model, (Phase("head", trained, 2, prepare=freeze), Phase("all", trained, 2, prepare=thaw)))

    def trunk(self, encoded, inputs, names):
        return keras.layers.Dense(4, "relu")(self.flat(encoded, inputs, names))
