"""Callbacks with a memory, which belongs in the backup: a killed run goes on with the patience that it had left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import keras


@runtime_checkable
class Resumable(Protocol):
    """A callback whose memory belongs in the backup."""

    key: str
    """Name of its state in the backup."""

    def state(self) -> dict[str, Any]:
        """Its memory; JSON-serializable."""
        ...

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take the memory back, after ``on_train_begin``."""
        ...


OF_KERAS: dict[type, tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch", "stopped_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: ("best",),
}
"""What Keras's own callbacks remember from one epoch to the next, where a user gives them."""


class OfKeras:
    """``Resumable`` around one of Keras's callbacks that a user gives."""

    def __init__(self, callback: Any, place: int, remembered: Sequence[str]) -> None:
        """``place``: among the callbacks, so that two of a class are told apart."""
        self.key = f"{type(callback).__name__}_{place}"
        self._callback, self._remembered = callback, remembered

    def state(self) -> dict[str, Any]:
        """The remembered attributes."""
        return {name: _plain(getattr(self._callback, name)) for name in self._remembered}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Set the remembered attributes."""
        for name in self._remembered:
            setattr(self._callback, name, state[name])


def resumable(callbacks: Sequence[Any]) -> list[Resumable]:
    """Those of the callbacks with a memory."""
    found: list[Resumable] = []
    for place, callback in enumerate(callbacks):
        if isinstance(callback, Resumable):
            found.append(callback)
        else:
            found += [OfKeras(callback, place, names) for kind, names in OF_KERAS.items() if isinstance(callback, kind)]
    return found


class Attributes:
    """``Resumable`` for a Keras callback whose memory is a few plain attributes."""

    key: str
    remembered: tuple[str, ...]

    def state(self) -> dict[str, Any]:
        """The remembered attributes."""
        return {name: _plain(getattr(self, name)) for name in self.remembered}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Set the remembered attributes."""
        for name in self.remembered:
            setattr(self, name, state[name])


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else float(value)
