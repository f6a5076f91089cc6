"""One HTTP request -> one HTTP answer: whose it is, what its URL asks for, the prediction, codes and counts."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from kilnworks.components.serving.batching.turns import Later, answered, stay, waited
from kilnworks.components.serving.errors import LONGEST_REST_TEXT, Code, ServingError, cut, invalid_argument
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.inference.predict import predict as run
from kilnworks.components.serving.json_tensors import dense, examples, predict, write
from kilnworks.components.serving.json_tensors.apart import Readers, Reading
from kilnworks.components.serving.rest.api import Api
from kilnworks.components.serving.rest.large_lane import LargeLane
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import JSON, Request, Response, page, status_of
from kilnworks.components.serving.rest.pages import Pages, preflight
from kilnworks.components.serving.rest.unpack import Unpacking
from kilnworks.components.serving.settings.callers import Caller
from kilnworks.components.serving.settings.hosts import AllowedHosts, split_target
from kilnworks.components.serving.settings.options import RestOptions
from kilnworks.components.serving.wire.values import DEFAULT_SIGNATURE, ModelSpecRef

LARGE_BYTES = 2 * 1024 * 1024
"""Bodies above this size are read in another process, by threads that answer nobody else."""
_METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"})
_INFERENCE = frozenset({"predict", "classify", "regress"})
_MOST_HOSTS = 64

Asks = Literal["predict", "classify", "regress", "status", "metadata"]

_MODELS = "/v1/models"
_FLAGS = re.ASCII | re.IGNORECASE
_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(rf"{_MODELS}/(?P<name>[^/:]+){_WHICH}:(?P<api>classify|regress|predict)", _FLAGS)
_GET = re.compile(rf"{_MODELS}(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<api>metadata))?", _FLAGS)


class Application:
    """The REST interface of an engine, without sockets.

    Args:
        engine: answers.
        options: timeout, CORS, path of the metrics.
        limits: how large an uncompressed body may be.
        metrics_page: text for Prometheus; None = no metrics are served.
        readers: read large bodies elsewhere; None = they are read like others.
        large: where large requests are answered.
        hosts: names under which this server answers; None = any.
    """

    def __init__(
        self,
        engine: Engine,
        options: RestOptions,
        limits: Limits,
        metrics_page: Callable[[], str] | None,
        readers: Readers | None = None,
        large: LargeLane | None = None,
        hosts: AllowedHosts | None = None,
    ) -> None:
        self._engine, self._options, self._limits, self._readers = engine, options, limits, readers
        self._timeout = options.timeout_ms / 1000 if options.timeout_ms > 0 else None
        self._large = large or LargeLane(2)
        self._api = Api(engine, self._timeout)
        self._pages = Pages(engine, options, metrics_page)
        self._hosts = hosts
        self._right_hosts: set[bytes | None] = set()

    def __call__(self, request: Request) -> Response | Later[Response]:
        """The answer to one request, at once or later. Never raises for what a client can send."""
        refused = 0 if self._hosts is None else self._refusal(request, self._hosts)
        if refused or request.method not in _METHODS:
            return page(refused or 501)
        path = request.target if request.target[:1] == "/" else split_target(request.target)[1]
        if path[: len(_MODELS)].lower() != _MODELS or path.partition("?")[0] == self._options.monitoring_path:
            other = self._pages.answer(request, path)
            if other is not None:
                return other
        asked = _Asked(time.perf_counter())
        return self._responded(request, asked, lambda: self._begin(request, path, asked))

    def _refusal(self, request: Request, hosts: AllowedHosts) -> int:
        """HTTP status for a request that is meant for another server, else 0; a host that was right stays right."""
        host, origin_form = request.headers.get(b"host"), request.target[:1] == "/"
        if origin_form and host in self._right_hosts:
            return 0
        name = None if host is None else host.decode("latin-1")
        refused = hosts.refusal(request.method, request.target, name, request.http_1_0)
        if origin_form and not refused and host is not None and len(self._right_hosts) < _MOST_HOSTS:
            self._right_hosts.add(host)
        return refused

    def _begin(self, request: Request, path: str, asked: "_Asked") -> bytes | Later[bytes]:
        """Read a request and run it."""
        if request.method == "OPTIONS":
            preflight(request)
            return b""
        caller: Caller | None = None if self._options.callers is None else self._pages.caller(request)
        asks, spec = parse_target(request.method, path)
        if caller is not None:
            caller.check(spec.name)
        asked.model, asked.api = spec.name, asks if asks in _INFERENCE else ""
        compressed = bool(request.body) and b"gzip" in request.headers.get(b"content-encoding", b"").lower()
        unpacking = Unpacking(request, self._limits) if compressed else None
        body = request.body if unpacking is None else unpacking.body(LARGE_BYTES)
        if body is not None and len(body) <= LARGE_BYTES:
            return self._answer(asks, spec, body, request.step_back)
        return self._large.run(lambda: self._large_answer(asks, spec, body, unpacking))

    def _responded(
        self, request: Request, asked: "_Asked", begin: Callable[[], bytes | Later[bytes]]
    ) -> Response | Later[Response]:
        """The answer to what ``begin`` finds, or to its error: every one is counted, and timed when it succeeds."""
        code, status = Code.OK, 200
        try:
            body = begin()
            if isinstance(body, Later):
                return Later(body.waiting, partial(self._at_last, request, asked, body.answer))
        except ServingError as error:
            code, status = error.code, status_of(error)
            body = b"" if request.method == "OPTIONS" else write.error(cut(error.text, LONGEST_REST_TEXT))
        metrics = self._engine.metrics
        if code is Code.OK:
            metrics.latency(asked.model, asked.api, "REST", (time.perf_counter() - asked.started) * 1e6)
        metrics.request(asked.model, code.name)
        content_type = None if request.method == "OPTIONS" else JSON
        return Response(status, body, content_type, cors=self._options.cors)

    def _at_last(self, request: Request, asked: "_Asked", answer: Callable[[], bytes]) -> Response:
        return waited(self._responded(request, asked, answer))

    def _answer(
        self, asks: Asks, spec: ModelSpecRef, body: bytes, step_back: Callable[[], None] = stay
    ) -> bytes | Later[bytes]:
        """The body of the answer. Raises ``ServingError``."""
        if asks == "predict":
            return self._predict(spec, dense.parse(body) or predict.parse_tree(body), step_back)
        if asks in _INFERENCE:
            read = examples.parse(body, self._limits.body_bytes)
            return self._api.infer_examples(asks, spec, read, step_back)
        return self._api.metadata(spec) if asks == "metadata" else self._api.status(spec)

    def _large_answer(self, asks: Asks, spec: ModelSpecRef, body: bytes | None, unpacking: Unpacking | None) -> bytes:
        """In a thread of the lane, which may wait; the body is read in another process."""
        if body is None and unpacking is not None:
            body = unpacking.body()
        if asks not in _INFERENCE or self._readers is None:
            return waited(self._answer(asks, spec, body or b""))
        with self._readers.reading("predict" if asks == "predict" else "examples", body or b"") as reading:
            del body
            if asks == "predict":
                return waited(self._predict(spec, reading, stay))
            return waited(self._api.infer_examples(asks, spec, reading, stay))

    def _predict(
        self, spec: ModelSpecRef, read: dense.Dense | predict.PredictBody | Reading, step_back: Callable[[], None]
    ) -> bytes | Later[bytes]:
        """Predict on a body whose tensors are made once the signature is known."""
        name, timeout = read.signature_name, self._timeout
        servable = self._engine.core.acquire(replace(spec, signature_name=name) if name else spec)
        try:
            asked = name or DEFAULT_SIGNATURE
            if asked not in servable.signatures:  # REST words it differently from gRPC
                raise invalid_argument(f'Serving signature name: "{asked}" not found in signature def')
            wanted = servable.signatures[asked].inputs
            found = read.arrays(wanted) if isinstance(read, dense.Dense) else None
            inputs, form = found or self._api.inputs(read, wanted, servable.path)
        except BaseException:
            servable.release()
            raise
        return answered(
            lambda: run(self._engine, servable, name, inputs, (), timeout, _as_it_is, step_back),
            lambda predicted: dense.write(predicted.outputs, form) or write.predictions(predicted.outputs, form),
        )


@dataclass(slots=True)
class _Asked:
    """What is counted of a request: the model's name, the operation, and when it began."""

    started: float
    model: str = ""
    api: str = ""


