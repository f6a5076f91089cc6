"""The gRPC server on gRPC core's completion queue, without the layers of Python between core and the methods.

Threads poll one queue in turn. The thread that finds a request computes and sends the answer itself: no request is
handed from thread to thread. An empty method costs about a third of the processor time that ``grpc.server`` takes for
it. Where requests are put together, the thread takes all that are at hand, runs the batch and answers each of them.
The queue is grpcio's own building block but not its documented interface, so ``portable`` does the same with
documented means, should a release change it.
"""

import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from grpc._cython import cygrpc

from kilnworks.components.serving.batching.leader_followers import LeaderFollowers
from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.batching.turns import Later
from kilnworks.components.serving.errors import Code, ServingError, cut
from kilnworks.components.serving.grpc.methods import Method, limited
from kilnworks.components.serving.grpc.options import HEALTH, NO_RETRY, GrpcOptions, status_of, texts
from kilnworks.components.serving.settings.flags import MOST_THREADS
from kilnworks.components.serving.wire.memory import LARGE_BYTES, release_free_memory

_LOG = logging.getLogger(__name__)
_CALLS_AHEAD = 4
"""Calls that core may accept before a thread has seen the first of them."""
_MOST_THREADS = 4 * MOST_THREADS
"""Each model takes a bounded part of them."""
_POLL_AFTER_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.005

_QUEUE_SHUTDOWN = cygrpc.CompletionType.queue_shutdown
_QUEUE_TIMEOUT = cygrpc.CompletionType.queue_timeout

# An operation belongs to one batch: it holds C memory that core fills and that is freed when the batch has ended.
# All that is used of core is named here, so that a release that lacks some of it is noticed before there is a server.
_Queue, _Server = cygrpc.CompletionQueue, cygrpc.Server
_Message, _Status = cygrpc.SendMessageOperation, cygrpc.SendStatusFromServerOperation
_receive = functools.partial(cygrpc.ReceiveMessageOperation, 0)
_initial = functools.partial(cygrpc.SendInitialMetadataOperation, (), 0)
_close = functools.partial(cygrpc.ReceiveCloseOnServerOperation, 0)


def _ignore(event: Any) -> None:
    """What is done when a batch has ended that nothing waits for."""


