"""MLflow's own user interface on this machine alone, in a process group of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from kilnworks.schemas.crashes import ending
from kilnworks.schemas.errors import ConfigError, ServerUnavailable

HOST = "127.0.0.1"
START_SECONDS = 180.0
"""MLflow imports for about ten seconds on a busy machine; longer than this it hangs."""
STOP_SECONDS = 20.0
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""No processes for background jobs of evaluations, which we have none of; and no talking."""


@contextmanager
def served(uri: str, port: int) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """``mlflow server`` for the runs at ``uri``, answering, until the block ends.

    Args:
        uri: a database of MLflow; given by the environment, as it may hold a password.
        port: on 127.0.0.1.

    Yields:
        Its address and its process.

    Raises:
        ConfigError: the port is taken.
        ServerUnavailable: it has ended, or does not answer.
    """
    _require_free(port)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--uvicorn-opts", "--log-level warning"]
    environment = {"PYTHONWARNINGS": "ignore", **os.environ, **ENVIRONMENT, "MLFLOW_BACKEND_STORE_URI": uri}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait(f"http://{HOST}:{port}", process)
        yield f"http://{HOST}:{port}", process
    finally:
        _stop(process)


def _require_free(port: int) -> None:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as error:
            wanted = f"a free port on {HOST}"
            raise ConfigError(f"port {port}: {error.strerror}", wanted, "give another with --port") from None


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            got = f"mlflow server ended with {ending(process.returncode)}"
            raise ServerUnavailable(got, "MLflow's user interface", "read what it has said above")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise ServerUnavailable(f"mlflow server: no answer within {START_SECONDS:.0f} s", "an answer", "try again")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End it with the workers that it has started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
