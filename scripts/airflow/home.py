"""What the folder of an Airflow keeps from one start to the next: its port, and that one Airflow at most runs in it."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kilnworks.schemas.locks import try_to_hold
from scripts.airflow.processes import StartFailed, free_port

WAIT_SECONDS = 40.0
"""How long the guards of an Airflow whose starter was killed may take to end everything."""


@contextmanager
def alone(home: Path) -> Iterator[int]:
    """For one starter at a time. Waits for the guards of a killed one; raises ``StartFailed`` where one is alive.

    Gives the descriptor of the lock: whoever inherits it, as the guards do, holds the folder until it ends too.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("a+") as lock:
        _take(lock, home)
        os.ftruncate(lock.fileno(), 0)
        os.write(lock.fileno(), str(os.getpid()).encode())
        yield lock.fileno()


def _take(lock: IO[str], home: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not try_to_hold(lock):
        lock.seek(0)
        starter = lock.read()
        if Path(f"/proc/{starter}").exists() or time.monotonic() > deadline:
            port = home / "port"
            at = f" at http://127.0.0.1:{port.read_text()}" if port.is_file() else ""
            raise StartFailed(f"an Airflow already runs in {home}{at}: end it, or give another --store")
        time.sleep(0.2)


def settled_port(home: Path, asked: int = 0) -> int:
    """The port to listen on: what was asked for, that of the last start where it is free, else a free one.

    Args:
        home: Airflow's folder, which keeps it for the next start.
        asked: 0 for no wish.

    Raises:
        StartFailed: somebody else listens on the port that was asked for.
    """
    kept = home / "port"
    last = int(kept.read_text() or 0) if kept.is_file() else 0
    if asked and not is_free(asked):
        raise StartFailed(f"port {asked} of 127.0.0.1 is taken or not allowed: make airflow PORT=ANOTHER")
    port = asked or (last if last and is_free(last) else free_port())
    kept.write_text(str(port))
    return port


def is_free(port: int) -> bool:
    """Whether this process may listen on a port of 127.0.0.1 now."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
