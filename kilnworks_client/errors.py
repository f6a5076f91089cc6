"""Everything that the client raises on purpose.

::

    ClientError
    + ConfigError         an address or an option is wrong; nothing was asked
    + RequestInvalid      the request makes no sense, or the server refused it
    + ServerUnavailable   no server answers, or not in time; the same call may succeed later

Every message says what was got, what was wanted, and what to do next. ``details["code"]`` is the word of the canonical
status code that the server sent, e.g. ``NOT_FOUND``.
"""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of every error of the client.

    Args:
        got: what was found.
        wanted: what should have been there.
        fix: what the reader can do about it.
        details: values for programs.
    """

    retry_helps = False
    """Whether the same call may succeed later with nothing changed by a person."""

    def __init__(self, got: str, wanted: str = "", fix: str = "", details: Mapping[str, Any] | None = None) -> None:
        self.got, self.wanted, self.fix = got, wanted, fix
        self.details: dict[str, Any] = dict(details or {})
        wanted_text = f"\n  wanted: {wanted}" if wanted else ""
        fix_text = f"\n  to do:  {fix}" if fix else ""
        super().__init__(f"{got}{wanted_text}{fix_text}")

    def __reduce__(self) -> tuple[Any, ...]:
        """An error goes to another process as it is."""
        return type(self), (self.got, self.wanted, self.fix, self.details)


class ConfigError(ClientError):
    """An address or an option is wrong; nothing was asked."""


class RequestInvalid(ClientError):
    """The values make no request, or the server refused it."""


class ServerUnavailable(ClientError):
    """No model server answers, or not within the deadline."""

    retry_helps = True
