"""Callbacks of the user that would work against the training's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from kilnworks.components.learning.settings import FitSettings
from kilnworks.schemas.errors import ConfigError

LOG = logging.getLogger(__name__)


def refuse_two_schedules(settings: FitSettings, callbacks: Sequence[Any]) -> None:
    """Raise where a callback would set a learning rate that a schedule decides."""
    setters = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
    for callback in callbacks if settings.schedule else ():
        if isinstance(callback, setters):
            raise ConfigError(
                f"schedule, and the callback {type(callback).__name__}",
                "one that decides the learning rate: that of a schedule cannot be set",
                "leave one of them out",
            )


def without_old_backups(callbacks: Sequence[Any]) -> None:
    """Delete what ``BackupAndRestore`` kept of an earlier run or phase: our own backup decides where to go on.

    That one holds more, and two that differ by an epoch would mix two states. Other files in its folder stay.
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            LOG.warning(
                "BackupAndRestore runs, but is not asked where to go on: every training has a backup, with more"
            )
            for name in ("latest.weights.h5", "training_metadata.json"):
                for kept in (name, f"{name}.bkp"):
                    (Path(str(callback.backup_dir)) / kept).unlink(missing_ok=True)
