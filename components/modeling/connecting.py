"""Fitting a user's Keras model to the data in front of it and to the task behind it; both sides stand in the errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kilnworks.components.features.encoded import AS_SENT, CATEGORICAL, TEXT, EncodedTensor
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError

Arrange = Callable[[Mapping[str, Any]], Any]
"""Encoded tensors by name -> what the user's model is called with; works on Keras tensors and in a graph."""


def arranged(user: Any, encoded: Sequence[EncodedTensor], path: str) -> Arrange:
    """How the data are handed to a model.

    A model with declared inputs gets them by name; a single one gets the single tensor, reshaped where the number of
    values is the same, or several tensors of numbers side by side. A model without declared inputs (subclassed, or
    Sequential before it is built) gets the single tensor, or the dict of all.

    Raises:
        ConfigError: its inputs do not fit.
    """
    declared = _declared(user)
    names = [t.name for t in encoded]
    if declared is None:
        return _undeclared(user, encoded, path)
    if {i.name for i in declared} <= set(names) and _same_sizes(declared, encoded):
        by_name = {t.name: t for t in encoded}
        for one in declared:
            _refuse_dtype(one, by_name[one.name], path)
        return _by_name(user, declared)
    if len(declared) == 1:
        return _single(declared[0], encoded, path)
    raise ConfigError(
        f"{path} has the inputs {_inputs_told(declared)}",
        f"inputs among: {told(encoded)}",
        "name its inputs like these, or build it from the parameter 'inputs'",
    )


def _declared(user: Any) -> list[Any] | None:
    """The Keras tensors that a model was built from; None where it was not."""
    try:
        return list(user.inputs) if user.inputs else None
    except (AttributeError, ValueError):
        return None


def _by_name(user: Any, declared: Sequence[Any]) -> Arrange:
    """Each declared input from the tensor of its name, in the structure in which it was declared."""
    import keras

    struct = user.input

    def arrange(tensors: Mapping[str, Any]) -> Any:
        chosen = [_shaped(tensors[i.name], tuple(i.shape[1:]), i.dtype) for i in declared]
        return keras.tree.pack_sequence_as(struct, chosen)

    return arrange


def _single(declared: Any, encoded: Sequence[EncodedTensor], path: str) -> Arrange:
    shape = tuple(declared.shape[1:])
    size = math.prod(d or 1 for d in shape) if None not in shape else None
    widths = [math.prod(t.shape) for t in encoded]
    if len(encoded) == 1 and (encoded[0].shape == shape or size in (None, widths[0])):
        _refuse_dtype(declared, encoded[0], path)
        return lambda tensors: _shaped(tensors[encoded[0].name], shape, declared.dtype)
    if len(encoded) > 1 and _are_numbers(encoded) and size == sum(widths) and len(shape) == 1:
        return lambda tensors: _beside([tensors[t.name] for t in encoded], declared.dtype)
    raise ConfigError(
        f"{path} has the input {_inputs_told([declared])}",
        f"inputs for: {told(encoded)}",
        "give its input that shape, or build it from the parameter 'inputs'",
    )


def _undeclared(user: Any, encoded: Sequence[EncodedTensor], path: str) -> Arrange:
    import keras

    if len(encoded) == 1:
        return lambda tensors: tensors[encoded[0].name]
    if not isinstance(user, keras.Sequential):
        return lambda tensors: {t.name: tensors[t.name] for t in encoded}
    if _are_numbers(encoded):
        return lambda tensors: _beside([tensors[t.name] for t in encoded], "float32")
    raise ConfigError(
        f"{path} is a Sequential model, which takes one tensor",
        f"inputs for: {told(encoded)}",
        "encode categories as one_hot in the preprocessing, or build a Functional model from the parameter 'inputs'",
    )


def _are_numbers(encoded: Sequence[EncodedTensor]) -> bool:
    """Whether all can stand side by side: neither texts nor indices."""
    return all(t.dtype != TEXT and t.kind != CATEGORICAL for t in encoded)


