"""docs/architecture.md says what is there."""

import re

from tests.test_layers import FILES, ROOT, imported

PAGE = (ROOT / "docs/architecture.md").read_text()


def test_every_file_that_it_names_exists():
    named = set(re.findall(r"`([\w./]+/[\w./]*)`", PAGE))
    assert len(named) > 60
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_its_table_of_rooms_is_what_the_imports_say():
    told = {
        name: set(filter(None, uses.strip().split(", ")))
        for name, uses in re.findall(r"^\| `(\w+)` \|[^|]+\|([^|]*)\|$", PAGE, re.MULTILINE)
    }
    found: dict[str, set[str]] = {
        room.name: set() for room in (ROOT / "components").iterdir() if (room / "__init__.py").is_file()
    }
    for path in FILES:
        room = path.relative_to(ROOT).parts[1]
        if path.is_relative_to(ROOT / "components") and room in found:
            used = {name.split(".")[1] for name in imported(path) if name.startswith("components.")}
            found[room] |= (used & found.keys()) - {room}
    assert told == found


def test_rooms_stand_above_those_that_they_use():
    order = re.findall(r"^\| `(\w+)` \|[^|]+\|[^|]*\|$", PAGE, re.MULTILINE)
    for row in re.findall(r"^\| `(\w+)` \|[^|]+\|([^|]*)\|$", PAGE, re.MULTILINE):
        for used in filter(None, row[1].strip().split(", ")):
            assert order.index(used) < order.index(row[0]), f"{row[0]} uses {used}"
