"""A project folder of one's own: made, found from below, and apart from another one in the same process."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import polars as pl
import pytest

from pipelines.cli.app import main
from schemas.places import project_root

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Path:
    """A fresh project."""
    monkeypatch.delenv("KILNWORKS_ROOT", raising=False)
    monkeypatch.delenv("KILNWORKS_STORE", raising=False)
    assert main(["init", str(tmp_path / "my shop")]) == 0
    return tmp_path / "my shop"


def process(folder: Path, *command: str, **environment: str) -> str:
    """What a command prints in a folder, in a process whose environment names no project."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("KILNWORKS")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_made(shop):
    names = sorted(p.relative_to(shop).as_posix() for p in shop.rglob("*") if p.is_file())
    assert names == [
        ".gitignore",
        "README.md",
        "dags/kilnworks_dags.py",
        "data/README.md",
        "data/customers.csv",
        "own/__init__.py",
        "own/leavers.py",
        "pipelines/customers.py",
        "schemas/contracts/customers.yaml",
        "tests/test_customers.py",
    ]
    assert (shop / "README.md").read_text().startswith("# my shop\n")
    for path in shop.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path
    assert pl.read_csv(shop / "data/customers.csv").height == 1007


def test_what_is_there_is_left_alone(shop, capsys):
    (shop / "README.md").write_text("mine")
    assert main(["init", str(shop)]) == 2
    assert "not empty" in capsys.readouterr().err and (shop / "README.md").read_text() == "mine"
    assert not list(shop.parent.glob(".*.partial"))


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    assert main(["init", str(tmp_path / "empty")]) == 0
    assert (tmp_path / "empty/pipelines/customers.py").is_file()


def test_a_name_that_would_hide_a_package_is_refused(tmp_path, capsys):
    assert main(["init", str(tmp_path / "kilnworks")]) == 2
    assert "'kilnworks'" in capsys.readouterr().err and not (tmp_path / "kilnworks").exists()


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file" / "shop")]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("below", [".", "own", "data/deep/er"])
def test_the_project_is_found_from_any_folder_below_it(shop, monkeypatch, below):
    (shop / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(shop / below)
    assert project_root() == shop
    monkeypatch.setenv("KILNWORKS_ROOT", str(shop.parent))
    assert project_root() == shop.parent


def test_where_no_project_is_around_the_current_folder_is_meant(tmp_path, monkeypatch):
    monkeypatch.delenv("KILNWORKS_ROOT", raising=False)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert project_root() == tmp_path / "below"


def test_new_writes_into_the_project_around(shop, monkeypatch, capsys):
    monkeypatch.chdir(shop / "data")
    assert main(["new", "second", "--data", "customers.csv", "--label", "Churn"]) == 0
    assert (shop / "pipelines/second.py").is_file() and (shop / "schemas/contracts/second.yaml").is_file()
    assert 'ROOT / "data/customers.csv"' in (shop / "pipelines/second.py").read_text()


NUMBER = """
    from pathlib import Path
    import shared
    from own.number import NUMBER
    from . import beside
    from pipelines.core.graph import Pipeline, Step
    from schemas.artifacts import Artifact
    from schemas.config import Config

    def write(config: Config, out: Path) -> Artifact:
        import later
        from own import inside
        (out / "value.txt").write_text(f"{shared.NUMBER} {NUMBER} {beside.NUMBER} {later.NUMBER} {inside.NUMBER}")
        return Artifact(out)

    SAME = Pipeline("same", (Step("one", write, Config()),))
"""


def numbered(root: Path, number: int) -> Path:
    """A project whose modules have the names of another one's, and all hold its number."""
    for name in ("shared.py", "later.py", "own/number.py", "own/inside.py", "pipelines/beside.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"NUMBER = {number}\n")
    (root / "pipelines/same.py").write_text(dedent(NUMBER))
    (root / "schemas/contracts").mkdir(parents=True)
    return root


def value(loaded) -> tuple[str, str]:
    run = loaded.run(quiet=True)
    return run.outcome["one"], (run.artifact("one").path / "value.txt").read_text()


def test_two_projects_in_one_process_keep_their_own_modules(tmp_path, monkeypatch):
    """Modules of the same names: beside the definition, in a package, imported late; one store for both."""
    import kilnworks

    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    path, names = list(sys.path), set(sys.modules)
    one, two = (kilnworks.load("same", project=numbered(tmp_path / f"p{n}", n)) for n in (1, 2))
    try:
        assert value(one) == ("done", "1 1 1 1 1")
        assert value(two) == ("done", "2 2 2 2 2")
        assert value(one) == ("cached", "1 1 1 1 1")
        (tmp_path / "p2/own/inside.py").write_text("NUMBER = 77\n")
        assert value(two) == ("done", "2 2 2 2 77"), "an edit counts without a restart"
        assert value(one) == ("cached", "1 1 1 1 1")
        assert len([p for p in sys.path if p in (str(tmp_path / "p1"), str(tmp_path / "p2"))]) == 1
    finally:
        sys.path[:] = path
        for name in {
            n for n in sys.modules if n.split(".")[0] in ("shared", "later", "own", "project_pipelines")
        } - names:
            del sys.modules[name]


@pytest.mark.slow
def test_the_example_and_its_own_tests_pass(shop):
    """From a folder below the project; what its README says."""
    kilnworks = (sys.executable, "-m", "pipelines")
    said = process(shop / "own", *kilnworks, "run", "customers", "--set", "checked.data_docs=false", "--promote")
    assert "8 done" in said
    [table] = shop.glob("store/runs/customers/*/leavers/leavers.csv")
    left = pl.read_csv(table)
    assert left["rows"].sum() == pl.concat(map(pl.read_parquet, table.parent.parent.glob("checked/train/*"))).height
    assert left["left"].is_sorted() and left.height == 3
    answers = process(shop / "data", *kilnworks, "predict", "customers", "customers.csv").splitlines()
    assert answers[0] == "class,probability_No,probability_Yes" and len(answers) == 1008
    code = (shop / "own/leavers.py").read_text().replace('.sort("left")', '.sort("left", descending=True)')
    (shop / "own/leavers.py").write_text(code)
    again = process(shop, *kilnworks, "run", "customers", "--set", "checked.data_docs=false", "--to", "leavers")
    assert "leavers: done" in again and "its code" in again and "checked: cached" in again
    assert "3 passed" in process(shop, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.slow
def test_airflow_finds_its_dags(shop, tmp_path):
    code = """
        import sys
        from airflow.dag_processing.dagbag import DagBag
        bag = DagBag(sys.argv[1])
        assert not bag.import_errors, bag.import_errors
        print(sorted(bag.dags))
    """
    environment = {"AIRFLOW_HOME": str(tmp_path / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    said = process(tmp_path, sys.executable, "-c", dedent(code), str(shop / "dags"), **environment)
    assert "customers" in said.splitlines()[-1]
