"""Services of ``docker/compose.yaml`` as processes of this machine: entry point, command and environment as they stand.

What a container has to itself is replaced by what a test has: folders of the image and volumes, names of other
containers, ports. ``Composed.replaced`` holds every such replacement; nothing else of a service is changed.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scripts.airflow.processes import free_port
from scripts.images.dockerfile import settings, stages
from tests.docker.written import ROOT, compose, script

IMAGE_ROOT = "/opt/kilnworks"
BIN = Path(sys.executable).parent
PORTS = ("8080", "5000", "8500", "8501", "9464", "9090", "8974")
NUMBER = re.compile(rf"(?<!\d)({'|'.join(PORTS)})(?!\d)")
STOCK = "tensorflow-serving"
"""It listens on the same ports as our server, in a container of its own."""


class Composed:
    """The services, below a folder; each port of the compose file has one of this machine."""

    def __init__(self, folder: Path, project: Path, replaced: Mapping[str, str] | None = None):
        self.folder, self.services = folder, compose()["services"]
        self.ports = {port: str(free_port()) for port in PORTS}
        self.stock = {port: str(free_port()) for port in ("8500", "8501")}
        places = {"/run/secrets": folder / "secrets", IMAGE_ROOT: ROOT, "/project": project}
        places |= {name: folder / name.strip("/") for name in ("/store", "/config", "/mlflow", "/opt/airflow")}
        places["/etc/kilnworks/monitoring.config"] = ROOT / "docker/serve/monitoring.config"
        script("make_secrets").main(folder / "secrets")
        for place in places.values():
            if place.is_relative_to(folder):
                place.mkdir(parents=True, exist_ok=True)
        self.replaced = {path: str(place) for path, place in places.items()}
        self.replaced |= {"0.0.0.0": "127.0.0.1", **(replaced or {})}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def here(self, text: str, name: str = "") -> str:
        """A text of the compose file, or of the Dockerfile, as it is right on this machine for a service."""
        text = re.sub(r"\$\{(\w+):-(.*?)\}", lambda match: os.environ.get(match[1], match[2]), text)
        text = re.sub(rf"{STOCK}:(\d+)", lambda match: f"127.0.0.1:{self.stock[match[1]]}", text)
        text = text.replace("$$", "$")
        text = re.sub(r"\b(airflow-api-server|mlflow|serve|metrics):(?=\d)", "127.0.0.1:", text)
        for old, new in sorted(self.replaced.items(), key=lambda pair: -len(pair[0])):
            text = re.sub(rf"(?<![\w/.]){re.escape(old)}(?![\w-])", lambda _, new=new: new, text)
        ports = {**self.ports, **self.stock} if name == STOCK else self.ports
        return NUMBER.sub(lambda match: ports[match[1]], text)

    def command(self, name: str) -> list[str]:
        """What the container of a service would start."""
        service = self.services[name]
        image = settings(stages(), service["build"]["target"]) if "build" in service else None
        entrypoint = service.get("entrypoint", image.entrypoint if image else [])
        default = image.command if image and "entrypoint" not in service else []
        return [self.here(str(word), name) for word in [*entrypoint, *service.get("command", default)]]

    def health(self, name: str) -> list[str]:
        """The command of its health check."""
        service = self.services[name]
        test = service.get("healthcheck", {}).get("test")
        if test and "wget" in test:
            test = [
                None,
                "python",
                str(ROOT / "docker/healthy.py"),
                test[-1],
            ]  # these images have it, a machine may not
        found = test[1:] if test else settings(stages(), service["build"]["target"]).health
        return [self.here(str(word), name) for word in found]

    def environment(self, name: str) -> dict[str, str]:
        """What its processes see: that of the image, then that of the service."""
        service = self.services[name]
        image = settings(stages(), service["build"]["target"]).environment if "build" in service else {}
        given = {**image, **service.get("environment", {})}
        found = {key: self.here(str(value), name) for key, value in given.items() if key != "PATH"}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "KILNWORKS", "MLFLOW"))}
        path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_PROXY": "127.0.0.1,localhost"}
        health_port = {"AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": self.ports["8974"]}
        return {**inherited, **path, **health_port, **found}

    def run(self, name: str, command: list[str] | None = None, timeout: float = 300):
        """Run a service to its end, or another command in its surroundings."""
        full = command or self.command(name)
        where = {"cwd": self.folder, "env": self.environment(name)}
        return subprocess.run(full, **where, capture_output=True, text=True, timeout=timeout, check=False)

    def start(self, name: str, *more: str, program: tuple[str, ...] = (), **extra: str) -> None:
        """Start a service, its output in ``NAME.log``.

        Args:
            name: of the service.
            more: further arguments, such as ports that a container has by default.
            program: what the image of others has as its entry point.
            extra: further variables.
        """
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*program, *self.command(name), *more],
                cwd=self.folder,
                env={**self.environment(name), **extra},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def well(self, name: str) -> bool:
        """Whether its health check says so; fails where the process has ended."""
        process = self.processes.get(name)
        assert process is None or process.poll() is None, self.log(name)[-3000:]
        return self.run(name, self.health(name)).returncode == 0

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """End everything: politely, then for good."""
        for number, seconds in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 20.0)):
            for process in self.processes.values():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            for process in self.processes.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
        self.processes.clear()
