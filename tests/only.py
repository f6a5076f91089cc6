"""Kilnworks as it is where only some extras are installed, without installing anything.

What an extra brings is followed from ``pyproject.toml`` through what each distribution says that it needs; every module
of another distribution is refused, as if it were not there.
"""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BLOCK = """
import sys
from importlib.machinery import PathFinder

REFUSED = frozenset({refused!r})
found = PathFinder.find_spec


def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in REFUSED else found(name, path, target)


PathFinder.find_spec = find_spec  # what other finders ask as well
"""


def plain(name: str) -> str:
    """A distribution's name in the one spelling by which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked(extra: str) -> list[Requirement]:
    """What one extra asks for, extras of ours inside it followed; "" = plain ``kilnworks``."""
    found = []
    for text in PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]:
        wanted = Requirement(text)
        if wanted.name == "kilnworks":
            found += [one for name in sorted(wanted.extras) for one in asked(name)]
        else:
            found.append(wanted)
    return found


@cache
def closure(*extras: str) -> frozenset[str]:
    """Distributions that plain ``kilnworks`` and some extras bring."""
    waiting = [one for extra in ("", *extras) for one in asked(extra)]
    found: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *sorted(wanted.extras)):
            if (plain(wanted.name), extra) in found:
                continue
            found.add((plain(wanted.name), extra))
            try:
                needed = map(Requirement, importlib.metadata.requires(wanted.name) or ())
            except importlib.metadata.PackageNotFoundError:  # for another system or Python
                continue
            waiting += [one for one in needed if one.marker is None or one.marker.evaluate({"extra": extra})]
    return frozenset(name for name, _ in found)


@cache
def owners() -> dict[str, frozenset[str]]:
    """Top-level module -> the distributions that hold it."""
    found = importlib.metadata.packages_distributions()
    return {module: frozenset(map(plain, names)) for module, names in found.items()}


def refused(*extras: str) -> list[str]:
    """Modules that are not there where only these extras are installed."""
    ours = {"kilnworks", "kilnworks_client"}
    return sorted(module for module, names in owners().items() if module not in ours and not names & closure(*extras))


def ran(code: str, *extras: str, folder: Path, ok: bool = True) -> str:
    """What a program prints where only these extras are installed."""
    process = started(code, *extras, folder=folder)
    out, err = process.communicate(timeout=300)
    assert (process.returncode == 0) == ok, out + err
    return out + err


def started(code: str, *extras: str, folder: Path, stderr: int | IO[str] = subprocess.PIPE) -> "subprocess.Popen[str]":
    """The same as a process that has begun, with pipes."""
    whole = BLOCK.format(refused=refused(*extras)) + code
    env = {**os.environ, "PYTHONPATH": str(ROOT), "KILNWORKS_STORE": str(folder / "store"), "COLUMNS": "200"}
    command = [sys.executable, "-c", whole]
    return subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True
    )


def command(*commands: Sequence[str]) -> str:
    """Code that runs commands of ours, each given as its words; ends with the worst exit code."""
    return f"from kilnworks.pipelines.cli.app import main\nsys.exit(max(map(main, {json.dumps(commands)})))\n"
