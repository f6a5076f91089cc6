"""The layer of a stack of restricted Boltzmann machines: codes, what becomes of them on the way back, free energy.

Importing this module registers it, which ``keras.saving.load_model`` needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import keras
from keras import ops

Visible = Literal["bernoulli", "gaussian"]
TOLD = 2
"""Columns in front of the codes: squared difference of rows and reconstruction, free energy."""


class Paths(NamedTuple):
    """The arithmetic of a stack: by its own weights, or by layers of Keras that hold their values."""

    inward: Callable[[Any], Any]
    outward: Callable[[Any], Any]
    up: Sequence[Callable[[Any], Any]]
    down: Sequence[Callable[[Any], Any]]
    pull: Callable[[Any], Any]


@keras.saving.register_keras_serializable(package="kilnworks")
class Machines(keras.layers.Layer):
    """Rows [N, D] through machines of ``units`` hidden units each, the last of which are the codes [N, H].

    The energy of visible units v and hidden units h of a machine is ``-b.v - c.h - v.W.h``, with ``(v - b)^2 / 2`` in
    place of ``-b.v`` where the first visible units are Gaussian with variance 1 (Smolensky 1986; Hinton 2012). Units
    above them are Bernoulli. What goes up is a probability; the free energy is that of the first machine.

    Args:
        units: hidden units of each machine.
        visible: units that take the rows: ``bernoulli``, between 0 and 1 (what lies beyond is moved to the end), or
            ``gaussian``, of which ``centre`` and ``spread`` are subtracted and divided by.
        tells: whether the output is ``[N, 2 + H + 2 D]``: mean squared difference of rows and reconstruction, free
            energy, codes, reconstruction, rows; else the codes alone.
    """

    def __init__(self, units: Sequence[int], visible: Visible, tells: bool, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.units, self.visible, self.tells = tuple(units), visible, tells

    def build(self, input_shape: Any) -> None:
        """Small kernels and no biases."""
        small, wide = keras.initializers.RandomNormal(stddev=0.01), input_shape[-1]
        self.centre = self.add_weight(name="centre", shape=(wide,), initializer="zeros", trainable=False)
        self.spread = self.add_weight(name="spread", shape=(wide,), initializer="ones", trainable=False)
        self.kernels, self.hidden_biases, self.visible_biases = [], [], []
        for level, width in enumerate(self.units):
            self.kernels.append(self.add_weight(name=f"kernel_{level}", shape=(wide, width), initializer=small))
            self.hidden_biases.append(self.add_weight(name=f"hidden_{level}", shape=(width,), initializer="zeros"))
            own = self.add_weight(name=f"visible_{level}", shape=(wide,), initializer="zeros", trainable=False)
            self.visible_biases.append(own)  # learned by divergence, and no part of what a head learns from
            wide = width

    def call(self, inputs: Any) -> Any:
        """See the class."""
        return self._all(inputs, self._paths())

    def below(self, rows: Any, level: int) -> Any:
        """What the visible units of a machine see of rows [N, D]: values, or probabilities, [N, D of the level]."""
        paths = self._paths()
        values = paths.inward(rows)
        for up in paths.up[:level]:
            values = ops.sigmoid(up(values))
        return values

    def is_gaussian(self, level: int) -> bool:
        """Whether the visible units of a machine are."""
        return level == 0 and self.visible == "gaussian"

    def weights_of(self, level: int) -> tuple[Any, Any, Any]:
        """Kernel [D, H], hidden biases [H] and visible biases [D] of a machine."""
        return self.kernels[level], self.hidden_biases[level], self.visible_biases[level]

    def hidden(self, visible: Any, level: int) -> Any:
        """The probability of each hidden unit [N, H], given the visible ones."""
        kernel, bias, _ = self.weights_of(level)
        return ops.sigmoid(ops.matmul(visible, kernel) + bias)

    def seen(self, hidden: Any, level: int) -> Any:
        """The mean of each visible unit [N, D], given the hidden ones: for Bernoulli units its probability."""
        kernel, _, bias = self.weights_of(level)
        mean = ops.matmul(hidden, ops.transpose(kernel)) + bias
        return mean if self.is_gaussian(level) else ops.sigmoid(mean)

    def free_energy(self, visible: Any, level: int) -> Any:
        """Minus the logarithm of the unnormalised probability of visible units, [N], in nats."""
        kernel, bias, own = self.weights_of(level)
        pull = ops.matmul(visible, ops.expand_dims(own, 1))[:, 0]
        if self.is_gaussian(level):
            pull = pull - ops.sum(ops.square(visible) + ops.square(own), axis=-1) / 2
        return -pull - ops.sum(ops.softplus(ops.matmul(visible, kernel) + bias), axis=-1)

    def _paths(self) -> Paths:
        def affine(kernel: Any, bias: Any) -> Callable[[Any], Any]:
            return lambda values: ops.matmul(values, kernel) + bias

        levels = range(len(self.units))
        parts = [self.weights_of(level) for level in levels]
        return Paths(
            lambda rows: self._inside((rows - self.centre) / self.spread),
            lambda values: values * self.spread + self.centre,
            [affine(kernel, bias) for kernel, bias, _ in parts],
            [affine(ops.transpose(kernel), bias) for kernel, _, bias in parts],
            lambda values: ops.matmul(values, ops.expand_dims(self.visible_biases[0], 1)) - self._square() / 2,
        )

    def _square(self) -> Any:
        """The squared length of the visible biases, where it is part of the energy."""
        return ops.sum(ops.square(self.visible_biases[0])) if self.is_gaussian(0) else 0.0

    def _inside(self, values: Any) -> Any:
        return values if self.is_gaussian(0) else ops.clip(values, 0.0, 1.0)

    def _all(self, rows: Any, paths: Paths) -> Any:
        values = paths.inward(rows)
        codes, energy = values, -paths.pull(values)[:, 0]
        if self.is_gaussian(0):
            energy = energy + ops.sum(ops.square(values), axis=-1) / 2
        for level, up in enumerate(paths.up):
            reached = up(codes)
            energy = energy if level else energy - ops.sum(ops.softplus(reached), axis=-1)
            codes = ops.sigmoid(reached)
        if not self.tells:
            return codes
        made = codes
        for level, down in reversed(list(enumerate(paths.down))):
            made = down(made) if self.is_gaussian(level) else ops.sigmoid(down(made))
        apart = ops.mean(ops.square(values - made), axis=-1)
        front = ops.stack([apart, energy], axis=1)
        return ops.concatenate([front, codes, paths.outward(made), rows], axis=1)

    def in_stock_layers(self, inputs: Any) -> Any:
        """The same by layers of Keras, with the values of the weights."""
        centre, spread = (ops.convert_to_numpy(one) for one in (self.centre, self.spread))
        moments = {"mean": centre.tolist(), "variance": (spread**2).tolist()}
        scaled = keras.layers.Normalization(**moments, name=f"{self.name}_inward")
        back = keras.layers.Normalization(**moments, invert=True, name=f"{self.name}_outward")
        levels = range(len(self.units))
        parts = [self.weights_of(level) for level in levels]
        paths = Paths(
            lambda rows: self._inside(scaled(rows)),
            back,
            [self._dense(f"up_{i}", kernel, bias) for i, (kernel, bias, _) in enumerate(parts)],
            [self._dense(f"down_{i}", ops.transpose(kernel), bias) for i, (kernel, _, bias) in enumerate(parts)],
            self._dense("pull", ops.expand_dims(self.visible_biases[0], 1), ops.reshape(-self._square() / 2, (1,))),
        )
        return self._all(inputs, paths)

    def _dense(self, name: str, kernel: Any, bias: Any) -> Any:
        layer = keras.layers.Dense(kernel.shape[1], name=f"{self.name}_{name}")
        layer.build((None, kernel.shape[0]))
        layer.set_weights([ops.convert_to_numpy(kernel), ops.convert_to_numpy(bias)])
        return layer

    def compute_output_spec(self, inputs: Any) -> Any:
        """See the class; float32."""
        wide = self.units[-1] + (TOLD + 2 * inputs.shape[-1] if self.tells else 0)
        return keras.KerasTensor((inputs.shape[0], wide), "float32")

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "units": self.units, "visible": self.visible, "tells": self.tells}
