"""When an earlier artifact may stand for a new one: the fingerprint of a step, and of the code behind it.

``fingerprint = sha256(component, the source of it and of every class in its config, and of every module of ours that
these import, versions of the libraries that these import, config identity, fingerprints of the inputs)``. A config's
identity names data by content, never by path (``Source.fingerprint``), and holds the seed.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kilnworks.pipelines.core.held import Held
from kilnworks.schemas.closure.libraries import versions
from kilnworks.schemas.closure.modules import find_module
from kilnworks.schemas.closure.source_code import Part, SourceCode, source_code
from kilnworks.schemas.code import forget_sources
from kilnworks.schemas.config import Config

FORMAT = 1
"""Raised when the layout of artifacts changes, so that no older one is taken for a new one."""


@dataclass(frozen=True)
class Code:
    """The code behind a step.

    Attributes:
        digest: hash of the source of all of it; 64 hexadecimal digits.
        libraries: versions of the installed packages that it imports, by distribution name.
        names: the functions and classes that the step and its config hold, and the values that functions hold.
    """

    digest: str
    libraries: Mapping[str, str]
    names: Mapping[str, str]


def step_code(run: Callable[..., Any], config: Config) -> Code:
    """The code of a component and of every class in its config, as it was when this process first asked for it.

    Raises:
        ConfigError: a file of it is no Python.
    """
    held = Held()
    held.function(run, "run")
    held.classes(config, "config")
    modules = frozenset(held.modules)
    return Code(_digest(modules), _libraries(modules), held.names)


def step_fingerprint(run: Callable[..., Any], config: Config, inputs: Mapping[str, str]) -> str:
    """Name of what a step makes, before it is made; 64 hexadecimal digits.

    Args:
        run: the component.
        config: its settings; reads the source data where they name any.
        inputs: parameter -> fingerprint of the artifact given for it.
    """
    code = step_code(run, config)
    content = {
        "format": FORMAT,
        "component": f"{run.__module__}:{run.__qualname__}",
        "code": code.digest,
        "libraries": code.libraries,
        "names": code.names,
        "config": config.identity(),
        "inputs": dict(inputs),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def forget_code() -> None:
    """Look at all code anew: modules of the same names now lie elsewhere, or were edited and imported again."""
    for known in (_source, _libraries, _digest):
        known.cache_clear()
    _PARTS.clear()
    forget_sources()


_PARTS: dict[str, Part] = {}


@cache
def _source(modules: frozenset[str]) -> SourceCode:
    return source_code(modules, _PARTS)


@cache
def _libraries(modules: frozenset[str]) -> dict[str, str]:
    return versions(_source(modules).libraries)


@cache
def _digest(modules: frozenset[str]) -> str:
    """Hash of the source of the modules; with code that is in no file, one that no other process will have."""
    unknown = [name for name in sorted(modules) if _is_nowhere(name)]
    return _source(modules).digest() + (f" {_THIS_PROCESS}" if unknown else "")


_THIS_PROCESS = uuid.uuid4().hex


def _is_nowhere(name: str) -> bool:
    """Whether a module has no file that could be looked at, as what is typed at a prompt."""
    if name != "__main__":
        return False
    spec = find_module(name)
    return spec is None or spec.origin is None