def parse_target(method: str, path: str) -> tuple[Asks, ModelSpecRef]:
    """What a URL of the API asks for, and which model, version or label it names ("" = no model).

    Args:
        method: e.g. ``POST``.
        path: with the query string, which no URL of the API has.

    Raises:
        ServingError: INVALID_ARGUMENT for a method or path that the API does not have.
    """
    pattern = {"POST": _POST, "GET": _GET}.get(method)
    found = pattern.fullmatch(path) if pattern else None
    if found is None:
        raise invalid_argument(f"Malformed request: {method} {path}")
    name = _decode(found["name"] or "")
    if not name:
        raise invalid_argument("Missing model name in request.")
    asks: Asks = (found["api"] or "status").lower()  # type: ignore[assignment]
    label = None if found["label"] is None else _decode(found["label"])
    return asks, ModelSpecRef(name, _version(found["version"]), label)


def _version(digits: str | None) -> int | None:
    if digits is None:
        return None
    number = digits.lstrip("0") or "0"
    if len(number) > 19 or int(number) >= 2**63:
        raise invalid_argument(f"Failed to convert version: {digits} to numeric.")
    return int(number)


def _decode(text: str) -> str:
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _as_it_is(value: Any) -> Any:
    """The array of an input: it has been read already."""
    return value
