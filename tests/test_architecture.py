"""docs/architecture.md says what is there."""

import re

import pytest

from tests.test_layers import PARTED, ROOT, rooms

PAGE = (ROOT / "docs/architecture.md").read_text()


def test_every_file_that_it_names_exists():
    named = set(re.findall(r"`([\w./]+/[\w./]*)`", PAGE))
    assert len(named) > 60
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def table(folder: str) -> dict[str, set[str]]:
    """Room -> the rooms beside it that it uses, as the table of a folder says, in its order."""
    section = re.search(rf"^##+ Rooms of `{folder}/`\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None, f"no table of {folder}"
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\|([^|]*)\|$", section[1], re.MULTILINE)
    return {room: set(filter(None, uses.strip().split(", "))) for room, uses in rows}


@pytest.mark.parametrize("folder", PARTED)
def test_its_table_of_rooms_is_what_the_imports_say(folder):
    assert table(folder) == rooms(folder)


@pytest.mark.parametrize("folder", PARTED)
def test_rooms_stand_above_those_that_they_use(folder):
    order = list(table(folder))
    for room, used in table(folder).items():
        assert all(order.index(name) < order.index(room) for name in used), f"{room} uses {used}"


def test_folders_of_tests_mirror_rooms():
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests/components").rglob("test_*.py")}
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder).is_dir()] == []
