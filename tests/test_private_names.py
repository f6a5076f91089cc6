"""Every private name of another library that we use: one file, and the version in which it was looked at.

An upgrade of such a library fails here. Then read what the third column names, run the tests of that file, and put the
new version into the table.
"""

import ast
import importlib.metadata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("components", "schemas", "pipelines", "dags")
BORROWED = {
    "typer._click.exceptions.ClickException": ("typer", "0.29.1", "the base of Typer's errors of usage: cli/app.py"),
    "_validate": ("great_expectations", "1.24.1", "the verdict of an aggregate expectation: expectations/merge.py"),
    "_make_callable_from_options": ("tensorflow", "2.21.0", "Session's callables: loading/execution.py"),
    "_as_tf_output": ("tensorflow", "2.21.0", "the C handle of an output: loading/execution.py"),
    "pywrap_tf_session": ("tensorflow", "2.21.0", "a run that can be cancelled: loading/execution.py"),
    "graph_validate": ("great_expectations", "1.24.1", "many rules in one pass: expectations/gx.py"),
    "_process_workloads": ("apache-airflow", "3.3.2", "what an executor overrides: dags/executor.py"),
    "_credentials": ("grpcio", "1.85.1", "the C object of server credentials: grpc/direct.py"),
    "grpc._cython.cygrpc": ("grpcio", "1.85.1", "the completion queue: grpc/direct.py"),
}
"""Private name -> distribution, version, and what it is for; also names without ``_`` that nobody documents."""
PUBLIC = {"_exit"}
"""Documented in spite of their names: ``os._exit``."""


@cache
def sources() -> dict[Path, ast.Module]:
    """Every file of the library, parsed."""
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    return {file: ast.parse(file.read_text()) for file in files}


def named_here(trees: dict[Path, ast.Module]) -> set[str]:
    """Names that our own code gives to something."""
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    found = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    found |= {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    return found | {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


def foreign(tree: ast.Module, ours: set[str]) -> Iterator[str]:
    """Private names that a file uses and that nothing of ours is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in ours and node.attr not in PUBLIC:
            yield node.attr
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        within = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for name in (f"{within}{name}" for name in names):
            if any(map(private, name.split("."))) and not name.startswith("kilnworks."):
                yield name


@cache
def used() -> dict[str, set[Path]]:
    """Private name of another library -> files that use it."""
    trees = sources()
    ours, found = named_here(trees), {}  # type: set[str], dict[str, set[Path]]
    for file, tree in trees.items():
        for name in foreign(tree, ours):
            found.setdefault(name, set()).add(file)
    return found


def test_every_private_name_is_in_the_table_and_in_one_file() -> None:
    found = used()
    assert set(found) <= set(BORROWED), "use what is documented, or add a line with the version and a decision"
    assert {name: len(files) for name, files in found.items() if len(files) > 1} == {}


@pytest.mark.parametrize("name", BORROWED)
def test_the_library_is_the_one_that_was_looked_at(name: str) -> None:
    distribution, version, purpose = BORROWED[name]
    if any(name.rpartition(".")[2] in file.read_text() for file in sources()):
        assert importlib.metadata.version(distribution) == version, f"look at {name} again ({purpose})"


def test_private_names_are_found() -> None:
    tree = ast.parse("import a._b\nfrom c._d import e\nfrom f import _g\nx._h\nself._ours\ny.__class__\nos._exit(1)")
    assert sorted(foreign(tree, {"_ours"})) == ["_h", "a._b", "c._d.e", "f._g"]
