"""From a trained model to a LiteRT file that needs no operation of TensorFlow's own.

::

    whole   raw features, as a client sends them -> preprocessing -> model -> answers
    core    encoded tensors, as the preprocessing makes them      -> model -> answers

``whole`` where LiteRT has an operation for all of it. Texts are looked up in tables by TensorFlow's own operations,
which a device would need all of TensorFlow for; then ``core``, and it is said why. Answers that are texts, such as
``class``, are left out: the file names the classes in the order of the probabilities.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kilnworks.components.exporting.signatures import argument_names, arguments, resources
from kilnworks.components.features.graph import input_name, transform_model
from kilnworks.components.features.raw import raw_inputs
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.errors import ConfigError

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]
SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Converted:
    """A LiteRT model.

    Attributes:
        content: of the file.
        part: ``whole`` or ``core``.
        why: why not ``whole``; empty where it is.
        inputs: feature or encoded tensor -> (name of the input, dtype, shape of a row).
        outputs: names of the answers.
    """

    content: bytes
    part: str
    why: str
    inputs: Mapping[str, tuple[str, str, tuple[int, ...]]]
    outputs: tuple[str, ...]


def convert(task: Task, transform: FeatureTransform, trained: keras.Model) -> Converted:
    """The model in a form that LiteRT's own operations can run.

    Raises:
        ConfigError: even the model behind its preprocessing needs operations that LiteRT does not have.
    """
    why = _needs_tensorflow(task, transform)
    if not why:
        try:
            return _whole(task, transform, trained)
        except _NotConverted as error:
            why = f"the preprocessing needs operations that LiteRT does not have: {error}"
    try:
        return _core(task, trained, why)
    except _NotConverted as error:
        raise ConfigError(
            f"the model needs operations that LiteRT does not have: {error}",
            "layers of LiteRT's own operations",
            "serve the SavedModel, or choose `to: int8`",
        ) from error


class _NotConverted(Exception):
    """What the converter says, in a line."""


def _needs_tensorflow(task: Task, transform: FeatureTransform) -> str:
    texts = [name for name, (dtype, _) in raw_inputs(task.served(transform.contract)).items() if dtype == "string"]
    if not texts:
        return ""
    shown = ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")
    return f"texts are looked up by operations of TensorFlow's own: {shown}"


def _whole(task: Task, transform: FeatureTransform, trained: keras.Model) -> Converted:
    served, layers, friendly = task.served(transform.contract), transform_model(transform.plan), _friendly(trained)
    names, raw = argument_names(served), raw_inputs(served)

    def answer(given: Mapping[str, Any]) -> Mapping[str, Any]:
        inputs = {input_name(name): given[argument] for name, argument in names.items()}
        return _numbers(task, friendly(task.encoded_request(inputs, layers), training=False))

    inputs = {name: (names[name], dtype, tuple(shape)) for name, (dtype, shape) in raw.items()}
    return _converted(answer, inputs, "whole", "", (layers, trained))


def _core(task: Task, trained: keras.Model, why: str) -> Converted:
    names = arguments(given.name for given in trained.inputs)
    texts = [given.name for given in trained.inputs if given.dtype == "string"]
    if texts:
        raise _NotConverted(f"its layers read the text {texts[0]!r} themselves")
    friendly = _friendly(trained)

    def answer(given: Mapping[str, Any]) -> Mapping[str, Any]:
        return _numbers(task, friendly({name: given[argument] for name, argument in names.items()}, training=False))

    inputs = {i.name: (names[i.name], str(i.dtype), tuple(i.shape[1:])) for i in trained.inputs}
    return _converted(answer, inputs, "core", why, (trained,))


def _friendly(model: keras.Model) -> keras.Model:
    """The same model, with the same variables, without what the converter stumbles over.

    Keras adds a bias [K, 1] to [n, K, 1] as one of channels that come first, which LiteRT's converter takes for images.
    """
    if isinstance(model, keras.Sequential) or not hasattr(model, "operations"):
        return model
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=_called)


def _called(layer: Any, *args: Any, **kwargs: Any) -> Any:
    if isinstance(layer, keras.layers.EinsumDense) and layer.bias is not None:
        product = keras.ops.einsum(layer.equation, args[0], layer.kernel)
        return layer.activation(keras.ops.subtract(product, keras.ops.negative(layer.bias)))
    if hasattr(layer, "operations"):
        return _friendly(layer)(*args, **kwargs)
    return layer(*args, **kwargs)


def _numbers(task: Task, output: Any) -> dict[str, Any]:
    """The answers that are numbers."""
    (values,) = output.values() if isinstance(output, Mapping) else (output,)
    return {name: value for name, value in task.answers(values).items() if value.dtype != tf.string}


def _converted(
    answer: Answer,
    inputs: Mapping[str, tuple[str, str, tuple[int, ...]]],
    part: str,
    why: str,
    models: tuple[keras.Model, ...],
) -> Converted:
    held = tf.Module(name="litert")
    held.weights = [variable.value for model in models for variable in model.variables]
    held.resources = [one for model in models for one in resources(model)]
    spec = {name: tf.TensorSpec((None, *shape), dtype, name=name) for name, dtype, shape in inputs.values()}
    traced = tf.function(answer, input_signature=[spec], autograph=False).get_concrete_function()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts of TensorFlow that are to go
        tf.saved_model.save(held, folder, signatures={SIGNATURE: traced})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            content = bytes(converter.convert())
        except Exception as error:  # of several kinds, by the converter's own code
            raise _NotConverted(_said(error)) from error
    return Converted(content, part, why, inputs, tuple(sorted(traced.structured_outputs)))


def _said(error: Exception) -> str:
    """The operations that the converter names, or its first line."""
    text = str(error)
    missing = re.findall(r"(?:TF Select ops|Select TensorFlow op\(s\)|Flex ops): ([\w, ]+)", text)
    return f"{missing[0].strip()}" if missing else (text.strip().splitlines() or [type(error).__name__])[0][:200]
