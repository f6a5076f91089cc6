"""Helpers of tests are imported in one way: by their whole name, below ``tests``."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PROJECT = TESTS / "dags" / "project"
"""A user's project, whose modules are found as those of a user are."""
FILES = [path for path in sorted(TESTS.rglob("*.py")) if not path.is_relative_to(PROJECT)]
HELPERS = {path.stem for path in FILES if not path.stem.startswith(("test_", "__"))} | {
    path.parent.name for path in FILES if path.stem == "__init__" and path.parent != TESTS
}
OURS = {"schemas", "components", "pipelines", "dags", "kilnworks", "scripts", "bench", "tests"}


def bare(code: str) -> list[str]:
    """Imports of helpers by a name that only a changed ``sys.path`` makes findable."""
    modules = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            modules.append("." * node.level + (node.module or ""))
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    return [name for name in modules if name.startswith(".") or name.partition(".")[0] in HELPERS - OURS]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_helpers_are_imported_by_their_whole_name(path):
    assert bare(path.read_text()) == [], "write: from tests.… import …"


def test_bare_names_are_found():
    assert bare("from clean_sources import orders\nfrom . import chain\nimport faults.batch\nimport json") == [
        "clean_sources",
        ".",
        "faults.batch",
    ]
    assert bare("from tests.quality.clean_sources import orders\nfrom pipelines.core import graph") == []
