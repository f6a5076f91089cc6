"""All processes of an Airflow on this machine, with everything it keeps in one folder: start, wait, stop.

LocalExecutor, simple authentication with one admin and one viewer, listening on 127.0.0.1 alone.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.airflow.guard import MARK, Guard, sweeper

ROOT = Path(__file__).parents[2]
USERS = {"admin": "admin", "viewer": "viewer"}
"""User -> role of Airflow's simple auth manager."""
SERVED_LOGS = "served-logs"
COMPONENTS = ("api-server", SERVED_LOGS, "dag-processor", "scheduler", "triggerer")
"""In the order of their start: a task that starts before the API server answers fails."""
START_SECONDS = 180.0
STOP_SECONDS = 20.0

PREPARE = """
import json, sys
from airflow.utils.db import initdb
initdb()
from airflow.models.pool import Pool
for name, slots, text in json.loads(sys.argv[1]):
    Pool.create_or_update_pool(name, slots=slots, description=text, include_deferred=False)
"""


class StartFailed(Exception):
    """Airflow did not come up; the message ends with the last lines of the log that tells why."""


@dataclass
class Airflow:
    """One Airflow.

    Attributes:
        home: folder for its configuration, database, passwords and logs.
        store: the store of Kilnworks.
        database: SQLAlchemy URL; None for SQLite in ``home``.
        port: of the UI and API; 0 for a free one.
        project: folder with the pipelines' definitions (``$KILNWORKS_ROOT``).
        settings: further environment variables for all processes.
        parallelism: most tasks at once.
        python: the interpreter whose Airflow it is.
        modules: folders on ``PYTHONPATH``: that of ``scripts``, and of Kilnworks where the interpreter lacks it.
        holds: descriptors that stay open until nothing of it runs any more (see ``Guard``).
    """

    home: Path
    store: Path
    database: str | None = None
    port: int = 0
    project: Path = ROOT
    settings: Mapping[str, str] = field(default_factory=dict)
    parallelism: int = 4
    python: str = sys.executable
    modules: tuple[Path, ...] = (ROOT,)
    holds: tuple[int, ...] = ()
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.store.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        self._logs_port = free_port()
        self._mark = secrets.token_hex(8)
        self._guard: Guard | None = None
        self._is_prepared = False
        self._secrets = _kept(self.home / "secrets.json", _new_secrets)
        self.passwords: dict[str, str] = _kept(self.home / "passwords.json", _new_passwords)

    @property
    def url(self) -> str:
        """Address of the UI."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """What every process of this Airflow, and every command about it, needs."""
        path = [*map(str, self.modules), *filter(None, [os.environ.get("PYTHONPATH")])]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__")}
        sections: dict[str, dict[str, Any]] = {
            "core": {
                "executor": "kilnworks.dags.executor.LastEndLocalExecutor",
                "parallelism": self.parallelism,
                "dags_folder": ROOT / "dags",
                "plugins_folder": self.home / "plugins",
                "load_examples": False,
                "hostname_callable": "scripts.airflow.logs.hostname",
                "fernet_key": self._secrets["fernet"],
                "execution_api_server_url": f"{self.url}/execution/",
                "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
                "simple_auth_manager_users": ",".join(f"{name}:{role}" for name, role in USERS.items()),
                "simple_auth_manager_passwords_file": self.home / "passwords.json",
            },
            "database": {"sql_alchemy_conn": self.database or f"sqlite:///{self.home / 'airflow.db'}"},
            "api": {
                "host": "127.0.0.1",
                "port": self.port,
                "base_url": self.url,
                "workers": 1,
                "secret_key": self._secrets["api"],
            },
            "api_auth": {"jwt_secret": self._secrets["jwt"]},
            "logging": {
                "base_log_folder": self.home / "logs",
                "worker_log_server_port": self._logs_port,
                "trigger_log_server_port": self._logs_port,
            },
            "scheduler": {"scheduler_idle_sleep_time": 0.5, "enable_health_check": False},
            "workers": {"min_heartbeat_interval": 1},  # also how late the end of a task is noticed, in seconds
            "dag_processor": {"refresh_interval": 30, "min_file_process_interval": 15},
            "usage_data_collection": {"enabled": False},
        }
        settings = {
            f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
            for section, values in sections.items()
            for key, value in values.items()
        }
        return {
            **inherited,
            **settings,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_CONN_FS_DEFAULT": json.dumps({"conn_type": "fs", "extra": {"path": "/"}}),
            "KILNWORKS_ROOT": str(self.project),
            "KILNWORKS_STORE": str(self.store),
            "PYTHONPATH": os.pathsep.join(path),
            "NO_PROXY": "127.0.0.1,localhost",
            MARK: self._mark,
            **self.settings,
        }

    def prepare(self) -> None:
        """Make or upgrade the database, and the pools."""
        pools = [("training", 1, "trainings at once"), ("gpu", max(1, gpus()), "tasks with a GPU at once")]
        command = [self.python, "-c", PREPARE, json.dumps(pools)]
        done = subprocess.run(
            command, env=self.environment(), cwd=self.home, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise StartFailed(f"the database cannot be made:\n{done.stderr[-3000:]}")
        self._is_prepared = True

    def start(self) -> None:
        """Start every component, of which none runs, and wait until all are well. Raises ``StartFailed``.

        Nothing is left running when this process ends, even if it is killed.
        """
        self._guard = self._guard or sweeper(self._mark, self.home, self.holds)
        if not self._is_prepared:  # to look again takes a processor for some seconds
            self.prepare()
        self.processes.clear()
        for name in COMPONENTS:
            self.start_one(name)
            if name == COMPONENTS[0]:
                self._wait(self.answers)
        self._wait(self.healthy)

    def start_one(self, name: str) -> None:
        """Start one component, with its output in ``home/NAME.log``; not waited for."""
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [self.python, "-m", *self._command(name)],
                env=self.environment(),
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _command(self, name: str) -> list[str]:
        """Module and arguments of a component."""
        if name == SERVED_LOGS:
            return ["scripts.airflow.logs", str(self._logs_port)]
        return ["airflow", name, *(["--skip-serve-logs"] if name in ("scheduler", "triggerer") else [])]

    def _wait(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so. Raises ``StartFailed`` when a component has ended, or after three minutes."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            ended = next((name for name, process in self.processes.items() if process.poll() is not None), None)
            if ended is not None or time.monotonic() > deadline:
                name = ended or "api-server"
                raise StartFailed(f"{name} does not run:\n{self.log(name)[-3000:]}")
            time.sleep(0.5)

    def answers(self) -> bool:
        """Whether the API server answers."""
        return bool(self._health())

    def healthy(self) -> bool:
        """Whether the API server says that the database, scheduler, triggerer and DAG processor are well."""
        found = self._health()
        return bool(found) and all(part.get("status") == "healthy" for part in found.values())

    def _health(self) -> dict[str, dict[str, Any]]:
        """What the API server says of each part; nothing where it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=5) as answer:
                return dict(json.load(answer))
        except (urllib.error.URLError, TimeoutError, ConnectionError, json.JSONDecodeError):
            return {}

    def log(self, name: str) -> str:
        """What a component has printed."""
        return (self.home / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """End every component and whatever it started: politely, then for good."""
        for name in reversed(COMPONENTS):
            if name in self.processes:
                _signal(self.processes[name], signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
        for process in self.processes.values():
            _signal(process, signal.SIGKILL, group=True)
            process.wait()
        self.processes.clear()
        if self._guard is not None:
            self._guard.release()
            self._guard = None


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def gpus() -> int:
    """Number of NVIDIA GPUs here."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def _signal(process: subprocess.Popen[bytes], number: int, group: bool = False) -> None:
    """Signal a process, or all of its group; one that is gone already is no error."""
    try:
        if group:
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.send_signal(number)
    except ProcessLookupError:
        return


def _kept(path: Path, make: Any) -> dict[str, str]:
    """Secrets that live as long as the folder, readable by their owner alone."""
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_text(json.dumps(make()))
    found: dict[str, str] = json.loads(path.read_text())
    return found


def _new_secrets() -> dict[str, str]:
    return {
        "fernet": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "api": secrets.token_urlsafe(64),
        "jwt": secrets.token_urlsafe(48),
    }


def _new_passwords() -> dict[str, str]:
    return {name: secrets.token_urlsafe(9) for name in USERS}
