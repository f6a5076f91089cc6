"""The rules that keep the rooms apart, as tests."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "kilnworks_client": {"kilnworks_client"},
    "schemas": {"schemas"},
    "components": {"components", "schemas", "kilnworks_client"},
    "pipelines": {"pipelines", "components", "schemas"},
    "dags": {"dags", "pipelines", "components", "schemas"},
    "kilnworks": {"kilnworks", "pipelines", "components", "schemas"},
}
ROOMS = ("components", "dags", "pipelines", "schemas")
HEAVY = {
    "airflow",
    "grpc",
    "great_expectations",
    "keras",
    "matplotlib",
    "mlflow",
    "pandas",
    "polars",
    "pyarrow",
    "pyspark",
    "scipy",
    "sklearn",
    "tensorflow",
    "tensorflow_datasets",
    "tensorflow_serving",
}
DOORS = [ROOT / room / "__init__.py" for room in ROOMS]
"""They only see to it that short names mean the same modules."""
FILES = sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py") if path not in DOORS)
PARTED = ("components", "components/quality", "components/quality/screening", "components/serving")
"""Folders whose rooms are told apart in ``docs/architecture.md``, one table each."""
FEW_FILES = sorted(f"components/{room.parent.name}" for room in (ROOT / "components").glob("*/__init__.py"))
"""Rooms whose folders have at most ``MOST_FILES`` files side by side."""
MOST_FILES = 25
STEPS = sorted(path.stem for path in (ROOT / "components").glob("*.py") if path.stem != "__init__")


@cache
def imported(path: Path) -> frozenset[str]:
    """Modules that a file imports, anywhere in it; ours without ``kilnworks.`` in front."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    short = {name for name in found if name.partition(".")[0] in ROOMS}
    assert short == set(), f"{path}: ours are imported from kilnworks"
    return frozenset(re.sub(rf"^kilnworks\.({'|'.join(ROOMS)})\b", r"\1", name) for name in found)


