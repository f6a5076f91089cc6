"""What is measured of the layers of a network, on one batch and without training on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from inspect import signature
from typing import Any

import keras
import numpy as np
import tensorflow as tf

LIMIT = 0.98
"""A tanh beyond it, and a sigmoid as near to 0 or 1 on the same scale, is at its limit."""
KERNELS = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
VALUES = 1 << 16
"""Of a kernel, at most, of which it is told how far they moved."""
FEWEST = 32
"""Values of a ReLU unit, over rows and places, that tell whether it is always 0."""


def measurable(trained: Any) -> bool:
    """Whether it is a network of layers with kernels, which Keras trains in its own way."""
    return (
        isinstance(trained, keras.Model)
        and hasattr(trained, "operations")
        and type(trained).train_step is keras.Model.train_step
        and bool(kernels_of(trained))
    )


def kernels_of(trained: Any) -> list[Any]:
    """Layers with a kernel that is trained, in the order of the network."""
    return [layer for layer in trained.layers if isinstance(layer, KERNELS) and layer.trainable]


class Probe:
    """Looks at a network on one batch, in inference mode; changes nothing of it."""

    def __init__(self, trained: Any, batch: Any) -> None:
        """``trained``: compiled. ``batch``: encoded tensors, targets and perhaps weights, [rows, ...] each."""
        self._trained, self._batch = trained, batch
        self._kernels = kernels_of(trained)
        self._kinds = _activations(trained)
        try:
            self._inside = _with_inside(trained, self._kinds)
        except ValueError:  # a layer that another model connected first: what it gives belongs to that one
            self._kinds = {}
            self._inside = _with_inside(trained, {})
        self._before: dict[str, np.ndarray] = {}
        self.remember()

    def remember(self) -> None:
        """Take the weights as they are for those from which the next look tells how far they moved."""
        self._before = {layer.name: self._part(layer) for layer in self._kernels}

    def look(self) -> dict[str, dict[str, Any]]:
        """By name of a layer with a kernel, and of its activation where that is a layer of its own.

        ``gradient`` and ``weight``: root mean squares of the kernel's. ``moved``: length of the way since the last
        look, by that of the kernel then; None where that was 0. These are None, too, where they are not finite.
        ``alike``: whether all units have the same weights. ``hidden``: whether it is none of the last layer.
        ``dead``: share of ReLU units that are 0 for every row, of ``FEWEST`` values a unit at least;
        ``saturated``: share of sigmoid or tanh values at their limits; None for others, and for the last layer.
        """
        gradients, outputs = self._gradients()
        told = {
            layer.name: {
                "gradient": _rms(gradient), "weight": _rms(layer.kernel), "moved": self._moved(layer),
                "alike": _alike(layer.kernel), "hidden": layer is not self._kernels[-1],
                "dead": None, "saturated": None,
            }
            for layer, gradient in zip(self._kernels, gradients, strict=True)
        }  # fmt: skip
        owner = ""
        for layer in self._trained.layers:
            owner = layer.name if layer.name in told else owner
            if layer.name in self._kinds and owner:
                values = np.asarray(outputs[layer.name], dtype=np.float32)
                told[owner].update(_activity(self._kinds[layer.name], values))
        self.remember()
        return told

    def _gradients(self) -> tuple[list[Any], dict[str, Any]]:
        inputs, targets, *weights = self._batch
        phase = {"training": False} if "training" in signature(self._trained.compute_loss).parameters else {}
        with tf.GradientTape() as tape:
            made = self._inside(inputs, training=False)
            weight = weights[0] if weights else None  # by place: a method of one's own has its own names, as in Keras
            loss = self._trained.compute_loss(inputs, targets, made["answer"], weight, **phase)
        found = tape.gradient(loss, [layer.kernel.value for layer in self._kernels])
        return [0.0 if one is None else one for one in found], made["inside"]

    def _part(self, layer: Any) -> np.ndarray:
        return np.array(tf.reshape(layer.kernel.value, [-1])[:VALUES], dtype=np.float32)

    def _moved(self, layer: Any) -> float | None:
        before = self._before[layer.name].astype(np.float64)  # whose squares do not overflow
        length = float(np.linalg.norm(before))
        return _finite(float(np.linalg.norm(self._part(layer) - before)) / length) if length > 0 else None


def _activations(trained: Any) -> dict[str, str]:
    """The kind of each layer that gives what ReLU, sigmoid or tanh makes, but for what the network answers with."""
    answers = {id(tensor) for tensor in keras.tree.flatten(trained.output)}
    kinds = {
        layer.name: _activation(layer)
        for layer in trained.layers
        if isinstance(layer, (*KERNELS, keras.layers.Activation, keras.layers.ReLU)) and id(layer.output) not in answers
    }
    return {name: kind for name, kind in kinds.items() if kind in ("relu", "sigmoid", "tanh")}


def _with_inside(trained: Any, names: Iterable[str]) -> Any:
    """The network with what some of its layers give beside its answer. Raises ``ValueError`` where one is not in it."""
    inside = {name: trained.get_layer(name).output for name in names}
    return keras.Model(trained.input, {"inside": inside, "answer": trained.output})


def _activation(layer: Any) -> str:
    if isinstance(layer, keras.layers.ReLU):
        return "relu"
    return str(getattr(getattr(layer, "activation", None), "__name__", ""))


def _activity(kind: str, values: np.ndarray) -> dict[str, float]:
    """Of the outputs [rows, ..., units] of a layer."""
    if kind == "relu" and values.size < FEWEST * values.shape[-1]:
        return {}
    if kind == "relu":
        return {"dead": float(np.mean(np.all(values <= 0, axis=tuple(range(values.ndim - 1)))))}
    scaled = values * 2 - 1 if kind == "sigmoid" else values
    return {"saturated": float(np.mean(np.abs(scaled) > LIMIT))}


def _rms(values: Any) -> float | None:
    numbers = np.asarray(values, dtype=np.float64)
    return _finite(math.sqrt(float(np.mean(np.square(numbers)))))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _alike(kernel: Any) -> bool:
    """Whether the units of a kernel [..., units], of which there are several, are all the same."""
    columns = np.asarray(kernel).reshape(-1, kernel.shape[-1])
    return columns.shape[1] > 1 and bool(np.all(columns == columns[:, :1]))
