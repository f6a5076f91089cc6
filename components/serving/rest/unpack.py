"""Bodies that come compressed: unpacked piece by piece, within what one request and all together may take."""

import zlib

from kilnworks.components.serving.errors import TooLarge, invalid_argument, unavailable
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import Request
from kilnworks.components.serving.wire.tensor_budget import too_large

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 1024 * 1024


class Unpacking:
    """The body of a gzip request as it grows."""

    def __init__(self, request: Request, limits: Limits) -> None:
        self._request, self._limits = request, limits
        self._unzip = zlib.decompressobj(_GZIP)
        self._rest: bytes | memoryview = request.body
        self._pieces: list[bytes] = []
        self._size = 0

    def body(self, most: int | None = None) -> bytes | None:
        """The whole body, or None once more than ``most`` bytes are unpacked: a further call goes on.

        Raises:
            TooLarge: it is larger than a body may be, or than so few bytes may stand for.
            ServingError: INVALID_ARGUMENT for what is not gzip; UNAVAILABLE when all bodies together take too much.
        """
        while not self._unzip.eof:
            self._append(self._piece())
            if most is not None and self._size > most:
                return None
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _piece(self) -> bytes:
        try:
            piece = self._unzip.decompress(self._rest, _PIECE)
        except zlib.error as error:
            raise invalid_argument(f"Unable to uncompress the gzip request body: {error}") from None
        self._rest = self._unzip.unconsumed_tail
        if not piece and not self._unzip.eof:
            raise invalid_argument("Unable to uncompress the gzip request body: it ends too early")
        return piece

    def _append(self, piece: bytes) -> None:
        self._size += len(piece)
        limits, packed = self._limits, len(self._request.body)
        if self._size > limits.body_bytes:
            raise too_large("The gzip request body unpacks to more than", limits.body_bytes, limits.body_bytes)
        if self._size > max(limits.unpack_free_bytes, limits.unpack_ratio * packed):
            raise TooLarge(
                f"The gzip request body of {packed} bytes unpacks to more than {limits.unpack_ratio} times as many"
            )
        share = self._request.share
        if share is not None and not share.take(len(piece)):
            raise unavailable("The bodies of all requests take all memory that they may take: try again later")
        self._pieces.append(piece)
