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
        holds: descriptors, e.g. of a lock, that stay open until the command has ended.
    """

    def __init__(self, command: Sequence[object], holds: Sequence[int] = ()) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", 'cat > /dev/null; exec "$@"', "guard", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            pass_fds=holds,
        )

    def release(self) -> int:
        """Run the command now; returns its exit code."""
        self._process.communicate()
        return self._process.returncode


def sweeper(mark: str, home: Path, holds: Sequence[int] = ()) -> Guard:
    """A guard that kills every process that carries a mark or belongs to the Airflow in a folder."""
    return Guard([sys.executable, Path(__file__).resolve(), mark, home.resolve()], holds)


def belonging(mark: str, home: Path) -> list[int]:
    """Living processes that carry the mark, or are this Python at home in the folder without a terminal.

    Airflow overwrites the environment of the processes to which it gives a title; where they are at home it leaves.
    """
    return [int(p.name) for p in Path("/proc").glob("[0-9]*") if int(p.name) != os.getpid() and _belongs(p, mark, home)]


def _belongs(process: Path, mark: str, home: Path) -> bool:
    """Whether a folder of ``/proc`` is that of such a process; False for one that is gone."""
    with suppress(OSError):
        state, _, _, _, terminal = (process / "stat").read_text().rpartition(")")[2].split()[:5]
        if state == "Z":
            return False
        if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
            return True
        this = (process / "exe").readlink() == Path(sys.executable).resolve()
        return this and terminal == "0" and (process / "cwd").readlink() == home
    return False


def sweep(mark: str, home: Path) -> None:
    """Kill what belongs there, again and again until nothing does: a process may start another meanwhile."""
    deadline = time.monotonic() + SWEEP_SECONDS
    while (found := belonging(mark, home)) and time.monotonic() < deadline:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


if __name__ == "__main__":
    sweep(sys.argv[1], Path(sys.argv[2]))
