"""What an inference or management call answers when it fails: a canonical status code and a text.

The texts are part of the contract (clients and tests match on them), so they are written where they are raised.
"""

import logging

from kilnworks_client.codes import RETRY_AFTER, Code

__all__ = [
    "LONGEST_REST_TEXT",
    "LONGEST_TEXT",
    "RETRY_AFTER",
    "Busy",
    "Code",
    "ServingError",
    "TooLarge",
    "cut",
    "deadline_exceeded",
    "expected",
    "failed_precondition",
    "invalid_argument",
    "not_found",
    "unavailable",
    "unimplemented",
]

_LOG = logging.getLogger(__name__)

LONGEST_TEXT = 1024
"""Characters of an error that gRPC sends, as in TensorFlow Serving."""
LONGEST_REST_TEXT = 8192
"""Characters of an error that REST sends; TensorFlow Serving echoes whatever was sent."""


class ServingError(Exception):
    """A request that is answered with an error.

    Args:
        code: the canonical status code; gRPC sends it as it is, REST maps it to an HTTP status.
        text: the message, sent to the client word for word (gRPC cuts it at 1024 characters, REST at 8192).
    """

    def __init__(self, code: Code, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(f"{code.name}: {text}")


class Busy(ServingError):
    """A request for which there is no place now, and may be one soon: RESOURCE_EXHAUSTED, and 503 over REST."""

    def __init__(self, text: str) -> None:
        super().__init__(Code.RESOURCE_EXHAUSTED, text)


class TooLarge(ServingError):
    """A request that takes more than one request may: RESOURCE_EXHAUSTED, and 413 over REST."""

    def __init__(self, text: str) -> None:
        super().__init__(Code.RESOURCE_EXHAUSTED, text)


def invalid_argument(text: str) -> ServingError:
    """The request itself is wrong."""
    return ServingError(Code.INVALID_ARGUMENT, text)


def not_found(text: str) -> ServingError:
    """The model, the version or the signature is not there."""
    return ServingError(Code.NOT_FOUND, text)


def failed_precondition(text: str) -> ServingError:
    """The request is well formed, but the server's state does not allow it."""
    return ServingError(Code.FAILED_PRECONDITION, text)


def unimplemented(text: str) -> ServingError:
    """The server does not do this."""
    return ServingError(Code.UNIMPLEMENTED, text)


def unavailable(text: str) -> ServingError:
    """The server cannot do this now; a later try may succeed."""
    return ServingError(Code.UNAVAILABLE, text)


def deadline_exceeded(text: str = "Timed out waiting for notification") -> ServingError:
    """The request's time was over before its result was there."""
    return ServingError(Code.DEADLINE_EXCEEDED, text)


def expected(error: Exception, doing: str) -> ServingError:
    """An error as a request is answered with it: one that nobody expected is logged, and INTERNAL."""
    if isinstance(error, ServingError):
        return error
    _LOG.error(doing, exc_info=error)
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """An error text as it is sent, with a mark where it was cut."""
    return text if len(text) <= longest else text[:longest] + "...TRUNCATED"
