"""Every error that our code raises says what was got, what was wanted, and what to do."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilnworks.schemas import errors
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.errors import KilnworksError, UnknownName

ROOT = Path(__file__).parents[1]
KINDS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, KilnworksError) and kind is not UnknownName
}
SHORTEST = 9
"""Letters of a ``wanted`` that says something: not "one", "rows" or "a number"."""


def said_nothing(call: ast.Call) -> list[str]:
    """The parts of a message that are left out, empty, or too short to say anything."""
    given = dict(zip(("got", "wanted", "fix"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    missing = [part for part in ("got", "wanted", "fix") if part not in given]
    shortest = {"got": 1, "wanted": SHORTEST, "fix": 1}
    fixed = {part: node.value for part, node in given.items() if isinstance(node, ast.Constant)}
    return missing + [part for part, text in fixed.items() if len(str(text)) < shortest.get(part, 0)]


def calls() -> Iterator[tuple[str, ast.Call]]:
    for file in (
        p for room in ("components", "pipelines", "dags", "schemas", "kilnworks") for p in (ROOT / room).rglob("*.py")
    ):
        code = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(code)) if any(kind in code for kind in KINDS) else ():
            ours = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS
            if ours and not any(isinstance(one, ast.Starred) for one in node.args):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_every_message_has_its_three_parts():
    found = list(calls())
    assert len(found) > 200
    assert {place: wrong for place, call in found if (wrong := said_nothing(call))} == {}


def test_a_name_that_does_not_exist_always_has_an_advice():
    assert UnknownName("pipeline", "churm", ["churn"]).fix == "did you mean 'churn'?"
    assert UnknownName("pipeline", "xyz", ["churn"]).fix == "choose one of these"
    assert UnknownName("pipeline", "xyz", []).fix == "make one first"


def test_without_a_champion_the_command_that_makes_one_is_named(tmp_path):
    """Champions of other pipelines are no choice."""
    (tmp_path / "champions").mkdir()
    (tmp_path / "champions/digits.json").write_text("{}")
    with pytest.raises(UnknownName, match=r"run houses$"):
        read_champion(tmp_path, "houses")
