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
ROOMS = ("components", "schemas", "pipelines", "dags", "kilnworks", "kilnworks_client", "scripts", "bench")
BORROWED = {
    "typer._click.exceptions.ClickException": ("typer", "0.29.1", "the base of Typer's errors of usage: cli/app.py"),
    "_validate": ("great_expectations", "1.24.1", "the verdict of an aggregate expectation: expectations/merge.py"),
    "graph_validate": ("great_expectations", "1.24.1", "many rules in one pass: expectations/gx.py"),
    "_make_callable_from_options": ("tensorflow", "2.21.0", "Session's callables: loading/execution.py"),
    "_as_tf_output": ("tensorflow", "2.21.0", "the C handle of an output: loading/execution.py"),
    "_session": ("tensorflow", "2.21.0", "the C handle of a session: loading/execution.py"),
    "tensorflow.python.client.pywrap_tf_session": (
        "tensorflow", "2.21.0", "a run that can be cancelled: loading/execution.py"
    ),
    "tensorflow.python.saved_model.fingerprinting_utils": (
        "tensorflow", "2.21.0", "the fingerprint of a SavedModel that was changed: exporting/signatures.py"
    ),
    "_compile_metrics": ("keras", "3.15.1", "the metrics that a model was compiled with: learning/own/parts.py"),
    "_user_metrics": ("keras", "3.15.1", "the metrics that a model was compiled with: learning/own/parts.py"),
    "airflow.settings": ("apache-airflow", "3.3.2", "the scheduler's connections at a fork: dags/executor.py"),
    "_process_workloads": ("apache-airflow", "3.3.2", "what an executor overrides: dags/executor.py"),
    "airflow.api_fastapi.core_api.security.bearer_scheme": ("apache-airflow", "3.3.2", "whose request: dags/users.py"),
    "airflow.api_fastapi.core_api.security.get_user": ("apache-airflow", "3.3.2", "whose request: dags/users.py"),
    "airflow.models.dag.DagTag": ("apache-airflow", "3.3.2", "whether a DAG is ours: dags/metadata.py"),
    "airflow.models.dagrun.DagRun": ("apache-airflow", "3.3.2", "the state of a run: dags/metadata.py"),
    "airflow.models.pool.Pool": ("apache-airflow", "3.3.2", "the pools that there are: dags/metadata.py"),
    "airflow.utils.session.create_session": ("apache-airflow", "3.3.2", "Airflow's database: dags/metadata.py"),
    "_credentials": ("grpcio", "1.85.1", "the C object of server credentials: grpc/direct.py"),
    "grpc._cython.cygrpc": ("grpcio", "1.85.1", "the completion queue: grpc/direct.py"),
}  # fmt: skip
"""Private name -> distribution, version, and what it is for; also names without ``_`` that nobody documents."""
PUBLIC = {"_exit", "_fields", "_replace"}
"""Documented in spite of their names: ``os._exit``, and those of named tuples."""
INNER = (
    "tensorflow.python", "keras.src", "airflow.models", "airflow.settings", "airflow.utils.session",
    "airflow.api_fastapi.core_api",
)  # fmt: skip
"""Modules that their makers call internal, in spite of their names."""
UNDOCUMENTED = {"graph_validate", "_process_workloads"}
"""Names that are found wherever they stand: without ``_``, or also given by us, who override them."""
BY_NAME = {"getattr", "setattr", "hasattr", "attrgetter"}
"""Functions that take a name as a text."""


@cache
def sources() -> dict[Path, ast.Module]:
    """Every file of the library, parsed."""
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    return {file: ast.parse(file.read_text()) for file in files}


def named(tree: ast.Module) -> set[str]:
    """Names that a file gives to something."""
    nodes = list(ast.walk(tree))
    found = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    found |= {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    return found | {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__") and part not in PUBLIC


def foreign(tree: ast.Module, ours: set[str]) -> Iterator[str]:
    """Private names of others that a file uses.

    ``ours``: what we call something anywhere, which counts for ``self`` alone; of any other object a private name is
    ours only where the file itself gives it.
    """
    here = named(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            known = ours if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls") else here
            if node.attr in UNDOCUMENTED or (private(node.attr) and node.attr not in known):
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in BY_NAME:
            texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            yield from (text for text in texts if private(text) and text not in here)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            within = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for name in (f"{within}{alias.name}" for alias in node.names):
                inner = name.startswith(tuple(f"{module}." for module in INNER)) or name in INNER
                if inner or (any(map(private, name.split("."))) and not name.startswith("kilnworks.")):
                    yield name


@cache
def used() -> dict[str, set[Path]]:
    """Private name of another library -> files that use it."""
    trees = sources()
    ours = {name for tree in trees.values() for name in named(tree)}
    found: dict[str, set[Path]] = {}
    for file, tree in trees.items():
        for name in foreign(tree, ours):
            found.setdefault(name, set()).add(file)
    return found


def test_every_private_name_is_in_the_table_and_in_one_file() -> None:
    found = used()
    assert set(found) == set(BORROWED), "use what is documented, or add a line with the version and a decision"
    assert {name: len(files) for name, files in found.items() if len(files) > 1} == {}


@pytest.mark.parametrize("name", BORROWED)
def test_the_library_is_the_one_that_was_looked_at(name: str) -> None:
    distribution, version, purpose = BORROWED[name]
    place = purpose.rpartition(": ")[2]
    assert [file for file in used()[name] if str(file).endswith(f"/{place}")], f"{name} is in {used()[name]}"
    assert importlib.metadata.version(distribution) == version, f"look at {name} again ({purpose})"


def test_private_names_are_found() -> None:
    tree = ast.parse(
        "import a._b\nfrom c._d import e\nfrom f import _g\nimport tensorflow.python.client as c\nx._h\nself._ours\n"
        "self._theirs\nself.x._ours\ny.__class__\nos._exit(1)\ngetattr(z, '_i', None)\nx._here\ndef _here(): ...\n"
        "engine.graph_validate()"
    )
    assert sorted(foreign(tree, {"_ours"})) == [
        "_h", "_i", "_ours", "_theirs", "a._b", "c._d.e", "f._g", "graph_validate", "tensorflow.python.client"
    ]  # fmt: skip
