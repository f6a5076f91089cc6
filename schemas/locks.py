"""Locks between processes: held through an open file, freed by the system when a holder dies, however it dies.

``flock`` on Linux and macOS. A lock holds within one machine (decision 119); the file stays, empty, for the next.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

POLL_SECONDS = 0.05
"""How often a lock that somebody holds is tried again."""


class Held(TimeoutError):
    """Somebody else held a lock for longer than was to be waited."""


@contextmanager
def exclusive(path: Path, seconds: float | None = None) -> Iterator[None]:
    """Hold the lock of ``path`` for the block, alone among all processes and threads.

    Args:
        path: the lock's file, made where there is none; its folder exists.
        seconds: longest time to wait for others; None = as long as it takes.

    Raises:
        Held: the time is over.
        OSError: the file cannot be made or opened.
    """
    with path.open("a") as file:
        if seconds is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _take(file, path, time.monotonic() + seconds)
        yield


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock of ``path`` now; False where there is no such file."""
    if not path.is_file():
        return False
    with path.open("r") as file:
        return not try_to_hold(file, shared=True)


def try_to_hold(file: IO[str], *, shared: bool = False) -> bool:
    """Take the lock of an open file until that is closed, alone or beside other ``shared`` holders; False where held.

    Whoever inherits the descriptor holds it as well.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take(file: IO[str], path: Path, end: float) -> None:
    while not try_to_hold(file):
        if time.monotonic() >= end:
            raise Held(f"{path} is held by another process")
        time.sleep(POLL_SECONDS)
