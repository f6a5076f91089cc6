"""Stages of a Dockerfile built in folders, and their commands run there, without a Docker engine; needs root.

The base image is a fresh Debian by ``debootstrap`` with Debian's Python of the same minor version. A command runs by
``chroot``, in a mount namespace of its own that ends with it.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.images.dockerfile import ROOT, Instruction, Settings, Stage, settings, stages

DEBIAN = ("ca-certificates", "python3", "python3-venv", "python3-pip")
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
"""Variables of this machine that a build sees, as an engine passes them as build arguments."""
LOOPBACK = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x41))"
"""Brings the loopback interface of a new network namespace up (SIOCSIFFLAGS; up and running)."""


class BuildFailed(Exception):
    """An instruction failed; the message names its line and ends with what it printed."""


@dataclass
class Builder:
    """Builds stages below a folder.

    Attributes:
        work: folder for the roots, one a stage whose files differ from its base's; they stay.
        context: folder from which ``COPY`` takes files.
        debootstrap: the program.
    """

    work: Path
    context: Path = ROOT
    debootstrap: Sequence[str] = ("debootstrap",)

    def __post_init__(self) -> None:
        self.stages = stages()
        self._built: dict[str, Path] = {}

    def build(self, name: str) -> "Image":
        """A stage and all that it needs. Raises ``BuildFailed``."""
        return Image(self._root(name), settings(self.stages, name))

    def _root(self, name: str) -> Path:
        if name not in self._built:
            stage = self.stages.get(name)
            self._built[name] = self._base(name) if stage is None else self._stage(stage)
        return self._built[name]

    def _stage(self, stage: Stage) -> Path:
        below = self._root(stage.base)
        if not stage.changes_files():
            return below
        root = self.work / stage.name
        shutil.rmtree(root, ignore_errors=True)
        _run(["cp", "--archive", "--reflink=auto", str(below), str(root)])
        known = settings(self.stages, stage.base) if stage.base in self.stages else Settings()
        image = Image(root, known)
        for one in stage.instructions:
            known.apply(one)
            if one.word == "RUN":
                self._execute(image, one)
            elif one.word == "COPY":
                self._copy(image, one)
            elif one.word == "WORKDIR":
                (root / one.value.lstrip("/")).mkdir(parents=True, exist_ok=True)
        return root

    def _base(self, image: str) -> Path:
        """A Debian in place of ``python:3.11.13-slim-bookworm``."""
        tag = image.partition(":")[2]
        version, _, suite = tag.partition("-slim-")
        root = self.work / "base"
        if not (root / "made").exists():
            shutil.rmtree(root, ignore_errors=True)
            _run([*self.debootstrap, "--variant=minbase", f"--include={','.join(DEBIAN)}", suite, str(root)])
            (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
            shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
            if (Path("/") / CERTIFICATES).is_file():
                shutil.copy(Path("/") / CERTIFICATES, root / CERTIFICATES)
            (root / "made").touch()
        said = Image(root, Settings()).run(["python", "--version"]).stdout.split()[-1]
        if said.split(".")[:2] != version.split(".")[:2]:
            raise BuildFailed(f"{suite} has Python {said}, and the Dockerfile wants {version}")
        return root

    def _execute(self, image: "Image", one: Instruction) -> None:
        passed = {name: os.environ[name] for name in PASSED if name in os.environ}
        passed["SSL_CERT_FILE"] = f"/{CERTIFICATES}"
        done = image.run(["/bin/sh", "-c", one.value], passed)
        if done.returncode != 0:
            raise BuildFailed(f"line {one.line}: exit code {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")

    def _copy(self, image: "Image", one: Instruction) -> None:
        """``COPY [--from=STAGE] FROM... TO``; of the context no bytecode."""
        words = one.value.split()
        other = words[0].partition("--from=")[2]
        source = self._root(other) if other else self.context
        *names, target = words[bool(other) :]
        place = image.root / (Path(image.settings.workdir) / target).relative_to("/")
        for name in names:
            found = source / name.lstrip("/")
            into = place / found.name if target.endswith("/") else place
            into.parent.mkdir(parents=True, exist_ok=True)
            if found.is_dir():
                shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True, ignore=_ignored(bool(other)))
            else:
                shutil.copy2(found, into)


@dataclass(frozen=True)
class Image:
    """A built stage: the folder that is its root, and what a container of it starts with."""

    root: Path
    settings: Settings

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        mounts: Mapping[str, Path] | None = None,
        alone: bool = False,
        timeout: float = 3600,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as its user, in its working directory.

        Args:
            command: in exec form.
            environment: further variables.
            mounts: path in the image -> folder of this machine.
            alone: without the network of this machine; its loopback interface is its own.
            timeout: in seconds.
        """
        variables = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp"}
        variables |= {**self.settings.environment, **(environment or {})}
        places = {"/dev": Path("/dev"), **(mounts or {})}
        script = [f'mount --rbind "{path}" "{self.root}{place}"' for place, path in places.items()]
        script.append(f'mount -t proc proc "{self.root}/proc"')
        script += [shlex.join([sys.executable, "-c", LOOPBACK])] if alone else []
        inner = f'cd "{self.settings.workdir}" && exec "$@"'
        user = [f"--userspec={self.settings.user}"] if self.settings.user else []
        pairs = [f"{name}={value}" for name, value in variables.items()]
        chroot = ["chroot", *user, str(self.root), "/usr/bin/env", "-i", *pairs, "/bin/sh", "-c", inner, "sh", *command]
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *(["--net"] if alone else [])]
        full = [*apart, "/bin/sh", "-ec", "; ".join([*script, 'exec "$@"']), "sh", *chroot]
        return subprocess.run(full, capture_output=True, text=True, timeout=timeout, check=False)

    def start(self) -> list[str]:
        """What a container starts with no arguments of its own."""
        return [*self.settings.entrypoint, *self.settings.command]


def _ignored(everything: bool) -> Callable[[str, list[str]], set[str]] | None:
    return None if everything else shutil.ignore_patterns("__pycache__", "*.pyc")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-3000:]}")
