"""Kilnworks as others install it: a wheel, built from this clone, in an environment that does not know the clone."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("components", "dags", "kilnworks", "pipelines", "schemas", "pyproject.toml", "README.md", "LICENSE")
UV = Path(sys.executable).with_name("uv")


def wheel(folder: Path) -> Path:
    """The wheel of what stands here; built from a copy, for a build leaves its own things in the source."""
    source = folder / "source"
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    command = [str(UV), "build", "--quiet", "--wheel", "--out-dir", str(folder / "wheels"), str(source)]
    subprocess.run(command, check=True)
    (made,) = (folder / "wheels").glob("*.whl")
    return made


def python_with(built: Path, folder: Path) -> Path:
    """The interpreter of a new environment that has the wheel, and all else from the environment that runs this."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    command = [str(UV), "pip", "install", "--quiet", "--no-deps", "--python", str(python), str(built)]
    subprocess.run(command, check=True, env={**os.environ, "UV_LINK_MODE": "copy"})
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    others = folder / "lib" / version / "site-packages" / "others.pth"
    others.write_text(sysconfig.get_paths()["purelib"] + "\n")  # .pth files in there are not read: no clone
    return python
