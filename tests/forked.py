"""Servers, and commands that are killed, in processes that find their libraries loaded, as ``subprocess.Popen`` has it.

Loading TensorFlow is most of what the start of a server costs. A fork of ``tests.preloaded`` has loaded it, with the
settings of a server in its environment, and has run nothing of it. Unlike those of ``preloaded.python`` the process is
the server itself: what looks at its memory, its files or its time, or sends it a signal, finds it by ``pid``. Commands
that are to be killed the moment that something is seen start by ``command()``, with the libraries of ``preloaded``.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TextIO

from tests import preloaded

LIBRARIES = ("tensorflow",)
SETTINGS = (("CUDA_VISIBLE_DEVICES", ""), ("TF_CPP_MIN_LOG_LEVEL", "2"), ("TF_ENABLE_ONEDNN_OPTS", "0"))
"""As a server sets them before it imports TensorFlow."""


class Forked:
    """``python -m MODULE WORDS`` in a folder and an environment; it is killed where this process ends before it.

    Attributes:
        pid: its number.
        stdout: what it prints, as text.
        returncode: how it ended, as of ``Popen``; None as long as nobody has seen that it did.
    """

    def __init__(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], stderr: IO[str], place: str | None = None
    ) -> None:
        self.returncode: int | None = None
        request = {"words": ["-m", *words], "folder": str(cwd), "environment": dict(env)}
        self._told = socket.socket(socket.AF_UNIX)
        self._told.connect(place or preloaded.address(LIBRARIES, SETTINGS))
        read, write = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        preloaded.send(self._told, request, (nothing, write, stderr.fileno()))
        os.close(nothing)
        os.close(write)
        self.stdout: TextIO = os.fdopen(read)
        self._rest = b""
        self.pid = int(self._line(None) or 0)

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has. Raises ``TimeoutExpired`` where it has not within so many seconds."""
        if self.returncode is None:
            code = self._line(timeout)
            if code is None:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.returncode = int(code)
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has, and that is yet to be told
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _line(self, timeout: float | None) -> bytes | None:
        """The next line that the process beside it tells, None where there is none in time."""
        end = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self._told], [], [], left)[0]:
                return None
            part = self._told.recv(64)
            assert part, "what waits for the process has gone"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def command(*words: str, cwd: Path, env: Mapping[str, str]) -> Forked:
    """``python -m MODULE WORDS`` with the libraries of ``preloaded.python`` and the ``stderr`` of the test."""
    assert sys.__stderr__ is not None
    return Forked(words, cwd=cwd, env=env, stderr=sys.__stderr__, place=preloaded.address())
