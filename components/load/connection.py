"""One HTTP connection of a load run, as thin as asyncio allows: what is measured is to be the server."""

import asyncio


class RestConnection(asyncio.Protocol):
    """One keep-alive connection that sends the same bytes again and again."""

    def __init__(self, host: str, port: int, request: bytes, timeout_seconds: float) -> None:
        self._host, self._port, self._request, self._timeout = host, port, request, timeout_seconds
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[str] | None = None
        self._buffer = b""

    async def send(self) -> str:
        """Send and wait for the answer: "" or what went wrong."""
        loop = asyncio.get_running_loop()
        try:
            if self._transport is None:
                self._transport, _ = await loop.create_connection(lambda: self, self._host, self._port)
        except OSError:
            return "connection"
        self._answer = loop.create_future()
        timer = loop.call_later(self._timeout, self._finish, "timeout")
        self._transport.write(self._request)
        try:
            return await self._answer
        finally:
            timer.cancel()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes of an answer."""
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        place = head.find(b"content-length:")
        length = int(head[place + 15 :].split(b"\r", 1)[0]) if place >= 0 else 0
        if len(self._buffer) >= head_end + 4 + length:
            status = self._buffer[9:12].decode("ascii", "replace")
            self._buffer = b""
            if b"connection: close" in head:
                self.close()
            self._finish("" if status == "200" else status)

    def connection_lost(self, _error: Exception | None) -> None:
        """asyncio: the server hung up."""
        self._transport = None
        self._finish("connection")

    def _finish(self, problem: str) -> None:
        if problem == "timeout":
            self.close()
        if self._answer is not None and not self._answer.done():
            self._buffer = b""
            self._answer.set_result(problem)
