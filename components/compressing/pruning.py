"""Magnitude pruning with fine-tuning: the smallest weights become 0, more in each epoch, and stay so.

The schedule is that of Zhu & Gupta (2017), "To prune, or not to prune", from 0 to the final sparsity ``s`` in ``n``
epochs, in which the mask of every kernel is made anew before each::

    sparsity before epoch e (from 1) = s - s * (1 - e / n) ** 3

Then the mask is left alone and the network settles; only epochs of that count, so the weights that are kept have the
final sparsity. Within an epoch the mask is a constraint of the variable, which the optimizer applies after each step.
A weight that is 0 has the smallest magnitude there is, so a mask made anew keeps what an earlier one took, and a killed
run needs no more than its weights to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from kilnworks.components.modeling.compact.kernels import LEAST, trained_kernels
from kilnworks.components.modeling.learner import Learner
from kilnworks.schemas.errors import ConfigError, StepFailed

PRUNE, SETTLE = "prune", "settle"
"""Phases of the training, as its history names them."""


def sparsity_at(epoch: int, epochs: int, final: float) -> float:
    """The share of weights that are 0 in an epoch.

    Args:
        epoch: from 1; beyond ``epochs`` the share is ``final``.
        epochs: in which it is reached.
        final: 0 to 1.
    """
    return final - final * (1 - min(1.0, epoch / epochs)) ** 3


def smallest(weights: np.ndarray, sparsity: float) -> np.ndarray:
    """A mask of ones [...], 0 where the ``round(sparsity * size)`` smallest magnitudes are; of equals the first."""
    mask = np.ones(weights.size, np.float32)
    order = np.argsort(np.abs(weights).reshape(-1), kind="stable")
    mask[order[: round(sparsity * weights.size)]] = 0.0
    return mask.reshape(weights.shape)


class Masked(keras.constraints.Constraint):
    """Weights times a mask, behind a constraint that was there before."""

    def __init__(self, mask: Any, before: Any = None) -> None:
        self.mask, self.before = mask, before

    def __call__(self, w: Any) -> Any:
        """The weights after a step."""
        return (w if self.before is None else self.before(w)) * self.mask


class Pruner(keras.callbacks.Callback):
    """Makes the masks anew before each epoch, and takes the weights that they take."""

    def __init__(self, epochs: int, final: float) -> None:
        """``epochs``: in which the share ``final`` is reached."""
        super().__init__()
        self.epochs, self.final = epochs, final
        self.kernels: list[Any] = []
        self.masks: list[Any] = []

    def watch(self, model: Any) -> None:
        """Put a mask on every trained kernel of a model, inside the scope of its replicas.

        Raises:
            ConfigError: there is none.
        """
        self.kernels = trained_kernels(model)
        if not self.kernels:
            raise ConfigError(
                f"pruning a model without a trained kernel of {LEAST} weights or more",
                "a kernel from which weights can be taken",
                "leave the compression out, or choose `to: int8`",
            )
        for number, kernel in enumerate(self.kernels):
            mask = keras.Variable(np.ones(kernel.shape, np.float32), trainable=False, name=f"mask_{number}")
            kernel.constraint = Masked(mask, kernel.constraint)
            self.masks.append(mask)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """``epoch`` from 0, over all phases."""
        share = sparsity_at(epoch + 1, self.epochs, self.final)
        for kernel, mask in zip(self.kernels, self.masks, strict=True):
            weights = np.asarray(kernel)
            taken = smallest(weights, share)
            mask.assign(taken)
            kernel.assign(weights * taken)


def pruned(learner: Learner, weights: Sequence[np.ndarray], pruner: Pruner, settle: int, rate: float) -> Learner:
    """What trains, begun with the weights of a trained model and pruned while it goes on.

    Args:
        learner: made for the same architecture and data, with any weights.
        weights: of the trained model, in the order of ``model.variables``.
        pruner: not yet watching.
        settle: epochs after the last pruning.
        rate: what the learning rates are multiplied by.

    Raises:
        ConfigError: the model is not trained by one label in steps, is another one, or has nothing to prune.
    """
    last = learner.phases[-1]
    if learner.measured or learner.kept or not last.judged:
        raise ConfigError(
            "pruning a model that is trained by more than its labels",
            "one that learns from rows with a label",
            "choose `to: int8`, which needs no training",
        )
    variables = learner.model.variables
    if [tuple(v.shape) for v in variables] != [w.shape for w in weights]:
        raise ConfigError(
            "pruning a model that is the mean of several networks, or not built by its architecture alone",
            "one network",
            "train with refit 0 or 1, or choose `to: int8`",
        )
    for variable, values in zip(variables, weights, strict=True):
        variable.assign(values)
    last.prepare()  # which layers learn then
    pruner.watch(learner.model)
    phases = (
        replace(last, name=PRUNE, epochs=pruner.epochs, rate=last.rate * rate, judged=False),
        replace(last, name=SETTLE, epochs=settle, rate=last.rate * rate),
    )
    return replace(learner, phases=phases)


def zeros(model: Any, final: float) -> list[dict[str, Any]]:
    """Of every trained kernel how many weights are 0.

    Raises:
        StepFailed: fewer than ``final`` of one.
    """
    found = []
    for kernel in trained_kernels(model):
        values = np.asarray(kernel)
        zero = int((values == 0).sum())
        if zero < round(final * values.size):
            raise StepFailed(
                f"{kernel.path}: {zero} of {values.size} weights are 0 after pruning",
                f"{round(final * values.size)} of them",
                "a training step of the model's own sets weights past the optimizer's constraint: choose `to: int8`",
            )
        found.append({"name": kernel.path, "shape": list(kernel.shape), "zero": zero / values.size})
    return found