class DirectServer:
    """A running gRPC server.

    ``port`` is the TCP port in use (0 without TCP). After ``stop``, ``stuck`` says that a method still computes.

    Args:
        methods: unary methods by full name.
        watches: methods that send one answer and keep the call open.
        options: how to listen.
        batches: batches that wait for the requests at hand.

    Raises:
        OSError: an address cannot be bound.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        watches: Mapping[str, Method],
        options: GrpcOptions,
        batches: BatchScheduler,
    ) -> None:
        self._methods = {name.encode(): (method, False) for name, method in methods.items()}
        self._methods |= {name.encode(): (method, True) for name, method in watches.items()}
        self._batches = batches
        self._limit, self._refused = options.max_threads, options.refused
        self._callers = options.callers
        self._lock = threading.Lock()
        self._running = self._unanswered = 0
        self._watched: set[_Call] = set()
        self._stopping = self._closed = self.stuck = False
        self._stopped = threading.Event()
        self._queue = _Queue()
        self._server = _Server(tuple(options.channel_options()), False)
        self._server.register_completion_queue(self._queue)
        credentials = options.credentials()
        secure = () if credentials is None else (credentials._credentials,)
        self.port = options.listen(lambda address: self._server.add_http2_port(address.encode(), *secure))
        self._server.start()
        most = (options.max_threads or _MOST_THREADS) + 1
        self._threads = LeaderFollowers("grpc", most, self._wait, self._handle, batches.run_elsewhere)
        for _ in range(_CALLS_AHEAD):
            self._request_call()

    def stop(self, grace_seconds: float) -> None:
        """Accept nothing new, let running calls finish within ``grace_seconds``, then close."""
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            watched = list(self._watched)
        self._server.shutdown(self._queue, lambda event: self._stopped.set())
        for call in watched:
            call.finish(Code.UNAVAILABLE, "the server is stopping")
        end = time.monotonic() + grace_seconds
        if not self._stopped.wait(grace_seconds):
            self._server.cancel_all_calls()
            self._stopped.wait(_POLL_AFTER_STOP_SECONDS)
        self._close_queue(max(end, time.monotonic() + _POLL_AFTER_STOP_SECONDS))

    def _close_queue(self, end: float) -> None:
        """Shut the queue down once no thread works on an event: core aborts when a batch is started after that.

        A thread that computes beyond ``end`` (the client of its call has long gone) leaves the queue open.
        """
        self._closed = True
        while self._computes() and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        self.stuck = self._computes()
        if not self.stuck:
            self._queue.shutdown()
            self._threads.join(_POLL_AFTER_STOP_SECONDS)

    def _computes(self) -> bool:
        """Whether a thread works on an event or a batch."""
        return self._unanswered > 0 or self._threads.handles

    def _request_call(self) -> None:
        """Ask core for one more call; a server that is stopping asks for none."""
        if self._stopping:
            return
        try:
            self._server.request_call(self._queue, self._queue, self._on_request)
        except ValueError:
            if not self._stopping:
                raise

    def _wait(self) -> Any:
        """The next event of the queue; a timeout when a batch waits for the requests at hand, and there is none."""
        return self._queue.poll(0.0 if self._batches.collected else None)

    def _handle(self, event: Any) -> bool:
        """Handle an event; False when the queue is closed. A batch that this thread leaves behind has to run."""
        kind, batches = event.completion_type, self._batches
        if kind == _QUEUE_SHUTDOWN:
            return False
        try:
            if kind != _QUEUE_TIMEOUT and not self._closed:
                event.tag(event)
        except Exception:
            _LOG.exception("answering a call")
        if (batches.ready or batches.collected) and (kind == _QUEUE_TIMEOUT or batches.due or not self._threads.leads):
            batches.run_here(self._threads.step_back)
        return True

    def _on_request(self, event: Any) -> None:
        """A call came in: ask for the next one, then for this one's message."""
        if not event.success:
            return
        self._request_call()
        details = event.call_details
        call = _Call(event.call, details.deadline, event.invocation_metadata, self._threads.step_back)
        found = self._methods.get(details.method)
        unknown = self._unknown(details.method, call)
        if found is None:
            call.finish(Code.UNIMPLEMENTED)
        elif unknown is not None:
            call.finish(unknown.code, unknown.text, NO_RETRY)
        else:
            call.core.start_server_batch((_receive(),), functools.partial(self._on_message, call, *found))

    def _unknown(self, method: bytes, call: "_Call") -> ServingError | None:
        """Why a call's message is not even received: its caller is not known. Health stays open."""
        if self._callers is None or method.startswith(HEALTH):
            return None
        try:
            self._callers.caller(call.metadata().get("authorization", ""))
        except ServingError as error:
            self._refused("caller")
            return error
        return None

    def _on_message(self, call: "_Call", method: Method, watch: bool, event: Any) -> None:
        """A call's message is there: compute and answer."""
        data = event.batch_operations[0].message()
        if data is None:
            call.finish(Code.CANCELLED, "the client sent no message")
        elif not self._enter():
            self._refused("threads")
            call.finish(Code.RESOURCE_EXHAUSTED, "all server threads are busy (--grpc_max_threads)")
        else:
            call.large = len(data) > LARGE_BYTES
            if call.large:
                call.step_back()
            self._answer(call, watch, functools.partial(method, data, call))

    def _answer(self, call: "_Call", watch: bool, compute: Callable[[], bytes | Later[bytes]]) -> None:
        """Compute and answer; what has to wait is answered by whoever ends the wait."""
        answer, failed = None, None
        try:
            found = compute()
            if isinstance(found, Later):
                if not found.begin(functools.partial(self._answer, call, watch, found.answer)):
                    return
                found = found.answer()
            answer = found
        except Exception as error:
            failed = error
        self._computed(call, watch, answer, failed)

    def _enter(self) -> bool:
        """Count a running call; False when too many run."""
        with self._lock:
            if self._limit is not None and self._running >= self._limit:
                return False
            self._running += 1
            self._unanswered += 1
            return True

    def _computed(self, call: "_Call", watch: bool, answer: bytes | None, error: Exception | None) -> None:
        """Answer. The call is counted as over before its answer goes out: the client may ask again at once."""
        with self._lock:
            self._running -= 1
        try:
            if error is not None:
                call.finish(*status_of(error))
            elif watch and answer is not None:
                self._keep_open(call, answer)
            else:
                call.finish(Code.OK, answer=answer)
        finally:
            with self._lock:
                self._unanswered -= 1

    def _keep_open(self, call: "_Call", answer: bytes) -> None:
        """Send an answer and leave the call open until the client goes or the server stops."""

        def gone(event: Any) -> None:
            with self._lock:
                self._watched.discard(call)
            call.finish(Code.CANCELLED)

        with self._lock:
            self._watched.add(call)
        call.watch_close(gone)
        call.sent_initial = True
        call.core.start_server_batch((_initial(), _Message(answer, 0)), _ignore)


class _Call:
    """One call: what methods may ask about it, and how it ends."""

    __slots__ = (
        "_active",
        "_deadline",
        "_finished",
        "_told",
        "_watches_close",
        "core",
        "large",
        "sent_initial",
        "step_back",
    )

    def __init__(self, core: Any, deadline: float, told: Any, step_back: Callable[[], None]) -> None:
        self.core, self._deadline, self._told, self.step_back = core, deadline, told, step_back
        self._active, self._finished, self._watches_close = True, False, False
        self.sent_initial = self.large = False

    def time_remaining(self) -> float | None:
        """Seconds until the client's deadline; None without one."""
        return limited(self._deadline - time.time())

    def is_active(self) -> bool:
        """Whether the client still waits; watching for that starts with the first question."""
        if not self._watches_close:
            self.watch_close(_ignore)
        return self._active

    def peer(self) -> str:
        """Where the call comes from."""
        peer = self.core.peer()
        return peer.decode("utf-8", "replace") if isinstance(peer, bytes) else str(peer)

    def metadata(self) -> Mapping[str, str]:
        """What the client sent beside the message; values that are bytes are left out."""
        return texts(self._told or ())

    def watch_close(self, then: Any) -> None:
        """Notice when the client goes, and call ``then``."""
        self._watches_close = True

        def closed(event: Any) -> None:
            self._active = False
            then(event)

        self.core.start_server_batch((_close(),), closed)

    def finish(self, code: Code, text: str = "", told: Any = (), answer: bytes | None = None) -> None:
        """Send the answer or the error, and metadata behind it. A second call does nothing."""
        if self._finished:
            return
        self._finished = True
        words = cut(text).encode("utf-8", "replace") if text else b""
        operations = [_Status(told, int(code), words, 0)]
        if not self.sent_initial:
            operations.append(_initial())
        if answer is not None:
            operations.append(_Message(answer, 0))
        if not self._watches_close:
            operations.append(_close())
        self.core.start_server_batch(operations, (lambda event: release_free_memory()) if self.large else _ignore)
