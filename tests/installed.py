"""Kilnworks as others install it: wheels, built from this clone, in environments that do not know the clone."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = (
    *("components", "dags", "kilnworks", "kilnworks_client", "pipelines", "schemas"),
    *("pyproject.toml", "README.md", "LICENSE"),
)
UV = Path(sys.executable).with_name("uv")
_CACHES = shutil.ignore_patterns("__pycache__")


def wheel(folder: Path) -> Path:
    """The wheel of what stands here; built from a copy, for a build leaves its own things in the source."""
    source = folder / "source"
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=_CACHES)
        else:
            shutil.copy(ROOT / name, source / name)
    return _built(source, folder / "wheels")


def client_wheel(folder: Path) -> Path:
    """The wheel of the client alone."""
    source = folder / "client"
    shutil.copytree(ROOT / "kilnworks_client", source, ignore=_CACHES)
    return _built(source, folder / "client_wheels")


def _built(source: Path, out: Path) -> Path:
    subprocess.run([str(UV), "build", "--quiet", "--wheel", "--out-dir", str(out), str(source)], check=True)
    (made,) = out.glob("*.whl")
    return made


def python_with(built: Path, folder: Path) -> Path:
    """The interpreter of a new environment that has the wheel, and all else from the environment that runs this."""
    python = _environment(folder)
    _install(python, "--no-deps", str(built))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    others = folder / "lib" / version / "site-packages" / "others.pth"
    others.write_text(sysconfig.get_paths()["purelib"] + "\n")  # .pth files in there are not read: no clone
    return python


def python_with_only(folder: Path, *wanted: str) -> Path:
    """The interpreter of a new environment that has what is wanted, in the versions of the lock, and nothing else."""
    python = _environment(folder)
    _install(python, "--constraint", str(ROOT / "requirements.txt"), *wanted)
    return python


def distributions(python: Path) -> set[str]:
    """Names of what an environment has."""
    code = "from importlib.metadata import distributions as d; print(*(one.name.lower() for one in d()))"
    return set(subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.split())


def alone() -> dict[str, str]:
    """The environment of a process that is to see nothing of this clone."""
    unwanted = ("PYTHONPATH", "VIRTUAL_ENV", "KILNWORKS_ROOT", "KILNWORKS_STORE")
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def _environment(folder: Path) -> Path:
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


def _install(python: Path, *words: str) -> None:
    command = [str(UV), "pip", "install", "--quiet", "--python", str(python), *words]
    subprocess.run(command, check=True, env={**os.environ, "UV_LINK_MODE": "copy"})
