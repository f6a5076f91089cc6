"""When an earlier artifact may stand for a new one: the fingerprint of a step, and of the code behind it.

``fingerprint = sha256(component, its source and that of every module of ours that it imports, versions of the
libraries that these import, config identity, fingerprints of the inputs)``. A config's identity names data by
content, never by path (``Source.fingerprint``), and holds the seed.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import sys
import sysconfig
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from schemas.config import Config

FORMAT = 1
"""Raised when the layout of artifacts changes, so that no older one is taken for a new one."""


def step_fingerprint(run: Callable[..., Any], config: Config, inputs: Mapping[str, str]) -> str:
    """Name of what a step makes, before it is made; 64 hexadecimal digits.

    Args:
        run: the component.
        config: its settings; reads the source data where they name any.
        inputs: parameter -> fingerprint of the artifact given for it.
    """
    content = {
        "format": FORMAT,
        "component": f"{run.__module__}:{run.__qualname__}",
        "code": code_fingerprint(run.__module__),
        "libraries": library_versions(run.__module__),
        "config": config.identity(),
        "inputs": dict(inputs),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


@cache
def code_fingerprint(module: str) -> str:
    """Hash of the source of ``module`` and of every module of ours that it imports, directly or not."""
    digest = hashlib.sha256()
    for name, path in sorted(_closure(module).items()):
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


@cache
def library_versions(module: str) -> dict[str, str]:
    """Versions of the installed packages that ``module`` and our modules below it import, by distribution name."""
    found: set[str] = set()
    for name, path in _closure(module).items():
        found |= {imported.partition(".")[0] for imported in _imports(path, name)}
    return {d: _version(d) for d in sorted({_DISTRIBUTION.get(n, n) for n in found}) if _version(d)}


_DISTRIBUTION = {
    "yaml": "PyYAML",
    "tensorflow_serving": "tensorflow-serving-api",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
}


@cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def _closure(module: str) -> dict[str, Path]:
    """Module name -> source file, for ``module`` and everything of ours that it imports."""
    found: dict[str, Path] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        path = None if name in found else _our_source(name)
        if path is None:
            continue
        found[name] = path
        todo += _imports(path, name)
        todo += [name.rpartition(".")[0]] if "." in name else []
    return found


@cache
def _our_source(name: str) -> Path | None:
    """Source file of a module, None for what is built in or installed. Imports nothing: found by its path."""
    top, *inner = name.split(".")
    for folder in _our_folders(top):
        path = folder.joinpath(*inner)
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                return candidate
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if inner or loaded is None or _is_foreign(Path(loaded)):
        return None
    return Path(loaded).resolve()


@cache
def _our_folders(top: str) -> tuple[Path, ...]:
    """Folders of a top-level package that is ours, i.e. lies outside the installed ones."""
    if top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return ()
    spec = importlib.util.find_spec(top)
    folders = (Path(f).resolve() for f in (spec.submodule_search_locations or ()) if spec) if spec else ()
    return tuple(folder for folder in folders if not _is_foreign(folder))


def _is_foreign(path: Path) -> bool:
    return any(path.resolve().is_relative_to(root) for root in _foreign_roots())


@cache
def _foreign_roots() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return tuple(Path(paths[key]).resolve() for key in ("purelib", "platlib", "stdlib", "platstdlib"))


@cache
def _imports(path: Path, name: str) -> tuple[str, ...]:
    """Every module that a source file may import, at the top or inside a function."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(found)
