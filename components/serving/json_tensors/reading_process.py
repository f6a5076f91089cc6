"""The process that reads large JSON bodies for the server: commands on its standard input, answers on its output.

A parser keeps the interpreter for as long as it works; here it keeps nobody else waiting, and what it takes is bounded
and is given back to the system.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kilnworks.components.serving.errors import ServingError, TooLarge
from kilnworks.components.serving.json_tensors import dense, examples, predict
from kilnworks.components.serving.json_tensors.dense import Array, Form
from kilnworks.components.serving.json_tensors.frames import receive, send
from kilnworks.components.serving.wire.memory import release_free_memory
from kilnworks.components.serving.wire.moments import examples_with_seconds, with_seconds
from kilnworks.components.serving.wire.tensor_budget import MEBIBYTE
from kilnworks.schemas.crashes import show_crashes

_NICE = 5
_MOST_TIMES = 6
"""What Python makes of a JSON text may take so many times what a request may."""
_COSTS = {b",": 40, b"[": 64, b"{": 240, b'"': 32}
"""Bytes that Python needs for what such a character stands for, about."""


def main() -> None:
    """Answer commands until there are none, or nobody takes the answers."""
    show_crashes()
    os.nice(_NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when to stop
    gone = suppress(BrokenPipeError)
    with gone, os.fdopen(0, "rb") as commands, os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        reader = _Reader()
        send(answers, "ready")
        while True:
            try:
                command = receive(commands)
            except EOFError:
                return
            send(answers, reader.answer(*command))
            del command  # with the body
            if reader.parsed is None:
                release_free_memory()


class _Reader:
    """Answers one command after the other; ``parsed`` is what it keeps of a body between the commands."""

    def __init__(self) -> None:
        self.parsed: Any = None

    def answer(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """What comes of a command, or its error."""
        commands: dict[str, Callable[..., Any]] = {
            "predict": self._predict,
            "examples": self._examples,
            "arrays": self._arrays,
            "serialized": self._serialized,
        }
        try:
            return "ok", commands[name](*arguments)
        except ServingError as error:
            found = int(error.code), error.text, isinstance(error, TooLarge)
        except MemoryError:
            found = 8, "Reading the body takes more memory than a request may take", True
        self.parsed = None
        return "error", *found

    def _predict(self, most_bytes: int, body: bytes) -> str:
        _bound_memory(most_bytes)
        short = dense.parse(body)
        if short is None:
            _refuse_costly(body, most_bytes)
        self.parsed = predict.parse_tree(body) if short is None else predict.PredictBody(short, short.signature_name)
        return str(self.parsed.signature_name)

    def _examples(self, most_bytes: int, body: bytes) -> str:
        _bound_memory(most_bytes)
        _refuse_costly(body, most_bytes)
        self.parsed = examples.parse(body, most_bytes)
        return str(self.parsed.signature_name)

    def _arrays(self, inputs: Any, dates: Any, only: str | None) -> tuple[dict[str, Array], Form]:
        parsed, self.parsed = self.parsed, None
        rewrite = partial(with_seconds, dates=dates, only=only) if dates else None
        found: tuple[dict[str, Array], Form] = parsed.arrays(inputs, rewrite)
        return found

    def _serialized(self, dates: Any) -> Array:
        parsed, self.parsed = self.parsed, None
        texts = parsed.rewritten(partial(examples_with_seconds, dates=dates)) if dates else parsed.examples
        array = np.empty(len(texts), object)
        array[:] = texts
        return array


def _refuse_costly(body: bytes, most_bytes: int) -> None:
    cost = sum(body.count(character) * size for character, size in _COSTS.items())
    if cost > _MOST_TIMES * most_bytes:
        raise TooLarge(
            f"The values of the body take about {cost} bytes, of at most {_MOST_TIMES * most_bytes}, "
            f"{_MOST_TIMES} times --max_request_mb={most_bytes / MEBIBYTE:g}"
        )


def _bound_memory(most_bytes: int) -> None:
    """Let this process take so much and no more, whatever the body holds."""
    if sys.platform == "linux" and resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + 3 * _MOST_TIMES * most_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
