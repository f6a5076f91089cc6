"""What a server answers beside its API: metrics, health, preflights of browsers, and that there is no such page."""

from collections.abc import Callable

from kilnworks.components.serving.errors import ServingError, cut, failed_precondition
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.rest.messages import TEXT, Request, Response, page, status_of
from kilnworks.components.serving.settings.callers import ANYBODY, Caller
from kilnworks.components.serving.settings.options import RestOptions


class Pages:
    """The pages of one server.

    Args:
        engine: whose health it is.
        options: path of the metrics, and who may ask.
        metrics_page: text for Prometheus; None = no metrics are served.
    """

    def __init__(self, engine: Engine, options: RestOptions, metrics_page: Callable[[], str] | None) -> None:
        self._engine, self._options, self._metrics_page = engine, options, metrics_page

    def answer(self, request: Request, path: str) -> Response | None:
        """The page of a path; None where it belongs to the API."""
        if self._metrics_page is not None and path.partition("?")[0] == self._options.monitoring_path:
            return self._metrics(request, path, self._metrics_page)
        if path[:4].lower() != "/v1/":
            return page(404)
        return self._health(path) if request.method in ("GET", "HEAD") else None

    def caller(self, request: Request) -> Caller:
        """Who asks. Raises ``ServingError`` UNAUTHENTICATED."""
        callers, told = self._options.callers, request.headers.get(b"authorization", b"")
        return ANYBODY if callers is None else callers.caller(told.decode("latin-1"))

    def _metrics(self, request: Request, path: str, metrics_page: Callable[[], str]) -> Response:
        try:
            self.caller(request)
        except ServingError as error:
            return Response(status_of(error), error.text.encode(), TEXT)
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
        if self._engine.core.ready():
            return Response(200, b'{"status": "ready"}')
        return Response(503, b'{"status": "not ready"}')


def preflight(request: Request) -> None:
    """Refuse a preflight that names no origin. Raises ``ServingError`` FAILED_PRECONDITION."""
    origin = request.headers.get(b"origin", b"")
    if b"http://" not in origin and b"https://" not in origin:
        raise failed_precondition("Origin header is missing in CORS preflight")
