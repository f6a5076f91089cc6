"""What a fingerprint of code cannot see: modules named only at run time, and files that code reads by itself."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from kilnworks.schemas.closure.modules import find_module, is_ours, source
from kilnworks.schemas.closure.source_code import parsed, source_code, unknown_module

READERS = frozenset(
    {"open", "read_text", "read_bytes", "read_csv", "read_parquet", "read_json", "loadtxt", "genfromtxt", "fromfile",
     "load_model", "load_weights", "urlopen", "urlretrieve", "get_file"}
)  # fmt: skip
"""Functions and methods that read from a file or a network."""


def unseen(modules: Iterable[str]) -> tuple[str, ...]:
    """In words, each place below the modules where code depends on what its fingerprint does not hold.

    Looks at the project's own files only, not at this package's or at those of libraries.
    """
    found: list[str] = []
    for name in sorted(source_code(modules).files):
        spec = find_module(name)
        origin = source(spec) if spec is not None else None
        if origin is not None and origin[0].suffix == ".py" and not is_ours(origin[0]):
            found += _places(origin[0], origin[1], name)
    return tuple(found)


def _places(path: Path, content: bytes, name: str) -> Iterator[str]:
    for node in ast.walk(parsed(path, content)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and unknown_module(node, name):
            yield f"{path.name} line {node.lineno} imports a module whose name is made at run time ({called})"
        elif called in READERS and not _writes(node):
            yield f"{path.name} line {node.lineno} reads a file or address by itself ({called})"


def _writes(call: ast.Call) -> bool:
    """Whether an ``open`` names a mode that only writes."""
    modes = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]
    texts = [m.value for m in modes if isinstance(m, ast.Constant) and isinstance(m.value, str)]
    return bool(texts) and not set("r+") & set(texts[0])
