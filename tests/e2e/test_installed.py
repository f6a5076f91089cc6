"""The wheel beside a project that has packages of its own by the names of our folders."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.installed import alone, python_with, wheel

pytestmark = pytest.mark.e2e
OURS = ("components", "dags", "pipelines", "schemas")
OWN = {
    "components/__init__.py": "",
    "components/ingest.py": "WORD = 'their ingest'\n",
    "schemas/__init__.py": "",
    "schemas/errors.py": "class Refused(Exception): ...\n",
    "dags/__init__.py": "",
    "dags/factory.py": "NUMBER = 7\n",
    "pipelines/shared.py": "from components.ingest import WORD\n",
}
USED = """
from components.ingest import WORD
from dags.factory import NUMBER
from pipelines.shared import WORD as SHARED
from schemas.errors import Refused

assert (WORD, SHARED, NUMBER) == ("their ingest", "their ingest", 7) and issubclass(Refused, Exception)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, and the interpreter of an environment that has it."""
    folder = tmp_path_factory.mktemp("installed")
    built = wheel(folder)
    return built, python_with(built, folder / "environment")


def ask(python: Path, folder: Path, *words: str, ok: bool = True) -> str:
    """Run the interpreter; what it printed."""
    done = subprocess.run(
        [str(python), *words], cwd=folder, env=alone(), capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_wheel_holds_one_package_with_all_its_files(installed):
    names = zipfile.ZipFile(installed[0]).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"kilnworks", "kilnworks_client"}
    root = Path(__file__).parents[2]
    wanted = {
        f"kilnworks/{path.relative_to(root)}"
        for room in OURS
        for path in (root / room).rglob("*")
        if path.is_file() and (path.suffix == ".py" or "assets" in path.parts or path.suffix == ".yaml")
        if "__pycache__" not in path.parts
    }
    assert len(wanted) > 500
    assert sorted(wanted - set(names)) == []


def test_short_names_are_not_installed(installed, tmp_path):
    code = "import importlib.util as u, kilnworks.components; print([u.find_spec(n) is None for n in {names}])"
    assert ask(installed[1], tmp_path, "-c", code.format(names=OURS)) == "[True, True, True, True]\n"


def test_a_project_with_packages_of_all_four_names_runs(installed, tmp_path):
    python, project = installed[1], tmp_path / "shop"
    assert "customers" in ask(python, tmp_path, "-m", "kilnworks", "init", "shop")
    for name, text in OWN.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    definition = project / "pipelines" / "customers.py"
    head, rest = definition.read_text().split('"""\n', 1)
    definition.write_text(f'{head}"""\n{USED}{rest}' if head.startswith('"""') else USED + head + rest)
    assert "customers" in ask(python, project, "-m", "kilnworks", "list")
    said = ask(python, project, "-m", "kilnworks", "run", "customers", "--set", "model.epochs=4")
    assert "report" in said
    assert (project / "store").is_dir()
    again = ask(python, project, "-m", "kilnworks", "run", "customers", "--set", "model.epochs=4")
    assert "7 cached" in again


def test_a_definition_with_the_old_names_is_told_the_new_ones(installed, tmp_path):
    (tmp_path / "schemas/contracts").mkdir(parents=True)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/old.py").write_text("from components.ingest import IngestConfig\n")
    said = ask(installed[1], tmp_path, "-m", "kilnworks", "show", "old", ok=False)
    assert "kilnworks.components" in said and "Traceback" not in said


def test_the_doctor_works_without_a_clone(installed, tmp_path):
    said = ask(installed[1], tmp_path, "-m", "kilnworks", "doctor")
    assert "tensorflow" in said and "checkout" not in said
