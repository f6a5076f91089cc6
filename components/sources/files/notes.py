"""What a person should know about the data and that is no error: said once, on standard error, by every command."""

from __future__ import annotations

import logging
from functools import cache

LOG = logging.getLogger("kilnworks.data")


@cache
def say(text: str) -> None:
    """Log a warning, once in a process however often the data are opened."""
    LOG.warning(text)
