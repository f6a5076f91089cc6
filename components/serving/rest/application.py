"""One HTTP request -> one HTTP answer: paths outside the API, preflights, health, codes, metrics."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from kilnworks.components.serving.batching.turns import Later, waited
from kilnworks.components.serving.errors import (
    LONGEST_REST_TEXT,
    Busy,
    Code,
    ServingError,
    TooLarge,
    cut,
    failed_precondition,
)
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.json_tensors import write
from kilnworks.components.serving.json_tensors.apart import Readers
from kilnworks.components.serving.rest import urls
from kilnworks.components.serving.rest.api import Api
from kilnworks.components.serving.rest.large_lane import LargeLane
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import JSON, TEXT, Request, Response, page
from kilnworks.components.serving.rest.unpack import Unpacking
from kilnworks.components.serving.settings.callers import ANYBODY, Caller
from kilnworks.components.serving.settings.hosts import split_target
from kilnworks.components.serving.settings.options import RestOptions

HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

LARGE_BYTES = 2 * 1024 * 1024
"""Bodies above this size are read in another process, by threads that answer nobody else."""
_METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"})
_INFERENCE = frozenset({"predict", "classify", "regress"})


def _http_status(error: ServingError) -> int:
    if isinstance(error, Busy):
        return 503
    return 413 if isinstance(error, TooLarge) else HTTP_STATUS[error.code]


class Application:
    """The REST interface of an engine, without sockets.

    Args:
        engine: answers.
        options: timeout, CORS, path of the metrics.
        limits: how large an uncompressed body may be.
        metrics_page: text for Prometheus; None = no metrics are served.
        readers: read large bodies elsewhere; None = they are read like others.
        large: where large requests are answered.
    """

    def __init__(
        self,
        engine: Engine,
        options: RestOptions,
        limits: Limits,
        metrics_page: Callable[[], str] | None,
        readers: Readers | None = None,
        large: LargeLane | None = None,
    ) -> None:
        self._engine, self._options, self._limits, self._metrics_page = engine, options, limits, metrics_page
        self._large = large or LargeLane(2)
        self._api = Api(engine, _seconds(options), limits.body_bytes, readers)

    def __call__(self, request: Request) -> Response | Later[Response]:
        """The answer to one request, at once or later. Never raises for what a client can send."""
        if request.method not in _METHODS:
            return page(501)
        _authority, path = split_target(request.target)
        if self._metrics_page is not None and path.partition("?")[0] == self._options.monitoring_path:
            return self._metrics(request, path, self._metrics_page)
        if not urls.is_api(path):
            return page(404)
        if path.startswith("/v1/health/") and request.method in ("GET", "HEAD"):
            health = self._health(path)
            if health is not None:
                return health
        return self._api_request(request, path)

    def _api_request(self, request: Request, path: str) -> Response | Later[Response]:
        """A request to the API: every one is counted, and timed when it succeeds."""
        asked = _Asked(time.perf_counter())
        return self._responded(request, asked, lambda: self._begin(request, path, asked))

    def _begin(self, request: Request, path: str, asked: "_Asked") -> bytes | Later[bytes]:
        """Read a request and run it."""
        if request.method == "OPTIONS":
            _preflight(request)
            return b""
        caller = None if self._options.callers is None else self._caller(request)
        target = urls.parse(request.method, path)
        if caller is not None:
            caller.check(target.name)
        asked.model, asked.api = target.name, target.api if target.api in _INFERENCE else ""
        return self._answer(target, request)

    def _responded(
        self, request: Request, asked: "_Asked", begin: Callable[[], bytes | Later[bytes]]
    ) -> Response | Later[Response]:
        """The answer to what ``begin`` finds, or to its error."""
        code, status = Code.OK, 200
        try:
            body = begin()
            if isinstance(body, Later):
                return Later(body.waiting, partial(self._at_last, request, asked, body.answer))
        except ServingError as error:
            code, status = error.code, _http_status(error)
            body = b"" if request.method == "OPTIONS" else write.error(cut(error.text, LONGEST_REST_TEXT))
        metrics = self._engine.metrics
        if code is Code.OK:
            metrics.latency(asked.model, asked.api, "REST", (time.perf_counter() - asked.started) * 1e6)
        metrics.request(asked.model, code.name)
        content_type = None if request.method == "OPTIONS" else JSON
        return Response(status, body, content_type, cors=self._options.cors)

    def _at_last(self, request: Request, asked: "_Asked", answer: Callable[[], bytes]) -> Response:
        return waited(self._responded(request, asked, answer))

    def _answer(self, target: urls.Target, request: Request) -> bytes | Later[bytes]:
        """The body of the answer; a large request is answered elsewhere, so that others find a thread."""
        unpacking = Unpacking(request, self._limits) if _compressed(request) else None
        body = request.body if unpacking is None else unpacking.body(LARGE_BYTES)
        if body is not None and len(body) <= LARGE_BYTES:
            return self._api.answer(target, body, request.step_back)
        return self._large.run(lambda: self._large_answer(target, body, unpacking))

    def _large_answer(self, target: urls.Target, body: bytes | None, unpacking: Unpacking | None) -> bytes:
        """In a thread of the lane, which may wait."""
        if body is None and unpacking is not None:
            body = unpacking.body()
        return waited(self._api.answer(target, body or b"", large=True))

    def _caller(self, request: Request) -> Caller:
        """Who asks. Raises ``ServingError`` UNAUTHENTICATED."""
        callers = self._options.callers
        return (
            ANYBODY if callers is None else callers.caller(request.headers.get(b"authorization", b"").decode("latin-1"))
        )

    def _metrics(self, request: Request, path: str, metrics_page: Callable[[], str]) -> Response:
        try:
            self._caller(request)
        except ServingError as error:
            return Response(_http_status(error), error.text.encode(), TEXT)
        wanted = self._options.monitoring_path
        if path != wanted:
            return Response(400, cut(f"Unexpected path: {path}. Should be {wanted}").encode(errors="replace"), TEXT)
        return Response(200, metrics_page().encode(), TEXT)

    def _health(self, path: str) -> Response | None:
        """Readiness and liveness for orchestrators; stock has no such URL."""
        if path == "/v1/health/live":
            return Response(200, b'{"status": "live"}')
        if path != "/v1/health/ready":
            return None
        if self._engine.ready():
            return Response(200, b'{"status": "ready"}')
        return Response(503, b'{"status": "not ready"}')


@dataclass(slots=True)
class _Asked:
    """What is counted of a request: the model's name, the operation, and when it began."""

    started: float
    model: str = ""
    api: str = ""


def _seconds(options: RestOptions) -> float | None:
    return options.timeout_ms / 1000 if options.timeout_ms > 0 else None


def _compressed(request: Request) -> bool:
    return bool(request.body) and b"gzip" in request.headers.get(b"content-encoding", b"").lower()


def _preflight(request: Request) -> None:
    origin = request.headers.get(b"origin", b"")
    if b"http://" not in origin and b"https://" not in origin:
        raise failed_precondition("Origin header is missing in CORS preflight")
