"""The versions of a model below its base path, and the ledger that never forgets a number.

::

    STORE/serving/churn/          the base path, which a model server watches
        1/ 2/ 3/                  published versions: finished directories, never changed
        .stage-4/                 being copied, or left by a killed process; servers ignore names that are no numbers
        .versions.json            the ledger, see kilnworks.schemas.published
        .lock                     held by the one process that publishes or deletes
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from kilnworks.schemas.errors import DeployFailed
from kilnworks.schemas.files import write_json
from kilnworks.schemas.locks import Held, exclusive
from kilnworks.schemas.published import LEDGER, LOCK, ledger, published

STAGE = ".stage-"


def reserve(base: Path, entry: dict[str, Any]) -> int:
    """Take the next number, durably, before anything is published under it.

    One more than was ever used, also by versions that were deleted, or put there by other means. Needs the lock.
    """
    known = ledger(base)
    version = max([known["highest"], *published(base)]) + 1
    known = {"highest": version, "published": [*known["published"], {"version": version, **entry}]}
    write_json(base / LEDGER, known, durable=True)
    return version


@contextmanager
def locked(base: Path, seconds: float) -> Iterator[None]:
    """Hold the base path against other processes; the system frees it when a holder dies.

    Raises:
        DeployFailed: another process held it for more than ``seconds``.
    """
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(base / LOCK, seconds))
        except Held as error:
            raise DeployFailed(
                f"another deployment has held {base} for more than {seconds:g} s",
                "one deployment of a model at a time",
                "wait for it to end, or look for a process that hangs",
            ) from error
        yield
