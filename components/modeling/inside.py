"""Everything that a Keras model holds, however deep: layers of layers, lists and dicts of them, their attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def inside(model: Any) -> Iterator[Any]:
    """The model, each thing in the attributes of its layers, and of theirs, once."""
    import keras

    seen: set[int] = set()
    todo: list[Any] = [model]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, keras.layers.Layer):
            todo += vars(one).values()
        elif isinstance(one, Mapping):
            todo += one.values()
        elif isinstance(one, list | tuple):
            todo += one
