"""Giving memory back to the system after a large request."""

import ctypes
import ctypes.util

LARGE_BYTES = 8 * 1024 * 1024
"""Requests above this size are worth the milliseconds that giving back takes."""


def _find_trim() -> "ctypes._NamedFuncPointer | None":
    """The C library's ``malloc_trim``; None where it has none."""
    name = ctypes.util.find_library("c")
    try:
        trim = ctypes.CDLL(name).malloc_trim
    except (OSError, AttributeError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return trim


_TRIM = _find_trim()


def release_free_memory() -> None:
    """Return what was freed to the system: the allocator would keep it for each thread, and a server has many."""
    if _TRIM is not None:
        _TRIM(0)
