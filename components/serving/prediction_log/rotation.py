"""How much a prediction log may hold: the oldest finished files go, by their age and by the size of all together.

Files that are being written count too, for what they hold or, the own one, for what it may come to hold.
"""

import contextlib
import logging
import time
from pathlib import Path

FINISHED = "predictions-*.tfrecord"
UNFINISHED = ".predictions-*.partial"
_DAY_SECONDS = 86_400.0

log = logging.getLogger(__name__)


def rotate(folder: Path, max_total_bytes: int, max_age_seconds: float) -> int:
    """Delete finished files beyond either bound, oldest first, and what a killed server left unfinished for a day.

    Args:
        folder: of the log.
        max_total_bytes: of all files, those that other servers are writing included.
        max_age_seconds: since the last change of a finished file.

    Returns:
        Number of finished files that were deleted.
    """
    now, deleted = time.time(), 0
    held = _sweep(folder, now)
    for path, size, changed in sorted(_files(folder, FINISHED), key=lambda file: (file[2], file[0].name), reverse=True):
        held += size
        if held > max_total_bytes or now - changed > max_age_seconds:
            with contextlib.suppress(OSError):
                path.unlink()
                deleted += 1
    return deleted


def _sweep(folder: Path, now: float) -> int:
    """Delete what a killed server left unfinished; bytes of what is still being written."""
    held = 0
    for path, size, changed in _files(folder, UNFINISHED):
        if now - changed > _DAY_SECONDS:
            with contextlib.suppress(OSError):
                path.unlink()
        else:
            held += size
    return held


def _files(folder: Path, pattern: str) -> list[tuple[Path, int, float]]:
    """Path, bytes and time of the last change of each file that matches; one that goes meanwhile is left out."""
    found = []
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            told = path.stat()
            found.append((path, told.st_size, told.st_mtime))
    return found
