"""REST as a channel: what ``grpc.Channel`` does for the client, over HTTP/1.1 and the standard library.

Connections are kept and used again, one a call at a time; a call may come from any thread.
"""

import asyncio
import http.client
import json
import ssl
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import grpc

from kilnworks_client import messages
from kilnworks_client.codes import RETRY_AFTER, Code
from kilnworks_client.errors import ConfigError
from kilnworks_client.options import Tls
from kilnworks_client.rest_json import METHODS, Misfit

_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.ABORTED,
    412: Code.FAILED_PRECONDITION,
    413: Code.RESOURCE_EXHAUSTED,
    429: Code.RESOURCE_EXHAUSTED,
    431: Code.INVALID_ARGUMENT,
    499: Code.CANCELLED,
    500: Code.INTERNAL,
    501: Code.UNIMPLEMENTED,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}
_TOO_LARGE = 413
_METADATA_SECONDS = 60.0
"""How long the dtypes of a model's outputs are remembered."""
_ASYNC_CALLS = 32
"""Calls of an ``AsyncClient`` that are on their way at a time, each in a thread."""
_AT_ONCE = 1 << 16


class Refused(grpc.RpcError):
    """A call that failed, told as gRPC tells it."""

    def __init__(self, code: Code, text: str, final: bool = False) -> None:
        super().__init__(text)
        self._code, self._text, self._final = code, text, final

    def code(self) -> grpc.StatusCode:
        """The canonical status code."""
        return grpc.StatusCode[self._code.name]

    def details(self) -> str:
        """What the server said."""
        return self._text

    def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        """Whether trying again is of no use."""
        return ((RETRY_AFTER, "-1"),) if self._final else ()


class RestChannel:
    """A channel to ``http://host:port`` or ``https://host:port``, with a path in front of ``/v1`` if there is one.

    Args:
        url: of the server.
        tls: for https; None = the system's roots.

    Raises:
        ConfigError: an address that is none, or certificates for plain http.
    """

    def __init__(self, url: str, tls: Tls | None) -> None:
        self._url = _address(url, tls)
        self._trust = _trust(tls) if self._url.scheme == "https" else None
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._signatures: dict[tuple[str, str], tuple[float, Mapping[str, Any]]] = {}

    def unary_unary(self, path: str, request_serializer: Any = None, response_deserializer: Any = None) -> Any:
        """The method of that name; the serializers are those of gRPC and are not needed here."""
        return partial(self._call, path)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _call(self, path: str, request: Any, timeout: float, metadata: tuple[tuple[str, str], ...] = ()) -> Any:
        """One call. Raises ``Refused``."""
        ask = partial(self._ask, dict(metadata), time.monotonic() + timeout)
        try:
            return METHODS[path](ask, partial(self._told, ask), request)
        except Misfit as error:
            self._signatures.clear()
            raise Refused(Code.UNAVAILABLE, f"the answer does not fit the model's metadata: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Refused(Code.UNKNOWN, f"what answers is no model server: {type(error).__name__}: {error}") from error

    def _told(self, ask: Callable[..., Any], spec: Any) -> Mapping[str, Any]:
        """Signatures of the version that a spec means, read again after a minute."""
        key = (spec.name, f"{spec.WhichOneof('version_choice')} {spec.version.value} {spec.version_label}")
        known = self._signatures.get(key)
        if known is None or time.monotonic() - known[0] > _METADATA_SECONDS:
            request = messages.GetModelMetadataRequest(model_spec=spec)
            answer = METHODS["/tensorflow.serving.PredictionService/GetModelMetadata"](ask, dict, request)
            found = messages.SignatureDefMap.FromString(answer.metadata["signature_def"].value).signature_def
            known = self._signatures[key] = (time.monotonic(), dict(found))
        return known[1]

    def _ask(self, headers: dict[str, str], deadline: float, method: str, path: str, body: Any = None) -> Any:
        """One exchange. Raises ``Refused`` for every status but 200, and where nothing answers in time."""
        raw = None if body is None else json.dumps(body).encode()
        try:
            status, text = self._exchange(method, self._url.path + path, raw, headers, deadline)
        except TimeoutError:
            raise Refused(Code.DEADLINE_EXCEEDED, "no answer in time") from None
        except (OSError, http.client.HTTPException) as error:
            final = isinstance(error, ssl.SSLCertVerificationError)
            raise Refused(Code.UNAVAILABLE, f"{type(error).__name__}: {error}", final) from error
        if status == http.client.OK:
            return json.loads(text)
        raise Refused(_CODES.get(status, Code.UNKNOWN), _said(status, text), status == _TOO_LARGE)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], deadline: float
    ) -> tuple[int, str]:
        """Status and text. A connection that was kept may have been closed meanwhile: then by the next one."""
        while True:
            connection, kept = self._connection(deadline)
            try:
                connection.request(method, path, body, {"Content-Type": "application/json", **headers})
                answer = connection.getresponse()
                text = _read(connection, answer, deadline)
            except ConnectionError:
                connection.close()
                if not kept:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                if connection.sock is not None:
                    self._idle.append(connection)
                return answer.status, text

    def _connection(self, deadline: float) -> tuple[http.client.HTTPConnection, bool]:
        """A connection and whether it has been used before."""
        left = _left(deadline)
        try:
            connection = self._idle.pop()
        except IndexError:
            host, port = self._url.hostname or "", self._url.port
            if self._trust is not None:
                return http.client.HTTPSConnection(host, port, timeout=left, context=self._trust), False
            return http.client.HTTPConnection(host, port, timeout=left), False
        connection.sock.settimeout(left)
        return connection, True


