"""Who may read what is written into a store: its owner alone, unless ``$KILNWORKS_STORE_ACCESS`` says otherwise."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kilnworks.schemas.errors import ConfigError

ACCESS_VARIABLE = "KILNWORKS_STORE_ACCESS"
UMASKS = {"owner": 0o077, "group": 0o007}
"""``system`` leaves the process its own."""

_LOCK = threading.Lock()
_inside = 0
"""How many blocks of all threads run; the last of them gives the process its own umask back."""
_before = 0


@contextmanager
def private_files() -> Iterator[None]:
    """While the block runs, new files are 0600 and folders 0700, those that are being written too.

    With ``group`` 0660 and 0770; with ``system`` as the process makes them elsewhere. For the whole process.

    Raises:
        ConfigError: the variable holds another word.
    """
    closed = _closed()
    if closed is None:
        yield
        return
    _enter(closed)
    try:
        yield
    finally:
        _leave()


def _enter(closed: int) -> None:
    global _inside, _before
    with _LOCK:
        _inside += 1
        if _inside == 1:
            _before = os.umask(closed)


def _leave() -> None:
    global _inside
    with _LOCK:
        _inside -= 1
        if _inside == 0:
            os.umask(_before)


def create_private(path: Path) -> None:
    """Make the empty file ``path``, which is then written, with the modes of ``private_files``; for many threads.

    Raises:
        FileExistsError: there is one.
    """
    closed = _closed()
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if closed is None else 0o666 & ~closed)
    try:
        if closed is not None:
            os.fchmod(descriptor, 0o666 & ~closed)  # the umask of the process may be narrower than that of a group
    finally:
        os.close(descriptor)


def make_private_folder(folder: Path) -> None:
    """Make ``folder`` and what it lies in, with the modes of ``private_files``; one that exists keeps its own."""
    closed = _closed()
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(0o777 if closed is None else 0o777 & ~closed, exist_ok=True)
        if closed is not None:
            missing.chmod(0o777 & ~closed)


def _closed() -> int | None:
    """The modes that new files do not get; None where the process's own umask says so."""
    access = os.environ.get(ACCESS_VARIABLE) or "owner"
    if access not in (*UMASKS, "system"):
        raise ConfigError(f"${ACCESS_VARIABLE} is {access!r}", "owner, group or system", "correct the variable")
    return UMASKS.get(access)
