"""How a call is tried again: the same script drives the blocking and the asyncio client.

A script is a generator that says what to do next (``Send`` or ``Sleep``) and is told what came of it. It does no
input or output itself, so it can be tested with a list of answers and a clock that stands still.
"""

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from kilnworks_client import calls
from kilnworks_client.calls import Call, VersionState
from kilnworks_client.codes import Code
from kilnworks_client.errors import ClientError, RequestInvalid, ServerUnavailable

R = TypeVar("R")


@dataclass(frozen=True)
class Policy:
    """When a call is tried again: after UNAVAILABLE and RESOURCE_EXHAUSTED.

    Every call of the client only asks: one that was carried out although its answer got lost may be made twice.

    Attributes:
        attempts: tries in all, at least 1.
        first_seconds: longest wait before the second try; each further one is twice as long.
        longest_seconds: no wait is longer.
    """

    attempts: int = 5
    first_seconds: float = 0.1
    longest_seconds: float = 5.0


@dataclass(frozen=True)
class Send:
    """Make this call now, within ``timeout_seconds``; tell the script a ``Reply``."""

    call: Call[Any]
    timeout_seconds: float


@dataclass(frozen=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True)
class Reply:
    """What came of a ``Send``: an answer, or a code and a text; ``final`` = the server says that no retry helps."""

    code: Code
    answer: Any = None
    text: str = ""
    final: bool = False


Script = Generator[Send | Sleep, Reply | None, R]


def call_script(
    call: Call[R], timeout_seconds: float, policy: Policy, clock: Callable[[], float], chance: random.Random
) -> Script[R]:
    """Carry out one call: exponential backoff with full jitter, all within the deadline.

    Raises:
        RequestInvalid: the server refused the request; ``details["code"]`` says how.
        ServerUnavailable: no answer in time, or the server failed.
    """
    limit = call.timeout_seconds if call.timeout_seconds is not None else timeout_seconds
    deadline = clock() + limit
    attempt = 1
    while True:
        left = deadline - clock()
        reply = (yield Send(call, left)) if left > 0 else Reply(Code.DEADLINE_EXCEEDED)
        assert reply is not None
        if reply.code is Code.OK:
            return call.read(reply.answer)
        ceiling = min(policy.longest_seconds, policy.first_seconds * 2 ** (attempt - 1))
        wait = chance.uniform(0.0, ceiling)
        if reply.code not in _TRIED_AGAIN or reply.final or attempt >= policy.attempts or clock() + wait >= deadline:
            raise as_error(reply, call, attempt, limit)
        yield Sleep(wait)
        attempt += 1


def wait_script(
    model: str, version: int | None, timeout_seconds: float, poll_seconds: float, clock: Callable[[], float]
) -> Script[VersionState]:
    """Ask for the status until the version (None = any) is AVAILABLE.

    Raises:
        ServerUnavailable: it was not within ``timeout_seconds``, or loading it failed; the message says which.
    """
    deadline = clock() + timeout_seconds
    call = calls.status(model, version=version)
    while True:
        reply = yield Send(call, max(min(deadline - clock(), 5.0), 0.001))
        assert reply is not None
        states = call.read(reply.answer) if reply.code is Code.OK else ()
        for state in states:
            if state.state == "AVAILABLE":
                return state
        _refuse_failed_load(model, version, states)
        if clock() + poll_seconds >= deadline:
            seen = ", ".join(f"{s.version} {s.state}" for s in states) or f"{reply.code.name}: {reply.text}"
            raise ServerUnavailable(
                f"model {model!r} is not available after {timeout_seconds:g} s ({seen})",
                "a version in state AVAILABLE",
                "check that the server runs and what its log says of this model",
                {"code": reply.code.name},
            )
        yield Sleep(poll_seconds)


def as_error(reply: Reply, call: Call[Any], attempts: int, limit_seconds: float) -> ClientError:
    """The exception for a reply that is not OK."""
    method = call.path.rpartition("/")[2]
    details = {"code": reply.code.name, "text": reply.text, "attempts": attempts}
    if reply.code is Code.DEADLINE_EXCEEDED:
        got = f"{method}: no answer within {limit_seconds:g} s"
        return ServerUnavailable(got, "an answer in time", "raise the timeout or lower the load", details)
    if reply.code in _SERVER_FAILED:
        got = f"{method}: {reply.code.name}: {reply.text}"
        return ServerUnavailable(got, "a model server that answers", "check that it runs at this address", details)
    if reply.code in (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED):
        got = f"{method}: {reply.code.name}: {reply.text}"
        return RequestInvalid(got, "a caller whom the server's callers file lets ask", "check the token", details)
    got = f"{method}: the server refused the request: {reply.code.name}: {reply.text}"
    if reply.code is Code.NOT_FOUND:
        return RequestInvalid(got, "a model and a version that are served", "look at the status of the model", details)
    return RequestInvalid(got, "a request that fits the served model", "compare it with the metadata", details)


_TRIED_AGAIN = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED})
_SERVER_FAILED = frozenset(
    {
        Code.CANCELLED,
        Code.UNKNOWN,
        Code.RESOURCE_EXHAUSTED,
        Code.ABORTED,
        Code.INTERNAL,
        Code.UNAVAILABLE,
        Code.DATA_LOSS,
    }
)


def _refuse_failed_load(model: str, version: int | None, states: tuple[VersionState, ...]) -> None:
    """A version that was asked for and ended with an error will not come."""
    failed = [s for s in states if s.version == version and s.state == "END" and s.error_code]
    if failed:
        raise ServerUnavailable(
            f"version {version} of model {model!r} could not be loaded: {failed[0].error}",
            "a SavedModel that this server can load",
            "check the exported model",
            {"code": Code(failed[0].error_code).name},
        )