def _refuse_dtype(declared: Any, tensor: EncodedTensor, path: str) -> None:
    """Raise where an input cannot hold what is handed to it."""
    text = (declared.dtype == TEXT, tensor.dtype == TEXT)
    whole = "int" in str(declared.dtype) and tensor.kind == AS_SENT and tensor.dtype == "float32"
    if text[0] != text[1] or whole:
        raise ConfigError(
            f"{path} has the input {_inputs_told([declared])}",
            f"a dtype that holds {told([tensor])}" + (", NaN where a number is missing" if whole else ""),
            f"declare it as dtype={tensor.dtype!r}, and convert it in the model",
        )


def _same_sizes(declared: Sequence[Any], encoded: Sequence[EncodedTensor]) -> bool:
    """Whether every declared input can hold the values of the tensor of its name."""
    sizes = {t.name: math.prod(t.shape) for t in encoded}
    return all(None in i.shape[1:] or math.prod(i.shape[1:]) == sizes[i.name] for i in declared)


def _cast(x: Any, dtype: str) -> Any:
    import keras

    return x if keras.backend.standardize_dtype(x.dtype) == dtype or dtype == "string" else keras.ops.cast(x, dtype)


def _shaped(x: Any, shape: tuple[int | None, ...], dtype: str) -> Any:
    import keras

    if None in shape or tuple(x.shape[1:]) == shape:
        return _cast(x, dtype)
    return _cast(keras.ops.reshape(x, (-1, *shape)), dtype)


def _beside(parts: Sequence[Any], dtype: str) -> Any:
    import keras

    flat = [_cast(keras.ops.reshape(x, (-1, math.prod(x.shape[1:]))), dtype) for x in parts]
    return keras.ops.concatenate(flat, axis=1)


def answer(output: Any, outputs: str, task: Task, names: LayerNames, path: str) -> Any:
    """The answer of the task [N, outputs] in float32 from what a model gives.

    Raises:
        ConfigError: it does not fit.
    """
    import keras

    given = _one(output, task, path)
    rank = len(given.shape)
    if outputs == "features":
        features = given if rank == 2 else keras.layers.Flatten(name=names("features"))(given)
        return task.head(features, names)
    if rank == 1:
        given = keras.ops.expand_dims(given, -1)
    if tuple(given.shape[1:]) == (2,) and task.outputs == 1 and task.class_texts:
        last = keras.layers.Softmax(dtype="float32", name=names("softmax"))(given) if outputs == "logits" else given
        return keras.layers.Identity(dtype="float32", name=names(task.output))(last[:, 1:2])
    if tuple(given.shape[1:]) != (task.outputs,):
        raise ConfigError(
            f"{path} gives {list(given.shape)}",
            f"[None, {task.outputs}] for the {task.kind} task" + _classes(task),
            f"end it with a layer of {task.outputs} units (the parameter 'outputs' has that number), or say that it "
            "gives features: outputs='features'",
        )
    if outputs == "logits":
        return task.finishing(names(task.output))(given)
    return keras.layers.Identity(dtype="float32", name=names(task.output))(given)


def _one(output: Any, task: Task, path: str) -> Any:
    """The one output that answers the task."""
    if isinstance(output, Mapping):
        chosen = output.get(task.output, next(iter(output.values())) if len(output) == 1 else None)
        if chosen is not None:
            return chosen
    elif not isinstance(output, list | tuple):
        return output
    elif len(output) == 1:
        return output[0]
    given = ", ".join(map(str, output)) if isinstance(output, Mapping) else f"{len(output)} outputs in a list"
    raise ConfigError(
        f"{path} gives {given}",
        f"one tensor, or a dict in which {task.output!r} answers the {task.kind} task",
        f"name that output {task.output!r}",
    )


def told(encoded: Sequence[EncodedTensor]) -> str:
    """Names, shapes and dtypes of the data, in words."""
    return ", ".join(f"{t.name} {t.dtype} {[None, *t.shape]}" for t in encoded)


def _inputs_told(declared: Sequence[Any]) -> str:
    return ", ".join(f"{i.name} {i.dtype} {list(i.shape)}" for i in declared)


def _classes(task: Task) -> str:
    return f" with the classes {', '.join(task.class_texts[:12])}" if task.class_texts else ""
