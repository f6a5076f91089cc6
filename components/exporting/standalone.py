"""The whole served model as one Keras model of Keras's own layers: raw features in, answers out.

::

    features by name -> preprocessing -> trained -> answers -> dict of the task's answers

Layers of this project are replaced on the way, those without weights by the Keras operations that they consist of,
those with weights by a layer of Keras (``in_stock_layers``). A layer from elsewhere, as of a user's project, stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras

from kilnworks.components.features.encoded import keras_name
from kilnworks.components.features.graph import input_name, transform_model
from kilnworks.components.features.raw import raw_inputs
from kilnworks.components.tasks.layer_names import LayerNames

if TYPE_CHECKING:
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.tasks.base import Task


OUTPUT = "output"
"""Name of the model's own output, where the task cannot say its answers in Keras."""


def standalone(task: Task, transform: FeatureTransform, trained: keras.Model) -> keras.Model:
    """The whole served model. Inputs are called as the features, with ``|`` for ``/``; it is made for inference.

    Args:
        task: whose answers come out; the model's own output, called ``OUTPUT``, where it cannot say them in Keras
            (``Task.answer_layers``).
        transform: the fitted preprocessing.
        trained: encoded tensors in, the model's own output out; its weights are shared.
    """
    served = task.served(transform.contract)
    names = LayerNames({keras_name(n) for n in served.features})
    inputs = {
        name: keras.Input(shape, dtype=dtype, name=keras_name(name))
        for name, (dtype, shape) in raw_inputs(served).items()
    }
    encode = _named(_stock(transform_model(transform.plan)), names("preprocessing"))
    encoded = task.encoded_request({input_name(n): tensor for n, tensor in inputs.items()}, encode)
    output = _named(_stock(trained), names("trained"))(encoded)
    (value,) = output.values() if isinstance(output, Mapping) else (output,)
    answers = _answers(task, value, names("answers"))
    return keras.Model({tensor.name: tensor for tensor in inputs.values()}, answers(value), name=served.name)


def _stock(model: keras.Model) -> keras.Model:
    """The same model, with the same variables, without layers of this project."""
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=_called)


def _called(layer: Any, *args: Any, **kwargs: Any) -> Any:
    replaced = getattr(layer, "in_stock_layers", None)
    return layer(*args, **kwargs) if replaced is None else replaced(*args)


def _answers(task: Task, output: Any, name: str) -> keras.Model:
    """From the model's own output to the answers."""
    given = keras.Input(output.shape[1:], dtype=output.dtype, name="output")
    wide = keras.ops.cast(given, "float32")
    try:
        answers = task.answer_layers(wide)
    except (ValueError, TypeError, AttributeError, NotImplementedError):  # written with functions of TensorFlow alone
        answers = {OUTPUT: wide}
    return keras.Model(given, answers, name=name)


def _named(model: keras.Model, name: str) -> keras.Model:
    """A model that cannot be taken for an input."""
    model.name = name
    return model
