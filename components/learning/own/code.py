"""What a user's own code may take over in a training: loss, metrics, optimizer, callbacks, batches. Imports nothing."""

from __future__ import annotations

from typing import Literal

from kilnworks.schemas.code import Code
from kilnworks.schemas.config import Config


class OwnCode(Config):
    """Parts of the training by ``"my_project.module:name"``: a class, a function, or an object."""

    loss: Code | None = None
    """Loss instead of that of the task: a function ``f(y_true, y_pred)``, or a Keras loss, or what makes one from
    ``options``. ``val_loss`` is measured by it too."""
    metrics: tuple[Code, ...] = ()
    """Keras metrics, or functions ``f(y_true, y_pred)``, besides those of the task; measured on training and on
    validation rows, and to be monitored by their names."""
    callbacks: tuple[Code, ...] = ()
    """Keras callbacks; they run after the validation: ``val_...`` is in their logs. One with ``key``, ``state()``
    and ``resume(state)`` keeps its memory when a killed run goes on; others start anew."""
    data: Code | None = None
    """Batches for training instead of the rows in random order: a ``tf.data.Dataset``, a ``keras.utils.PyDataset`` or
    an iterable of ``(x, y)`` or ``(x, y, weights)``, or a function that makes one. It is called with those of these
    that it has parameters for: ``x`` (encoded arrays by name), ``y``, ``batch``, ``epoch`` (from 0), ``seed``,
    ``files`` (the shards of the training split)."""
    steps_per_epoch: int | None = None
    """Batches of an epoch, for ``data`` that does not know its length."""
    monitor_mode: Literal["auto", "min", "max"] = "auto"
    """Whether ``monitor`` should become small or large; to be said where it is a number of one's own."""

    def codes(self) -> tuple[Code, ...]:
        """Every piece of code that is set."""
        single = (code for code in (self.loss, self.data) if code is not None)
        return (*single, *self.metrics, *self.callbacks)
