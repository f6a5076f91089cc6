"""What the tensors of requests may take: counted from dtypes and shapes before anything is allocated.

A message of a few bytes may stand for gigabytes: one value and a shape (the value is repeated), or one context in
front of many Examples. A number takes the bytes of its dtype, a text what Python and TensorFlow keep of it.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kilnworks.components.serving.errors import TooLarge, unavailable
from kilnworks.components.serving.wire.message_parts import WALKED_BYTES, parts_needed

MEBIBYTE = 2**20
DEFAULT_REQUEST_BYTES = 512 * MEBIBYTE
TEXT_BYTES = 64
"""What a text takes beside its bytes: an object and a pointer to it, and a string of TensorFlow."""
_REQUESTS_AT_A_TIME = 4
"""The tensors of all requests that run may take so many times what those of one may."""
UNCOUNTED_BYTES = MEBIBYTE - 1
"""Requests up to this size are not counted together: as many as the server has threads do not matter."""
_NOTHING = contextlib.nullcontext()


@dataclass
class TensorBudget:
    """Bytes of the tensors of one request, and of all that run at a time.

    Attributes:
        request_bytes: of one request.
        refused: told why, when a request is refused: ``"message"``, ``"tensors"`` or ``"memory"``.
    """

    request_bytes: int = DEFAULT_REQUEST_BYTES
    refused: Callable[[str], None] = lambda reason: None
    _used: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, size: int) -> None:
        """Refuse a request whose tensors take more than one may. Raises ``TooLarge``."""
        if size > self.request_bytes:
            self.refused("tensors")
            raise too_large("The tensors of the request take", size, self.request_bytes)

    def hold(self, size: int) -> contextlib.AbstractContextManager[None]:
        """Reserve what a request takes while it runs.

        Raises:
            TooLarge: it is more than one request may take.
            ServingError: UNAVAILABLE when the requests that run take too much together.
        """
        if size <= UNCOUNTED_BYTES and size <= self.request_bytes:
            return _NOTHING
        self.check(size)
        return self._held(size)

    def hold_message(self, data: bytes, descriptor: Any) -> contextlib.AbstractContextManager[None]:
        """Reserve what a serialized message takes beside its bytes once it is parsed; raises as ``hold`` does."""
        if len(data) <= WALKED_BYTES:
            return _NOTHING
        size = parts_needed(data, descriptor, self.request_bytes)
        if size > self.request_bytes:
            self.refused("message")
            raise too_large("The parts of the message take at least", size, self.request_bytes)
        return self.hold(size)

    @contextlib.contextmanager
    def _held(self, size: int) -> Iterator[None]:
        with self._lock:
            fits = self._used + size <= _REQUESTS_AT_A_TIME * self.request_bytes
            self._used += size if fits else 0
        if not fits:
            self.refused("memory")
            raise unavailable("The requests that run take all memory that requests may take: try again later")
        try:
            yield
        finally:
            with self._lock:
                self._used -= size


def too_large(what: str, size: int, limit: int) -> TooLarge:
    """The answer to a request that takes more than it may; ``what`` ends with a verb."""
    mebibytes = limit / MEBIBYTE
    return TooLarge(f"{what} {size} bytes, of at most {limit} (--max_request_mb={mebibytes:g})")


def texts_needed(texts: Sequence[bytes], in_front: int = 0) -> int:
    """Bytes that texts take, each with so many bytes in front."""
    return sum(map(len, texts)) + len(texts) * (TEXT_BYTES + in_front)
