"""States of every version that the server has known, and waiting for them.

Unloaded versions stay listed as END for the life of the process, as clients of TensorFlow Serving expect.
"""

import threading
import time
from collections.abc import Callable, Iterable

from kilnworks.components.serving.errors import Code, ServingError, deadline_exceeded
from kilnworks.components.serving.wire.values import VersionStatus

START, LOADING, AVAILABLE, UNLOADING, END = "START", "LOADING", "AVAILABLE", "UNLOADING", "END"
_CHECK_SECONDS = 0.25


class StateMonitor:
    """Latest state of each version. Events are counted, so that waiting can leave out what began before it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._states: dict[str, dict[int, tuple[int, VersionStatus]]] = {}
        self._events = 0

    def publish(self, model: str, version: int, state: str, error: ServingError | None = None) -> None:
        """Record a version's new state and wake whoever waits."""
        code, text = (error.code, error.text) if error else (Code.OK, "")
        with self._changed:
            self._events += 1
            known = self._states.setdefault(model, {})
            began = self._events if state == START or version not in known else known[version][0]
            known[version] = (began, VersionStatus(version, state, code, text))
            self._changed.notify_all()

    def events(self) -> int:
        """How many states have been published so far."""
        with self._changed:
            return self._events

    def versions(self, model: str) -> tuple[VersionStatus, ...]:
        """All known versions of a model, newest first; empty for a model never seen."""
        with self._changed:
            known = self._states.get(model, {})
            return tuple(known[number][1] for number in sorted(known, reverse=True))

    def available(self, model: str) -> frozenset[int]:
        """Versions that can be called now."""
        return frozenset(status.version for status in self.versions(model) if status.state == AVAILABLE)

    def wait_until_available(
        self,
        models: Iterable[str],
        since: int = 0,
        timeout_seconds: float | None = None,
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait until each model has a version that is AVAILABLE or has ended.

        Args:
            models: names.
            since: look only at versions that were started after this many events; the unloading of a model that is
                taken back at once is no failure.
            timeout_seconds: None = no limit.
            given_up: asked several times a second; True ends the waiting.

        Raises:
            ServingError: UNKNOWN naming the models that ended in error; DEADLINE_EXCEEDED.
        """
        wanted = list(models)
        limit = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with self._changed:
            while True:
                reached = {model: self._reached(model, since) for model in wanted}
                if all(reached.values()):
                    break
                if given_up() or (limit is not None and time.monotonic() >= limit):
                    raise deadline_exceeded("Deadline Exceeded")
                self._changed.wait(_CHECK_SECONDS)
        _refuse_ended({model: status for model, status in reached.items() if status and status.state == END})

    def _reached(self, model: str, since: int) -> VersionStatus | None:
        """The newest version that is AVAILABLE or END."""
        known = self._states.get(model, {})
        for number in sorted(known, reverse=True):
            began, status = known[number]
            if began > since and status.state in (AVAILABLE, END):
                return status
        return None


def _refuse_ended(ended: dict[str, VersionStatus]) -> None:
    if not ended:
        return
    parts = []
    for model, status in sorted(ended.items()):
        reason = f" due to error: {status.code.name}: {status.message}" if status.code != Code.OK else ""
        parts.append(f"{{{{name: {model} version: {status.version}}}{reason}}}, ")
    raise ServingError(Code.UNKNOWN, f"{len(ended)} model(s) did not become available: {{{''.join(parts)}}}")
