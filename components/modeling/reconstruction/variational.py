"""Codes that are distributions: a variational autoencoder (Kingma & Welling 2014).

::

    columns -> mean, log variance [N, code] -> mean + deviation * noise (while training; else the mean) -> columns again

The noise of the code is that of Keras's ``GaussianNoise`` on zeros, which outside of training is nothing: what is saved
answers with the mean code, and consists of Keras's own layers.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kilnworks.components.tasks.layer_names import LayerNames

LARGEST = 10.0
"""Of the size of a log variance: what is beyond is cut, so that no exponential overflows."""
MEAN, LOG_VARIANCE = "code_mean", "code_log_variance"


def sampled(mean: Any, log_variance: Any, names: LayerNames) -> Any:
    """A code [N, K] drawn from each row's normal distribution; its mean outside of training."""
    mean = keras.layers.Identity(dtype="float32", name=names(MEAN))(mean)
    log_variance = ops.clip(ops.cast(log_variance, "float32"), -LARGEST, LARGEST)
    log_variance = keras.layers.Identity(dtype="float32", name=names(LOG_VARIANCE))(log_variance)
    noise = keras.layers.GaussianNoise(1.0, dtype="float32", name=names("code_noise"))(ops.zeros_like(mean))
    return mean + ops.exp(log_variance / 2) * noise


def trained_with_divergence(model: Any, beta: float) -> Any:
    """A twin of ``model``, whose output are squared errors [N, D], with the divergence of its codes in its loss."""
    names = LayerNames({tensor.name for tensor in model.inputs})
    mean, log_variance = (model.get_layer(names(name)).output for name in (MEAN, LOG_VARIANCE))
    weight = 2 * beta / model.output.shape[-1]
    told = Divergence(weight, dtype="float32", name=names("divergence"))([model.output, mean, log_variance])
    return keras.Model(model.input, told, name=model.name)


class Divergence(keras.layers.Layer):
    """Adds to the loss how far the codes are from a standard normal distribution; part of the training alone.

    The Kullback-Leibler divergence of a row, ``sum(mean ** 2 + variance - 1 - log variance) / 2`` over its code, in
    nats, mean over the rows. Inputs: squared errors [N, D], which come out again, means and log variances [N, K].

    Args:
        weight: of the mean divergence. With ``2 / D`` its sum with the mean over rows of ``log(mean squared error)`` is
            the negative evidence lower bound but for constants, times ``2 / D``, where the error of each row is normal
            with a variance of its own, at its most likely value (Rybkin, Daniilidis & Levine 2021).
    """

    def __init__(self, weight: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, inputs: Any) -> Any:
        """Tell the loss."""
        errors, mean, log_variance = inputs
        apart = ops.sum(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=-1) / 2
        self.add_loss(self.weight * ops.mean(apart))
        return errors

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the errors."""
        return input_shape[0]
