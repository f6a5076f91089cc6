"""Who may read what is written into a store: its owner alone, unless ``$KILNWORKS_STORE_ACCESS`` says otherwise."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import ConfigError

ACCESS_VARIABLE = "KILNWORKS_STORE_ACCESS"
UMASKS = {"owner": 0o077, "group": 0o007}
"""``system`` leaves the process its own."""


@contextmanager
def private_files() -> Iterator[None]:
    """While the block runs, new files are 0600 and folders 0700, those that are being written too.

    With ``group`` 0660 and 0770; with ``system`` as the process makes them elsewhere. For the whole process.

    Raises:
        ConfigError: the variable holds another word.
    """
    access = os.environ.get(ACCESS_VARIABLE) or "owner"
    if access not in (*UMASKS, "system"):
        raise ConfigError(f"${ACCESS_VARIABLE} is {access!r}", "owner, group or system", "correct the variable")
    if access == "system":
        yield
        return
    before = os.umask(UMASKS[access])
    try:
        yield
    finally:
        os.umask(before)
