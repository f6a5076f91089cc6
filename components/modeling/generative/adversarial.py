"""Two networks trained against each other: the critic to tell real images from made ones, the generator to be believed.

::

    for each part of a batch:   seeds -> images; the critic's weights move
    then once:                  seeds -> images; the generator's weights move
                                the average of its weights follows; that is what is judged, saved and served

Two losses: the logistic one, in its non-saturating form (Goodfellow et al. 2014), and the difference of scores with a
penalty on the critic's gradient between real and made images (Gulrajani et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras
import tensorflow as tf

from kilnworks.schemas.errors import ConfigError

SMALL = 1e-12


@dataclass
class Descent:
    """Adam for a network of its own.

    Attributes:
        learning_rate: of a step.
        beta_1: share of the mean of gradients that stays.
        beta_2: share of the mean of their squares that stays.
    """

    learning_rate: float
    beta_1: float
    beta_2: float

    def build(self, rate: Any) -> Any:
        """The optimizer with this learning rate."""
        return keras.optimizers.Adam(rate, beta_1=self.beta_1, beta_2=self.beta_2)


class Adversarial(keras.Model):
    """What is trained; ``generating`` and ``criticising`` are its optimizers. Images come as a dict, -1 to 1."""

    generating: Any
    criticising: Any
    """The optimizers; set by the phase."""

    def __init__(
        self, generator: Any, average: Any, critic: Any, *, loss: Literal["logistic", "difference"], noise: int,
        classes: int, turns: int, penalty: float, momentum: float,
    ) -> None:  # fmt: skip
        """Around three built networks.

        Args:
            generator: makes images.
            average: another one of the same form; its weights follow those.
            critic: scores images.
            loss: of both.
            noise: numbers of a seed.
            classes: how many; 0 for images of no class.
            turns: steps of the critic for each of the generator, on a part of the batch each.
            penalty: weight of the squared distance of the critic's gradient from length 1.
            momentum: share of the average that stays at a step, once there were many.
        """
        super().__init__(name="adversarial")
        self.generator, self.average, self.critic = generator, average, critic
        average.trainable = False
        average.set_weights(generator.get_weights())
        self._kind, self._noise, self._classes, self._turns = loss, noise, classes, turns
        self._penalty, self._momentum = penalty, momentum
        self._draws = keras.random.SeedGenerator()
        self.updates = self.add_weight(shape=(), dtype="float32", initializer="zeros", trainable=False, name="updates")
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Scores [N, 1] of a batch of images, as of no class: under a strategy Keras calls what it trains with one."""
        (images,) = inputs.values()
        classes = tf.zeros([tf.shape(images)[0], self._classes]) if self._classes else None
        return self.critic(_with(images, classes), training=training)

    def moved_by(self, optimizer: str) -> list[Any]:
        """The variables that an optimizer moves, by its name."""
        network = self.generator if optimizer == "generating" else self.critic
        return list(network.trainable_variables)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Turns of the critic, one of the generator."""
        (images,) = data[0].values()
        classes = tf.one_hot(tf.reshape(tf.cast(data[1], tf.int32), [-1]), self._classes) if self._classes else None
        if images.shape[0] is not None and images.shape[0] < 2 * self._turns:
            raise ConfigError(
                f"batch {images.shape[0]} on each replica, and {self._turns} turns of the critic",
                f"at least {2 * self._turns} rows, two for each turn", "raise batch, or lower critic_steps",
            )  # fmt: skip
        for turn in range(self._turns):
            part = classes[turn :: self._turns] if classes is not None else None
            told = self._criticise(images[turn :: self._turns], part)
        first = images[:: self._turns]
        loss = self._generate(tf.shape(first)[0], classes[:: self._turns] if classes is not None else None)
        self._follow()
        return {"generator_loss": loss, **told}

    def seeds(self, rows: Any) -> Any:
        """Seeds drawn anew, [rows, noise]; others on each replica."""
        return tf.random.stateless_normal([rows, self._noise], self._number())

    def losses_of_critic(self, real: Any, made: Any) -> Any:
        """From scores [N, 1] of real and of made images to the loss, a number."""
        if self._kind == "difference":
            return tf.reduce_mean(made) - tf.reduce_mean(real)
        return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(made))

    def loss_of_generator(self, made: Any) -> Any:
        """From scores [N, 1] of made images to the loss, a number."""
        return -tf.reduce_mean(made) if self._kind == "difference" else tf.reduce_mean(tf.nn.softplus(-made))

    def penalty(self, real: Any, made: Any, classes: Any, where: Any) -> Any:
        """Mean squared distance from 1 of the critic's gradient between the images.

        Args:
            real: [N, H, W, C].
            made: the same.
            classes: one-hot [N, K], or None.
            where: 0 at the real image to 1 at the made one, [N, 1, 1, 1].
        """
        between = real + where * (made - real)
        with tf.GradientTape() as tape:
            tape.watch(between)
            score = self.critic(_with(between, classes), training=True)
        slope = tape.gradient(score, between)
        length = tf.sqrt(tf.reduce_sum(tf.square(slope), axis=[1, 2, 3]) + SMALL)
        return tf.reduce_mean(tf.square(length - 1.0))

    def _criticise(self, real: Any, classes: Any) -> dict[str, Any]:
        """A step of the critic on images [N, H, W, C]."""
        made = self.generator(_with(self.seeds(tf.shape(real)[0]), classes), training=True)
        with tf.GradientTape() as tape:
            scores = [self.critic(_with(images, classes), training=True) for images in (real, made)]
            loss = self.losses_of_critic(*scores)
            told = {"critic_loss": loss}
            if self._penalty:
                where = tf.random.stateless_uniform([tf.shape(real)[0], 1, 1, 1], self._number())
                told["gradient_penalty"] = self.penalty(real, made, classes, where)
                loss = loss + self._penalty * told["gradient_penalty"]
        self._move(self.criticising, self.critic.trainable_variables, tape, loss)
        return told

    def _generate(self, rows: Any, classes: Any) -> Any:
        """A step of the generator with so many seeds; the loss."""
        seeds = self.seeds(rows)
        with tf.GradientTape() as tape:
            made = self.generator(_with(seeds, classes), training=True)
            loss = self.loss_of_generator(self.critic(_with(made, classes), training=True))
        self._move(self.generating, self.generator.trainable_variables, tape, loss)
        return loss

    def _move(self, optimizer: Any, variables: Any, tape: Any, loss: Any) -> None:
        """A step of an optimizer, whose gradients are added up over the replicas."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        optimizer.apply([slope / replicas for slope in tape.gradient(loss, variables)], list(variables))

    def _follow(self) -> None:
        """The average moves towards the generator: far at first, little later."""
        self.updates.assign_add(1.0)
        count = tf.convert_to_tensor(self.updates)
        stays = tf.minimum(self._momentum, (1.0 + count) / (10.0 + count))
        learned = {id(one) for one in self.generator.trainable_variables}
        for behind, ahead in zip(self.average.variables, self.generator.variables, strict=True):
            now = tf.convert_to_tensor(ahead)
            behind.assign(behind + (1 - stays) * (now - behind) if id(ahead) in learned else now)

    def _number(self) -> Any:
        """Decides a draw, int [2]; another one on each replica."""
        number = tf.cast(tf.convert_to_tensor(self._draws.next()), tf.int64)
        here = tf.distribute.get_replica_context().replica_id_in_sync_group
        return number + tf.stack([tf.constant(0, tf.int64), tf.cast(here, tf.int64) * 2**40])


def _with(first: Any, classes: Any) -> Any:
    return [first] if classes is None else [first, classes]
