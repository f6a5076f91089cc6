"""What the operating system refuses (permissions, a full or read-only disk), in words that say what to do."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kilnworks.schemas.errors import KilnworksError, StoreError

SMALLEST_WRITE = 2**14
"""Bytes below which a device counts as full."""


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turn the operating system's refusals into a ``StoreError`` that says what to do."""
    try:
        yield
    except PermissionError as error:
        raise StoreError(
            f"{error.filename or root}: permission denied",
            "a readable source and a writable store",
            "change the permissions, or choose another store with --store",
        ) from error
    except OSError as error:
        reasons = {
            errno.ENOSPC: "no space left on the device",
            errno.EROFS: "the file system is read-only",
            errno.EDQUOT: "the disk quota is used up",
        }
        if error.errno not in reasons:
            raise StoreError(
                f"{error.filename or root}: {error.strerror or error}",
                "a usable store folder",
                "choose another with --store",
            ) from error
        raise _cannot_write(root, reasons[error.errno]) from error
    except KilnworksError:
        raise
    except Exception as error:  # libraries word a failed write in their own way: the device is asked, not the text
        if "No space left on device" not in str(error) and not _is_full(root):
            raise
        raise _cannot_write(root, "no space left on the device") from error


def _cannot_write(root: Path, reason: str) -> StoreError:
    return StoreError(
        f"cannot write to the store {root}: {reason}",
        "free space for the artifacts",
        "free some, or choose another store with --store; finished steps are kept",
    )


def _is_full(root: Path) -> bool:
    """Whether what is left on the device of ``root`` is less than one write of a library."""
    with suppress(OSError):
        return shutil.disk_usage(root).free < SMALLEST_WRITE
    return False
