"""No room but that of tasks asks which kind of prediction it has."""

import ast
from collections.abc import Iterator
from pathlib import Path

from kilnworks.components.tasks.choose import TASKS

ROOT = Path(__file__).parents[1]
KINDS = {task.kind for task in TASKS}
CLASSES = {task.__name__ for task in TASKS}
FILES = sorted(
    path
    for room in ("components", "pipelines", "dags", "schemas", "kilnworks")
    for path in (ROOT / room).rglob("*.py")
    if not path.is_relative_to(ROOT / "components" / "tasks")
)


def asked(tree: ast.AST) -> Iterator[str]:
    """Comparisons, cases and keys that name a kind of task."""
    for node in ast.walk(tree):
        looked_at: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            looked_at = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            looked_at = [node.value]
        elif isinstance(node, ast.Dict):
            looked_at = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Call) and any(getattr(a, "id", "") in CLASSES for a in node.args):
            yield f"line {node.lineno}: asks for the class of a task"
        for part in looked_at:
            for leaf in ast.walk(part):
                if isinstance(leaf, ast.Constant) and leaf.value in KINDS:
                    yield f"line {leaf.lineno}: {leaf.value!r}"


def test_a_question_is_found() -> None:
    found = list(
        asked(ast.parse("if kind == 'binary': ...\nmatch kind:\n    case 'multiclass': ...\nx = {'regression': 1}"))
    )
    assert sorted(line.split()[-1] for line in found) == ["'binary'", "'multiclass'", "'regression'"]


def test_nobody_else_asks_for_the_kind() -> None:
    found = {str(path.relative_to(ROOT)): list(asked(ast.parse(path.read_text()))) for path in FILES}
    assert len(found) > 400
    assert {path: questions for path, questions in found.items() if questions} == {}
