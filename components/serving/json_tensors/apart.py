"""Large bodies are read in processes of their own (``reading_process``), so that nobody else waits for a parser."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast

from kilnworks.components.serving.errors import Code, ServingError, TooLarge, deadline_exceeded, unavailable
from kilnworks.components.serving.json_tensors.dense import Array, Form
from kilnworks.components.serving.json_tensors.frames import receive, send
from kilnworks.components.serving.wire.moments import Dates
from kilnworks.components.serving.wire.values import TensorInfo
from kilnworks.schemas.crashes import ending

_LOG = logging.getLogger(__name__)
_PROGRAM = "from kilnworks.components.serving.json_tensors.reading_process import main; main()"
_LONGEST_SECONDS = 60.0
_START_SECONDS = 60.0


class Reading:
    """A body that a process has read; its tensors are made there once the signature is known."""

    def __init__(self, process: "_Process", signature_name: str) -> None:
        self._process, self.signature_name = process, signature_name

    def arrays(self, inputs: Mapping[str, TensorInfo], dates: Dates, only: str | None) -> tuple[dict[str, Array], Form]:
        """As ``predict.PredictBody.arrays``, with seconds in place of dates. Raises ``ServingError``."""
        return cast(tuple[dict[str, Array], Form], self._process.ask("arrays", inputs, dates, only))

    def serialized(self, dates: Dates) -> list[bytes]:
        """The serialized Examples of a classify or regress request. Raises ``ServingError``."""
        return cast(list[bytes], self._process.ask("serialized", dates).tolist())


class Readers:
    """Processes that read bodies, started when they are needed and kept.

    Args:
        most_bytes: that a request may take.
        seconds: that reading one body may take; None = a minute. The start of a process does not count.
    """

    def __init__(self, most_bytes: int, seconds: float | None = None) -> None:
        self._most_bytes, self._seconds = most_bytes, min(seconds or _LONGEST_SECONDS, _LONGEST_SECONDS)
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def reading(self, kind: str, body: bytes) -> Iterator[Reading]:
        """Have a body read: ``kind`` is ``"predict"`` or ``"examples"``.

        Raises:
            ServingError: as the parser words it; TooLarge, DEADLINE_EXCEEDED, or UNAVAILABLE when the process failed.
        """
        process = self._take()
        timer = threading.Timer(self._seconds, process.expire)
        timer.start()
        try:
            yield Reading(process, process.ask(kind, self._most_bytes, body))
        finally:
            timer.cancel()
            self._put(process)

    def prepare(self) -> None:
        """Start one process ahead, without waiting for it: the first large body finds it ready."""
        threading.Thread(target=self._start_spare, name="spare-reader", daemon=True).start()

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def _take(self) -> "_Process":
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _started()

    def _start_spare(self) -> None:
        try:
            self._put(_started())
        except ServingError as error:
            _LOG.warning("%s", error.text)

    def _put(self, process: "_Process") -> None:
        with self._lock:
            keep = process.well and not self._closed
            if keep:
                self._idle.append(process)
        if not keep:
            process.end()


def _started() -> "_Process":
    """A process that waits for commands. Raises UNAVAILABLE."""
    try:
        process = _Process()
    except OSError as error:
        raise unavailable(f"The process that reads large bodies cannot be started: {error.strerror}") from None
    timer = threading.Timer(_START_SECONDS, process.expire)
    timer.start()
    try:
        process.wait_until_ready()
    except ServingError:
        process.end()
        raise unavailable(
            "The process that reads large bodies did not start: try again, or send less at once"
        ) from None
    finally:
        timer.cancel()
    return process


class _Process:
    """One process; used by one request at a time. ``well`` is False once it must not be used again."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._commands, self._answers = cast(BinaryIO, self._popen.stdin), cast(BinaryIO, self._popen.stdout)
        self.well, self._expired = True, False

    def wait_until_ready(self) -> None:
        """Block until the process has imported what it needs. Raises ``ServingError``."""
        with self._watched():
            receive(self._answers)

    def ask(self, name: str, *arguments: Any) -> Any:
        """What the process answers to a command. Raises ``ServingError``."""
        with self._watched():
            send(self._commands, (name, *arguments))
            outcome, *found = receive(self._answers)
        if outcome == "ok":
            return found[0]
        code, text, large = found
        raise TooLarge(text) if large else ServingError(Code(code), text)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Word the end of the process; whatever else ends an exchange half way makes it useless too."""
        well, self.well = self.well, False
        try:
            yield
        except (EOFError, OSError):
            if self._expired:
                raise deadline_exceeded() from None
            self.end()
            _LOG.error("the process that reads large bodies ended (%s)", ending(self._popen.returncode))
            raise unavailable("The process that reads large bodies failed: try again, or send less at once") from None
        self.well = well

    def expire(self) -> None:
        """The time of the request is over."""
        self._expired, self.well = True, False
        self._popen.kill()

    def end(self) -> None:
        """End the process."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._commands, self._answers):
            with contextlib.suppress(OSError):  # what it did not take of a command
                pipe.close()
