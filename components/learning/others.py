"""Callbacks of the user that would work against the training's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any

import keras

from components.learning.settings import FitSettings
from schemas.errors import ConfigError

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
    """Delete what ``BackupAndRestore`` kept of an earlier run: where to go on is decided by the training's own backup.

    That one holds more, and two that differ by an epoch would mix two states.
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            LOG.warning(
                "BackupAndRestore runs, but is not asked where to go on: every training has a backup, with more"
            )
            rmtree(Path(str(callback.backup_dir)), ignore_errors=True)
