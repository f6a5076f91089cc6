"""Processes that end by a signal say which one, and where they were."""

import faulthandler
import os
import signal
import sys
from contextlib import suppress

FATAL = "Fatal Python error: "
"""How the first line begins of what ``faulthandler`` writes."""


def show_crashes() -> None:
    """Have the stacks of all threads written to standard error where a library ends the process.

    That is ``faulthandler`` of Python's library, for SIGSEGV, SIGFPE, SIGABRT, SIGBUS and SIGILL. It writes to a
    descriptor of its own, since ``logs.notes_held_back`` turns the other one away while TensorFlow is imported. Nothing
    is done where it is on already (``PYTHONFAULTHANDLER``, pytest), or where there is no standard error.
    """
    errors = sys.__stderr__
    if faulthandler.is_enabled() or errors is None:
        return
    with suppress(OSError, ValueError):  # it has been closed
        faulthandler.enable(os.dup(errors.fileno()))


def ending(code: int) -> str:
    """How a process ended, by its exit code as ``subprocess`` has it: negative for the number of a signal.

    >>> ending(3), ending(-11), ending(-40)
    ('exit code 3', 'signal SIGSEGV', 'signal 40')
    """
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):  # real-time signals have no names
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"
