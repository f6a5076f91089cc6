"""The files of a prediction log: opened, cut, finished, and kept within what the log may take."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from kilnworks.components.serving.prediction_log.rotation import rotate
from kilnworks.schemas.access import create_private, make_private_folder
from kilnworks.schemas.errors import ConfigError

log = logging.getLogger(__name__)

_FRAME_BYTES = 16
"""What TFRecord puts around a record: its length and two checksums."""


class RecordWriter(Protocol):
    """Writes records to one file; ``tf.io.TFRecordWriter`` is one."""

    def write(self, record: bytes) -> Any:
        """Append one record."""

    def close(self) -> Any:
        """Finish the file."""


@dataclass(frozen=True)
class LogSettings:
    """How much is logged, and how the files are cut.

    Attributes:
        folder: where the files go; made if it is not there.
        sampling_rate: share of the requests, 0 to 1.
        max_file_bytes: a file is finished once it holds so much.
        max_file_seconds: a file is finished at this age.
        queue_records: records that may wait to be written.
        queue_bytes: bytes of tensors, texts included, that may wait to be written.
        max_total_bytes: of all files together, the one that is being written included; the oldest are deleted to
            keep it. No file takes more than half of it, unless a single record does.
        max_age_seconds: a finished file is deleted at this age.
    """

    folder: Path
    sampling_rate: float
    max_file_bytes: int = 64 * 1024 * 1024
    max_file_seconds: float = 300.0
    queue_records: int = 4096
    queue_bytes: int = 64 * 1024 * 1024
    max_total_bytes: int = 1024 * 1024 * 1024
    max_age_seconds: float = 30 * 86_400.0


class RecordTooLarge(Exception):
    """A record that takes more than the whole log may."""


class LogFiles:
    """The file that is open, and when it is finished. Used by one thread alone.

    Args:
        settings: where and how much.
        open_writer: opens a TFRecord file; None = TensorFlow's writer.
    """

    def __init__(self, settings: LogSettings, open_writer: Callable[[Path], RecordWriter] | None) -> None:
        self._settings, self._open_writer = settings, open_writer or _tensorflow_writer
        self._most = min(settings.max_file_bytes, settings.max_total_bytes // 2)
        self._writer: RecordWriter | None = None
        self._path = Path()
        self._size, self._number, self._end = 0, 0, 0.0
        self._records = 0

    def seconds_left(self) -> float | None:
        """Until the open file must be finished; None when none is open."""
        return None if self._writer is None else max(0.001, self._end - time.monotonic())

    def write(self, record: bytes) -> None:
        """Append a record, to a new file if need be."""
        size = len(record) + _FRAME_BYTES
        if size > self._settings.max_total_bytes:
            raise RecordTooLarge(f"a record of {size} bytes is larger than the log, --prediction_log_max_mb")
        if self._writer is not None and (time.monotonic() >= self._end or self._size + size > self._most):
            self.finish()
        if self._writer is None:
            self._open(max(size, self._most))
        assert self._writer is not None
        self._writer.write(record)
        self._records += 1
        self._size += size
        if self._size >= self._most:
            self.finish()

    def finish(self) -> None:
        """Close the open file, if any, and let it appear."""
        if self._writer is None:
            return
        self._writer.close()
        with self._hidden.open("rb") as file:
            os.fsync(file.fileno())
        self._hidden.replace(self._path)
        self._writer = None
        rotate(self._settings.folder, self._settings.max_total_bytes, self._settings.max_age_seconds)

    @property
    def _hidden(self) -> Path:
        """Where the open file is while it is written."""
        return self._path.with_name(f".{self._path.name}.partial")

    def abandon(self) -> int:
        """Delete the file that cannot be written, so that it does not fill the disk; how many records it held."""
        writer, self._writer = self._writer, None
        records, self._records = self._records, 0
        self._hidden.unlink(missing_ok=True)
        try:
            if writer is not None:
                writer.close()
        except Exception as error:
            log.debug("closing a lost prediction log file: %s", error)
        self._hidden.unlink(missing_ok=True)
        return records

    def _open(self, most: int) -> None:
        """Open a file that may come to hold ``most`` bytes, for which older ones make room."""
        rotate(self._settings.folder, self._settings.max_total_bytes - most, self._settings.max_age_seconds)
        self._number += 1
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        name = f"predictions-{stamp}-{os.getpid()}-{self._number:05d}.tfrecord"
        self._path = self._settings.folder / name
        create_private(self._hidden)
        self._writer = self._open_writer(self._hidden)
        self._size = self._records = 0
        self._end = time.monotonic() + self._settings.max_file_seconds


def _tensorflow_writer(path: Path) -> RecordWriter:
    import tensorflow as tf

    writer: RecordWriter = tf.io.TFRecordWriter(str(path))
    return writer


def make_log_folder(folder: Path) -> None:
    """Make the folder, and try whether it can be written. Raises ``ConfigError``."""
    try:
        make_private_folder(folder)
        probe = folder / f".{os.getpid()}.probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"the prediction log folder {folder} cannot be written: {error.strerror}",
            "a folder that this process may write",
            "correct --prediction_log_dir",
        ) from None