class AsyncRestChannel:
    """The same for asyncio; a call that is cancelled ends by its timeout."""

    def __init__(self, url: str, tls: Tls | None) -> None:
        self._channel = RestChannel(url, tls)
        self._threads = ThreadPoolExecutor(_ASYNC_CALLS, "kilnworks-client")

    def unary_unary(self, path: str, request_serializer: Any = None, response_deserializer: Any = None) -> Any:
        """The method of that name, awaited."""
        method = self._channel.unary_unary(path)

        async def later(request: Any, **given: Any) -> Any:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(method, request, **given))

        return later

    async def close(self) -> None:
        """Wait for the calls that are on their way, and close."""
        await asyncio.to_thread(self._threads.shutdown)
        self._channel.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _read(connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, deadline: float) -> str:
    """The whole body, within the time that is left: a server may send it drop by drop."""
    sock, parts = connection.sock, list[bytes]()
    while True:
        if sock is not None:
            sock.settimeout(_left(deadline))
        part = answer.read1(_AT_ONCE)
        if not part:
            answer.close()  # so that the connection takes the next request
            return b"".join(parts).decode("utf-8", "surrogateescape")
        parts.append(part)


def _said(status: int, text: str) -> str:
    """The error in a body; of a proxy that answers with a page, its beginning."""
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}: {text[:200]}"


def _address(url: str, tls: Tls | None) -> SplitResult:
    try:
        found = urlsplit(url.rstrip("/"))
        right = bool(found.hostname) and (found.port is None or found.port > 0)
    except ValueError:
        right = False
    if not right or found.query or found.fragment or found.username:
        raise ConfigError(f"the address {url!r}", "http://HOST:PORT or https://HOST:PORT", "mend the address")
    if tls is not None and found.scheme == "http":
        raise ConfigError(f"certificates for {url!r}", "an address with https://", "write https, or leave them out")
    return found


def _trust(tls: Tls | None) -> ssl.SSLContext:
    """Raises ``ConfigError`` for PEM that cannot be read."""
    try:
        roots = None if tls is None or tls.roots is None else tls.roots.decode("ascii")
        trust = ssl.create_default_context(cadata=roots)
        if tls is not None and tls.certificate is not None:
            with tempfile.TemporaryDirectory() as folder:  # for its owner alone; ssl reads a key from files only
                certificate, key = Path(folder, "certificate"), Path(folder, "key")
                certificate.write_bytes(tls.certificate)
                key.write_bytes(tls.key or b"")
                trust.load_cert_chain(certificate, key)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"PEM that cannot be read ({error})", "certificates and a key that fit", "check the files"
        ) from error
    return trust
