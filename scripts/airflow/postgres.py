"""A PostgreSQL of its own for Airflow, in one folder, on a free port of 127.0.0.1.

The server comes from the system's packages (Debian: ``apt-get install postgresql``). It refuses to run as root, so root
lets the user ``postgres`` run it.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.airflow.guard import Guard
from scripts.airflow.processes import StartFailed, free_port

BINARIES = "/usr/lib/postgresql"
USER = "postgres"


@dataclass
class Postgres:
    """One server.

    Attributes:
        folder: for its data and log.
        port: 0 for a free one.
    """

    folder: Path
    port: int = 0

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self._as_user = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
        self._guard: Guard | None = None

    @property
    def url(self) -> str:
        """What Airflow connects to."""
        return f"postgresql+psycopg2://{USER}@127.0.0.1:{self.port}/airflow"

    def start(self) -> None:
        """Make the database and start the server. Raises ``StartFailed``, also where none is installed.

        The server ends when this process does, even if it is killed.
        """
        binaries = find()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._as_user:
            owner = pwd.getpwnam(USER)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        data = self.folder / "data"
        if not data.exists():
            self._run(binaries / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        stop = [*self._as_user, binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"]
        self._guard = Guard(stop)
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories={self.folder} -c fsync=off"
        self._run(binaries / "pg_ctl", "-D", data, "-w", "-l", self.folder / "postgres.log", "-o", options, "start")
        self._run(binaries / "createdb", "-h", "127.0.0.1", "-p", self.port, "-U", USER, "airflow")

    def stop(self) -> None:
        """End the server, where one was started."""
        if self._guard is not None:
            self._guard.release()
            self._guard = None

    def _run(self, *arguments: object) -> None:
        """Run one of its programs; what it starts keeps no pipe of ours open."""
        log = self.folder / "commands.log"
        with log.open("ab") as output:
            command = [*self._as_user, *map(str, arguments)]
            done = subprocess.run(command, cwd="/", stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise StartFailed(f"{Path(str(arguments[0])).name} failed:\n{log.read_text(errors='replace')[-3000:]}")


def usable() -> bool:
    """Whether a server is installed, and the drivers by which Airflow reaches it."""
    drivers = all(importlib.util.find_spec(name) is not None for name in ("psycopg2", "asyncpg"))
    return drivers and (bool(list(Path(BINARIES).glob("*/bin/initdb"))) or shutil.which("initdb") is not None)


def find() -> Path:
    """Folder of the newest server's programs. Raises ``StartFailed`` where there is none."""
    found = sorted(Path(BINARIES).glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise StartFailed("no PostgreSQL server is installed: apt-get install postgresql")
    return Path(on_path).parent


def install() -> None:
    """Install the server from Debian's packages where that is possible. Raises ``StartFailed`` with the reason."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise StartFailed("PostgreSQL is not installed, and installing it needs root and apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "postgresql"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StartFailed(f"{' '.join(command)}: {done.stderr[-1000:]}")
