"""Lines of a log without secrets, in which a name from a person's data can neither start a line nor move the cursor."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kilnworks.schemas.masking import masked
from kilnworks.schemas.words import printable


def make_safe(logger: logging.Logger) -> None:
    """Let every handler that the logger has now write safe lines, in the form that it has."""
    for handler in logger.handlers:
        if not isinstance(handler.formatter, SafeFormatter):
            handler.setFormatter(SafeFormatter(handler.formatter or logging.Formatter()))


class SafeFormatter(logging.Formatter):
    """Formats as ``inner`` does; texts among the arguments stay in one line, tracebacks keep theirs."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        if record.args:
            record = logging.makeLogRecord({**record.__dict__, "args": _in_one_line(record.args)})
        return printable(masked(self._inner.format(record)))


def _in_one_line(args: Any) -> Any:
    if isinstance(args, dict):
        return {name: _escaped(value) for name, value in args.items()}
    return tuple(_escaped(value) for value in args) if isinstance(args, tuple) else args


def _escaped(value: Any) -> Any:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in value) if isinstance(value, str) else value


@contextmanager
def notes_held_back(notes: re.Pattern[bytes]) -> Iterator[None]:
    """Hold back what C++ writes to file descriptor 2 while the block runs; then pass on all lines but the notes.

    For libraries that write before any of their settings is read, or that have none. Of the whole process: keep it
    short.
    """
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if not notes.match(line):
                    os.write(2, line)
