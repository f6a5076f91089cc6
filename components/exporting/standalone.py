"""One Keras file that opens anywhere: raw features in, answers out, of nothing but Keras's own layers.

::

    features by name -> preprocessing -> trained -> answers -> dict of the task's answers

Layers of this project are replaced on the way: those without weights by the Keras operations that they consist of, those
with weights by a layer of Keras. A layer from elsewhere (of a user's project) stays, and is named with its module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from components.features.graph import input_name, keras_name, transform_model
from components.features.raw import raw_inputs
from components.tasks.layer_names import LayerNames

if TYPE_CHECKING:
    from components.features.transform import FeatureTransform
    from components.tasks.base import Task

FILE = "standalone.keras"
HOW = "standalone.py"
OURS = "components."


def standalone(task: Task, transform: FeatureTransform, trained: keras.Model) -> keras.Model:
    """The whole served model. Inputs are called as the features, with ``|`` for ``/``.

    Args:
        task: whose answers come out.
        transform: the fitted preprocessing.
        trained: encoded tensors in, the model's own output out; its weights are shared.
    """
    contract = transform.contract
    names = LayerNames({keras_name(n) for n in contract.features})
    raw = {
        keras_name(n): keras.Input(shape, dtype=dtype, name=keras_name(n))
        for n, (dtype, shape) in raw_inputs(contract).items()
    }
    encode = _named(_stock(transform_model(transform.plan)), names("preprocessing"))
    encoded = encode({input_name(n): raw[keras_name(n)] for n in contract.features})
    output = _named(_stock(trained), names("trained"))(encoded)
    finish = _finish(task, output, names("answers"))
    return keras.Model(raw, finish(output), name=contract.name)


def foreign_modules(model: keras.Model) -> list[str]:
    """Modules that must be imported before the file can be read: those of layers that are not Keras's own."""
    tops = {type(layer).__module__ for layer in model._flatten_layers()}
    return sorted(module for module in tops if module.partition(".")[0] != "keras")


def _stock(model: keras.Model) -> keras.Model:
    """The same model, with the same variables, without layers of this project."""
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=_called)


def _called(layer: Any, *args: Any, **kwargs: Any) -> Any:
    if type(layer).__module__.startswith(OURS):
        return layer.in_stock_layers(*args)
    return layer(*args, **kwargs)


def _finish(task: Task, output: Any, name: str) -> keras.Model:
    """From the model's own output to the answers."""
    given = keras.Input(output.shape[1:], dtype=output.dtype, name="output")
    return keras.Model(given, task.answer_layers(given), name=name)


def _named(model: keras.Model, name: str) -> keras.Model:
    """A model that cannot be taken for an input."""
    model.name = name
    return model


def write_standalone(model: keras.Model, folder: Path) -> None:
    """Write the file, and beside it how it is opened."""
    model.save(folder / FILE)
    imports = "".join(f"import {module}  # its layers\n" for module in foreign_modules(model))
    inputs = ", ".join(f"{tensor.name!r}: {tensor.dtype}{list(tensor.shape[1:])}" for tensor in model.inputs)
    (folder / HOW).write_text(f"import keras\n{imports}\nmodel = keras.saving.load_model({FILE!r})\n# {{{inputs}}}\n")
