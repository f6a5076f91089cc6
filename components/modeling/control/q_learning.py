"""The step of deep Q-learning, on a batch of transitions."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class QLearning(keras.Model):
    """``online`` is trained towards what ``target`` says of later observations (Mnih et al. 2015).

    A batch is ``(observations, told, weights)``; ``told`` holds ``later`` (observations), ``action``, ``reward``,
    ``discount`` and ``place``, [N, ...] each. ``online`` and ``target`` take observations by feature and give [N, A].
    """

    def __init__(self, online: Any, target: Any, *, double: bool, target_every: int, memory: int) -> None:
        """What is trained.

        Args:
            online: the network that acts.
            target: another one of the same form; becomes equal to ``online`` now and then.
            double: whether ``online`` chooses the later action that ``target`` values (van Hasselt et al. 2016).
            target_every: steps from one copy to the next.
            memory: places of the replay; ``errors`` [memory] holds the last absolute error of each. 0: none are held.
        """
        super().__init__(name="q_learning")
        self.online, self.target, self._double, self._every = online, target, double, target_every
        target.trainable = False
        target.set_weights(online.get_weights())
        self.updates = self.add_weight(shape=(), dtype="int64", initializer="zeros", trainable=False, name="updates")
        self._judges = memory > 0
        self.errors = self.add_weight(shape=(memory,), initializer="zeros", trainable=False, name="errors")
        self._loss, self._value = keras.metrics.Mean(name="loss"), keras.metrics.Mean(name="value")
        self.built = True

    @property
    def metrics(self) -> list[Any]:
        """Mean loss, and mean value of what was done."""
        return [self._loss, self._value]

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Values of actions, [N, A]."""
        return self.online(inputs, training=training)

    def goals(self, told: Any) -> Any:
        """What the values of the actions should be, [N]: reward, and the discounted value of what comes later."""
        values = tf.cast(self.target(told["later"], training=False), tf.float32)
        chooser = tf.cast(self.online(told["later"], training=False), tf.float32) if self._double else values
        best = tf.argmax(chooser, axis=-1)
        return tf.stop_gradient(told["reward"] + told["discount"] * tf.gather(values, best, batch_dims=1))

    def train_step(self, data: Any) -> dict[str, Any]:
        """Move the values of what was done towards their goals."""
        observations, told, weights = data
        goals = self.goals(told)
        with tf.GradientTape() as tape:
            values = tf.cast(self.online(observations, training=True), tf.float32)
            value = tf.gather(values, told["action"], batch_dims=1)
            loss = self.compute_loss(y=goals[:, None], y_pred=value[:, None], sample_weight=weights)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.online.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        if self._judges:
            self.errors.assign(tf.tensor_scatter_nd_update(self.errors, told["place"][:, None], tf.abs(goals - value)))
        self._follow()
        self._loss.update_state(loss)
        self._value.update_state(value)
        return {"loss": self._loss.result(), "value": self._value.result()}

    def _follow(self) -> None:
        """Copy what is trained, every so many steps."""
        self.updates.assign_add(1)
        due = tf.equal(tf.math.floormod(tf.convert_to_tensor(self.updates), self._every), 0)
        for behind, ahead in zip(self.target.weights, self.online.weights, strict=True):
            behind.assign(tf.where(due, ahead, behind))