def circles(uses: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is left once everything is taken away that stands on nothing that is left."""
    while lowest := {name for name, used in uses.items() if not used & uses.keys()}:
        uses = {name: used for name, used in uses.items() if name not in lowest}
    return uses


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tops(path: Path) -> set[str]:
    """The first words of what a file imports."""
    return {name.partition(".")[0] for name in imported(path)}


def test_imports_point_down():
    up: dict[str, set[str]] = {}
    for path in FILES:
        room = path.relative_to(ROOT).parts[0]
        never = set(MAY_IMPORT) - MAY_IMPORT[room] | ({"airflow"} if room != "dags" else set())
        up[label(path)] = tops(path) & never
    assert len(up) > 500
    assert {path: names for path, names in up.items() if names} == {}


def test_inside_components_steps_use_rooms_and_nobody_uses_steps():
    used: dict[str, set[str]] = {}
    for path in (path for path in FILES if path.is_relative_to(ROOT / "components")):
        own = path.stem if path.parent == ROOT / "components" else None
        rooms_used = {name.split(".")[1] for name in imported(path) if name.startswith("components.")}
        used[label(path)] = rooms_used & set(STEPS) - {own}
    assert len(used) > 300
    assert {path: steps for path, steps in used.items() if steps} == {}


def test_the_client_imports_what_its_distribution_asks_for():
    allowed = {"kilnworks_client", "numpy", "grpc", "google"} | sys.stdlib_module_names
    others = {label(path): tops(path) - allowed for path in FILES if path.is_relative_to(ROOT / "kilnworks_client")}
    assert len(others) > 5
    assert {path: names for path, names in others.items() if names} == {}


def test_one_place_of_ours_catches_errors_of_the_client():
    """Elsewhere what the client raises is ours already, or a tensor that is left out of a log."""
    catching = {label(path) for path in FILES if "kilnworks_client.errors" in imported(path)}
    ours = {name for name in catching if not name.startswith("kilnworks_client/")}
    assert {Path(name).name for name in ours} == {"client.py", "records.py"}


def rooms(folder: str) -> dict[str, set[str]]:
    """Room of a folder -> the rooms beside it that its files import, anywhere in them."""
    found: dict[str, set[str]] = {room.parent.name: set() for room in (ROOT / folder).glob("*/__init__.py")}
    depth = len(Path(folder).parts)
    for path in (path for path in FILES if path.is_relative_to(ROOT / folder)):
        room = path.relative_to(ROOT).parts[depth]
        if room in found:
            inside = (name.split(".") for name in imported(path) if name.startswith(folder.replace("/", ".") + "."))
            found[room] |= {parts[depth] for parts in inside} & found.keys() - {room}
    return found


@pytest.mark.parametrize("folder", PARTED)
def test_rooms_use_each_other_in_one_direction(folder):
    assert circles(rooms(folder)) == {}, "what is left is a circle, or stands on one"


@pytest.mark.parametrize("folder", FEW_FILES)
def test_a_room_has_few_files_side_by_side(folder):
    most = max((len(list(room.parent.glob("*.py"))), str(room.parent)) for room in (ROOT / folder).rglob("__init__.py"))
    assert most[0] <= MOST_FILES, most


def heavy_after(code: str) -> str:
    """Names of heavy libraries that are loaded once ``code`` has run in a process of its own."""
    code = f"import sys; {code}; print(sorted({HEAVY!r} & set(sys.modules)))"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


EACH = """
import os, sys
import kilnworks.schemas.config

def heavy():
    return sorted({heavy!r} & set(sys.modules))

print("what all of them import", heavy(), flush=True)
for module in {modules!r}:
    if os.fork() == 0:
        __import__(module)
        print(module, heavy(), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, module
"""


def test_modules_open_without_heavy_libraries():
    """Each in a fork of a process that has imported what all of them do, ``kilnworks`` itself among it."""
    modules = [*(f"kilnworks.components.{step}" for step in STEPS), "kilnworks.pipelines.cli.app"]
    code = EACH.format(heavy=HEAVY, modules=modules)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name} []" for name in ("what all of them import", *modules)]


def test_definitions_load_without_heavy_libraries():
    assert (
        heavy_after("from kilnworks.pipelines.core.registry import load, names; [load(n) for n in names()]") == "[]\n"
    )


def test_airflow_will_look_inside():
    """Safe-mode discovery skips, without a word, files that lack both words."""
    for path in (ROOT / "dags").glob("*.py"):
        text = path.read_text().lower()
        if path.stem != "__init__":
            assert "airflow" in text and "dag" in text, path


def test_docker_folder_does_not_shadow_the_docker_sdk():
    assert (ROOT / "docker").is_dir()
    assert not list((ROOT / "docker").rglob("__init__.py"))


def test_rooms_open_without_importing():
    assert [{line.partition("  #")[0] for line in door.read_text().splitlines()} for door in DOORS] == [
        {"import kilnworks"}
    ] * len(ROOMS)
    assert (
        heavy_after("import kilnworks.components, kilnworks.pipelines; assert 'pydantic' not in sys.modules") == "[]\n"
    )


def test_each_folder_is_linked_below_the_one_name():
    assert {room: (ROOT / "kilnworks" / room).readlink() for room in ROOMS} == {
        room: Path("..") / room for room in ROOMS
    }


def module(path: Path) -> str:
    """Its name as ``imported`` has it."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_modules_use_each_other_in_one_direction():
    """Imports for types and inside functions count as well; a package where no module below it is meant."""
    modules = {module(path): imported(path) for path in FILES}
    assert len(modules) > 900
    uses: dict[str, set[str]] = {}
    for name, found in modules.items():
        ours = found & modules.keys() - {name}
        uses[name] = {one for one in ours if not any(other.startswith(f"{one}.") for other in ours)}
    assert circles(uses) == {}, "what is left is a circle, or stands on one"


def test_circles_are_found():
    """What stands on a circle is left over, too."""
    uses = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"d"}}
    assert circles(uses).keys() == {"a", "b", "c"}


def test_running_a_step_knows_no_kind_of_artifact():
    """What a kind does outside its directory are hooks of it. (Elsewhere kinds are drawn, and shown to a person.)"""
    kinds = {"Deployment", "Examples", "CheckedExamples", "Transform", "Model", "Evaluation", "Servable", "DriftReport"}
    for module in ("execute", "gates", "graph", "promotion", "step", "store"):
        path = ROOT / "pipelines" / "core" / f"{module}.py"
        named = {name.rpartition(".")[2] for name in imported(path) if name.startswith("schemas.artifacts.")}
        assert "Artifact" in named or not named, path
        assert not named & kinds, path
