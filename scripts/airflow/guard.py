"""What is done when whoever started something has ended, however it ended: by itself, Ctrl-C, SIGTERM or SIGKILL.

A shell waits for the end of a pipe that only the starter holds open, and then runs a command.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

MARK = "KILNWORKS_MARK"
"""Environment variable by which the processes of one Airflow are known: each inherits it from its parent."""
SWEEP_SECONDS = 10.0


class Guard:
    """Runs a command when this process has ended, or before that when it is asked to.

    Args:
        command: undoes what was started; does no harm where nothing is left.
    """

    def __init__(self, command: Sequence[object]) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", 'cat > /dev/null; exec "$@"', "guard", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def release(self) -> int:
        """Run the command now; returns its exit code."""
        self._process.communicate()
        return self._process.returncode


def sweeper(mark: str) -> Guard:
    """A guard that kills every process that carries a mark."""
    return Guard([sys.executable, Path(__file__).resolve(), mark])


def marked(mark: str) -> list[int]:
    """Living processes that carry a mark, by ``/proc``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if f"{MARK}={mark}".encode() in variables and state != "Z":
                found.append(int(folder.name))
    return found


def sweep(mark: str) -> None:
    """Kill what carries a mark, again and again until nothing does: a process may start another meanwhile."""
    deadline = time.monotonic() + SWEEP_SECONDS
    while (found := marked(mark)) and time.monotonic() < deadline:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


if __name__ == "__main__":
    sweep(sys.argv[1])
