"""Training of one machine of a stack by contrastive divergence: no gradient of a loss, but a difference of two means.

::

    rows -> visible units (probabilities of the machines below) -> hidden units        the data's correlations
    chains: hidden -> visible -> hidden -> ... k times                                 the model's correlations
    weights move along the difference

Contrastive divergence starts the chains at the rows (CD-k: Hinton 2002); persistent chains go on where they were (PCD:
Tieleman 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from kilnworks.components.modeling.generative.machines import Machines


@dataclass
class Descent:
    """Stochastic gradient descent with momentum, for a phase of its own.

    Attributes:
        learning_rate: how far a step goes along the difference.
        momentum: share of the last step that is gone again.
    """

    learning_rate: float
    momentum: float

    def build(self, rate: Any) -> Any:
        """The optimizer with this learning rate."""
        return keras.optimizers.SGD(rate, momentum=self.momentum)


class Divergence(keras.Model):
    """What is trained: one machine; its own ``divergence`` optimizer moves it. Rows come as a dict, out as [N, D]."""

    divergence: Any
    """The optimizer; set by the phase."""

    def __init__(self, *args: Any, machines: Machines, level: int, k: int, chains: int, decay: float,
                 **kwargs: Any) -> None:  # fmt: skip
        """Around the layers that lay encoded tensors side by side.

        Args:
            args: inputs and their rows [N, D], as for ``keras.Model``.
            machines: the stack; built.
            level: which of them is trained, from 0.
            k: Gibbs steps.
            chains: persistent ones; 0: they start at the rows of each batch.
            decay: share of the squared kernel that counts against it.
            kwargs: as for ``keras.Model``.
        """
        super().__init__(*args, **kwargs)
        self.machines, self._level, self._k, self._decay = machines, level, k, decay
        self._draws = keras.random.SeedGenerator()
        self.chains: Any = None
        if chains:
            wide = machines.units[level]
            self.chains = self.add_weight(shape=(chains, wide), initializer="zeros", trainable=False, name="chains")

    def moved_by(self, optimizer: str) -> list[Any]:
        """The variables that its one optimizer moves."""
        return list(self.machines.weights_of(self._level))

    def train_step(self, data: Any) -> dict[str, Any]:
        """A step along the difference of the two correlations."""
        weights = self.machines.weights_of(self._level)
        visible = self.machines.below(self(data[0], training=False), self._level)
        hidden = self.machines.hidden(visible, self._level)
        free, freed, drawn = self._ran(self._drawn(hidden) if self.chains is None else self.chains)
        if self.chains is not None:
            self.chains.assign(drawn)
        slopes = (
            _correlation(free, freed) - _correlation(visible, hidden) + self._decay * weights[0],
            ops.mean(freed, axis=0) - ops.mean(hidden, axis=0),
            ops.mean(free, axis=0) - ops.mean(visible, axis=0),
        )
        self.divergence.apply([slope / self._replicas() for slope in slopes], list(weights))
        return self._numbers(visible)

    def test_step(self, data: Any) -> dict[str, Any]:
        """The same numbers of rows that are not learned from."""
        return self._numbers(self.machines.below(self(data[0], training=False), self._level))

    def _ran(self, hidden: Any) -> tuple[Any, Any, Any]:
        """Visible units, probabilities of the hidden ones and a draw of them after k steps from ``hidden`` [M, H]."""
        for _ in range(self._k):
            visible = self.machines.seen(hidden, self._level)
            if self.machines.is_gaussian(self._level):
                visible = visible + keras.random.normal(ops.shape(visible), seed=self._draws)
            else:
                visible = self._drawn(visible)
            likely = self.machines.hidden(visible, self._level)
            hidden = self._drawn(likely)
        return visible, likely, hidden

    def _drawn(self, probabilities: Any) -> Any:
        """0 or 1."""
        chance = keras.random.uniform(ops.shape(probabilities), seed=self._draws)
        return ops.cast(chance < probabilities, "float32")

    def _numbers(self, visible: Any) -> dict[str, Any]:
        """How well the machine knows rows: reconstruction, and for 0 and 1 the pseudo-likelihood, in nats a row.

        Of the pseudo-likelihood (Besag 1975) one unit a row is looked at, another one in each, times the units.
        """
        made = self.machines.seen(self.machines.hidden(visible, self._level), self._level)
        found = {"reconstruction": ops.mean(ops.square(visible - made))}
        if self.machines.is_gaussian(self._level):
            return found
        wide = visible.shape[1]
        unit = ops.one_hot(ops.mod(ops.arange(ops.shape(visible)[0]), wide), wide, dtype="float32")
        flipped = visible + unit * (1.0 - 2.0 * visible)
        gain = self.machines.free_energy(flipped, self._level) - self.machines.free_energy(visible, self._level)
        return {**found, "pseudo_likelihood": -wide * ops.mean(ops.softplus(-gain))}

    def _replicas(self) -> int:
        import tensorflow as tf

        return int(tf.distribute.get_strategy().num_replicas_in_sync)


def _correlation(visible: Any, hidden: Any) -> Any:
    """[D, H], mean over the rows."""
    return ops.matmul(ops.transpose(visible), hidden) / ops.cast(ops.shape(visible)[0], "float32")
