"""Public functions that take or give arrays say their shapes, in brackets: ``[N, K]``, ``[rows, ...]``."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.test_layers import ROOT

ROOMS = ("features", "judging", "learning", "quality/drift", "quality/stats")
ARRAYS = re.compile(r"\b(NDArray|ndarray|Floats|Ints|Shares|Truth|Array|Arrays)\b")
SHAPE = re.compile(r"\[[\w.,+*() -]+\]|a number|See ``")
EXEMPT = re.compile(r"^_|^__")


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Public functions of a module, and public methods of its public classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef) and not EXEMPT.match(node.name) and not _derives(node):
            yield from (inner for inner in node.body if isinstance(inner, ast.FunctionDef))


def _derives(node: ast.ClassDef) -> bool:
    """Whether methods may be those of a base of ours, which says what they take."""
    return not {ast.unparse(base) for base in node.bases} <= {"ABC", "Protocol", "Config"}


def without_shapes(code: str) -> list[str]:
    """Names of public functions with arrays whose docstring names no shape."""
    found = []
    for function in functions(ast.parse(code)):
        given = [arg.annotation for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
        texts = [ast.unparse(one) for one in (*given, function.returns) if one is not None]
        has_arrays = not EXEMPT.match(function.name) and any(map(ARRAYS.search, texts))
        if has_arrays and not SHAPE.search(ast.get_docstring(function) or ""):
            found.append(function.name)
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_functions_with_arrays_say_their_shapes(room):
    paths = sorted((ROOT / "components" / room).rglob("*.py"))
    found = {str(p.relative_to(ROOT)): names for p in paths if (names := without_shapes(p.read_text()))}
    assert found == {}


def test_a_function_without_shapes_is_found():
    code = 'def f(x: np.ndarray) -> float:\n    """The mean."""\ndef g(x: np.ndarray) -> float:\n    """Of [N]."""\n'
    assert without_shapes(code) == ["f"]
