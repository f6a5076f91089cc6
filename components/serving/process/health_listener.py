"""``--health_port``: starts the process that answers health and metrics, and reports to it."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kilnworks.schemas.crashes import ending
from kilnworks.schemas.errors import ConfigError

REPORT_SECONDS = 1.0
_PROGRAM = "from kilnworks.components.serving.process.health_process import main; main()"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HealthOptions:
    """How the process listens.

    Attributes:
        port: 0 = a free one.
        host: address to bind.
        metrics_path: where Prometheus reads.
        allowed_hosts: names in ``Host``, as of REST; None = only local ones on a loopback address, any on another.
    """

    port: int
    host: str
    metrics_path: str
    allowed_hosts: Sequence[str] | None = None


class HealthListener:
    """A running listener. Should its process end, another one is started on the same port.

    Args:
        options: how to listen.
        ready: whether every model can be asked.
        metrics: the page for Prometheus.

    Raises:
        ConfigError: the port cannot be opened.
    """

    def __init__(self, options: HealthOptions, ready: Callable[[], bool], metrics: Callable[[], str]) -> None:
        self._options, self._ready, self._metrics = options, ready, metrics
        self._process, self.port = _start(options)
        self._stopping = threading.Event()
        self._draining = False
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._report_all, name="health-report", daemon=True)
        self._thread.start()

    def drain(self) -> None:
        """Say from now on that the server is not ready, so that nobody sends it more."""
        self._draining = True
        self._send()

    def stop(self) -> None:
        """End the process."""
        self._stopping.set()
        self._thread.join(5.0)
        _end(self._process)

    def _report_all(self) -> None:
        while not self._stopping.is_set():
            if not self._send() and not self._stopping.is_set():
                self._start_again()
            self._stopping.wait(REPORT_SECONDS)

    def _send(self) -> bool:
        """One report; False when the process is gone."""
        report: dict[str, Any] = {"ready": self._ready() and not self._draining, "metrics": self._metrics()}
        assert self._process.stdin is not None
        try:
            with self._writing:
                self._process.stdin.write(json.dumps(report).encode() + b"\n")
                self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def _start_again(self) -> None:
        _end(self._process)
        how = ending(self._process.returncode)
        log.error("the process that answers health ended (%s): another one is started", how)
        options = HealthOptions(**(asdict(self._options) | {"port": self.port}))
        try:
            self._process, self.port = _start(options)
        except (ConfigError, OSError) as error:
            log.error("health is not answered: %s", error)


def _start(options: HealthOptions) -> "tuple[subprocess.Popen[bytes], int]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, json.dumps(asdict(options))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    told = json.loads(process.stdout.readline() or "{}")
    if "port" not in told:
        _end(process)
        why = told.get("error", f"its process ended ({ending(process.returncode)}); what it said stands above")
        raise ConfigError(
            f"the health port {options.host}:{options.port} cannot be opened: {why}",
            "a free port",
            "choose another --health_port, or 0 for any free one",
        )
    return process, int(told["port"])


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError as error:
                log.debug("closing a pipe to the health process: %s", error)
