"""A project folder of one's own: made, found from below, and apart from another one in the same process."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.project import close_project, open_project
from kilnworks.pipelines.core.registry import load
from kilnworks.schemas.places import CLONE, project_root
from tests import preloaded

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def none_open():
    """No project that a test before left open, which takes its part of the path with it when another is opened."""
    close_project()


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Path:
    """A fresh project."""
    monkeypatch.delenv("KILNWORKS_ROOT", raising=False)
    monkeypatch.delenv("KILNWORKS_STORE", raising=False)
    assert main(["init", str(tmp_path / "my Geschäft 店")]) == 0
    return tmp_path / "my Geschäft 店"


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
        "dags/kilnworks_refused.py",
        "data/README.md",
        "data/customers.csv",
        "own/__init__.py",
        "own/leavers.py",
        "pipelines/customers.py",
        "schemas/contracts/customers.yaml",
        "tests/test_customers.py",
    ]
    assert (shop / "README.md").read_text().startswith("# my Geschäft 店\n")
    for path in shop.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path
    assert pl.read_csv(shop / "data/customers.csv").height == 1007


def test_what_is_there_is_left_alone(shop, capsys):
    (shop / "README.md").write_text("mine")
    assert main(["init", str(shop)]) == 2
    assert "is a project already" in capsys.readouterr().err and (shop / "README.md").read_text() == "mine"
    (shop.parent / "full").mkdir()
    (shop.parent / "full/orders.csv").write_text("a")
    assert main(["init", str(shop.parent / "full")]) == 2
    assert "not empty: orders.csv" in capsys.readouterr().err
    assert [path.name for path in (shop.parent / "full").iterdir()] == ["orders.csv"]
    assert not list(shop.parent.rglob(".kilnworks-init-*"))


def test_the_folder_where_one_is_stays_the_same_one(tmp_path, monkeypatch, capsys):
    """A shell that works in it goes on; a repository and a virtual environment in it are no obstacle."""
    monkeypatch.delenv("KILNWORKS_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    for held in (".git", "venv"):
        (tmp_path / held).mkdir()
    (tmp_path / "venv/pyvenv.cfg").write_text("")
    assert main(["init", "."]) == 0
    assert Path.cwd() == tmp_path and (Path.cwd() / "pipelines/customers.py").is_file()
    assert "cd " not in capsys.readouterr().out
    assert not list(tmp_path.glob(".kilnworks-init-*"))


def test_a_file_of_ours_among_hidden_ones_is_not_replaced(tmp_path, capsys):
    (tmp_path / ".gitignore").write_text("mine")
    assert main(["init", str(tmp_path)]) == 2
    assert ".gitignore" in capsys.readouterr().err and (tmp_path / ".gitignore").read_text() == "mine"


@pytest.mark.slow
def test_killed_while_it_writes_nothing_is_there_and_it_can_be_made(tmp_path):
    code = """
        import os, pathlib, sys
        write, left = pathlib.Path.write_bytes, [5]
        def dying(self, content):
            left[0] -= 1
            return os._exit(9) if left[0] == 0 else write(self, content)
        pathlib.Path.write_bytes = dying
        from kilnworks.pipelines.cli.app import main
        main(["init", sys.argv[1]])
    """
    for folder in (tmp_path / "new", tmp_path / "there"):
        (tmp_path / "there").mkdir(exist_ok=True)
        killed = subprocess.run([sys.executable, "-c", dedent(code), str(folder)], cwd=ROOT, check=False)
        assert killed.returncode == 9
        assert not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir())
        assert main(["init", str(folder)]) == 0
        assert (folder / "tests/test_customers.py").is_file()


def test_a_name_that_would_hide_a_package_is_refused(tmp_path, capsys):
    assert main(["init", str(tmp_path / "kilnworks")]) == 2
    assert "'kilnworks'" in capsys.readouterr().err and not (tmp_path / "kilnworks").exists()


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file" / "shop")]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["new", "second", "--data", "data/customers.csv", "--label", "Churn", "--root", "README.md/below"],
        ["contract", "infer", "data/customers.csv", "-o", "README.md/below.yaml"],
        ["contract", "export", "schemas/contracts/customers.yaml", "--to", "gx", "-o", "README.md/below.json"],
        ["init", "README.md/below"],
    ],
    ids=lambda command: command[0],
)
def test_what_cannot_be_written_is_said(shop, monkeypatch, capsys, command):
    monkeypatch.chdir(shop)
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "below" in said and "cannot be written: " in said


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every folder")
def test_a_folder_around_that_one_may_not_look_into(tmp_path, monkeypatch):
    monkeypatch.delenv("KILNWORKS_ROOT", raising=False)
    (tmp_path / "around/below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "around/below")
    (tmp_path / "around").chmod(0)
    try:
        assert project_root() == tmp_path / "around/below"
    finally:
        (tmp_path / "around").chmod(0o755)


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
    from pipelines.beside import NUMBER as NAMED
    from kilnworks.pipelines.core.graph import Pipeline, Step
    from kilnworks.schemas.artifacts import Artifact
    from kilnworks.schemas.config import Config

    def write(config: Config, out: Path) -> Artifact:
        import later
        from own import inside
        found = (shared.NUMBER, NUMBER, beside.NUMBER, later.NUMBER, inside.NUMBER, NAMED)
        (out / "value.txt").write_text(" ".join(map(str, found)))
        return Artifact(out)

    SAME = Pipeline("same", (Step("one", write, Config()),))
"""


def numbered(root: Path, number: int) -> Path:
    """A project whose modules have the names of another one's, and all hold its number."""
    linked = root.with_name(f"linked to {root.name}")
    linked.mkdir(parents=True)
    root.mkdir()
    (root / "own").symlink_to(linked, target_is_directory=True)
    for name in ("shared.py", "later.py", "own/number.py", "own/inside.py", "pipelines/beside.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"NUMBER = {number}\n")
    (root / "pipelines/same.py").write_text(dedent(NUMBER))
    (root / "schemas/contracts").mkdir(parents=True)
    return root


def is_installed(elsewhere: Path) -> bool:
    """Whether a process that works elsewhere finds our packages."""
    looked = [sys.executable, "-c", "import kilnworks"]
    return subprocess.run(looked, cwd=elsewhere, env={"PATH": os.environ["PATH"]}, check=False).returncode == 0


def value(loaded) -> tuple[str, str]:
    run = loaded.run(quiet=True)
    return run.outcome["one"], (run.artifact("one").path / "value.txt").read_text()


@pytest.mark.slow
def test_two_projects_in_one_process_keep_their_own_modules(tmp_path, monkeypatch):
    """Modules of the same names: beside the definition, in a package, imported late; one store for both."""
    import kilnworks

    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    path, before, here = list(sys.path), set(sys.modules), Path.cwd()
    one, two = (kilnworks.load("same", project=numbered(tmp_path / f"p{n}", n)) for n in (1, 2))
    assert value(one) == ("done", "1 1 1 1 1 1")
    assert value(two) == ("done", "2 2 2 2 2 2")
    assert value(one) == ("cached", "1 1 1 1 1 1")
    (tmp_path / "p2/own/inside.py").write_text("NUMBER = 77\n")
    assert value(two) == ("done", "2 2 2 2 77 2"), "an edit counts without a restart"
    assert value(one) == ("cached", "1 1 1 1 1 1")
    left = {name.partition(".")[0] for name in set(sys.modules) - before}
    assert not left & {"shared", "later", "own", "project_pipelines"}
    assert sys.path == path and Path.cwd() == here and "KILNWORKS_ROOT" not in os.environ


def test_what_ours_offers_stays_the_same_when_a_project_is_left(tmp_path):
    """The folder of this repository is a project too; what was imported of our client before is what is there after."""
    import kilnworks_client

    try:
        open_project(CLONE)
        open_project(numbered(tmp_path / "p1", 1))
    finally:
        close_project()
    assert sys.modules["kilnworks_client"] is kilnworks_client


def test_a_path_that_others_added_while_a_project_was_open_stays(tmp_path, monkeypatch):
    """What the project's own code added leaves with it, wherever it lies."""
    one, two = (numbered(tmp_path / f"p{n}", n) for n in (1, 2))
    (tmp_path / "beside").mkdir()
    own = f"import sys\nsys.path += [{str(one / 'own')!r}, {str(tmp_path / 'beside')!r}]\n"
    definition = one / "pipelines/same.py"
    definition.write_text(own + definition.read_text())
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(sys.path)
    try:
        for root in (one, two):
            monkeypatch.setenv("KILNWORKS_ROOT", str(root))
            load("same")
            if root == one:
                assert str(one / "own") in sys.path
                sys.path.insert(0, str(one / "data"))  # as a test runner does
    finally:
        close_project()
    assert sys.path == [str(one / "data"), *before]


@pytest.mark.slow
@pytest.mark.parametrize("start", ["-c", "script", "installed"])
def test_a_project_from_within_another_one(tmp_path, start):
    """The current folder and what the caller has imported are the first project's; it keeps both.

    Where we are installed in editable mode, folders of the current project are found before our packages.
    """
    one, two = (numbered(tmp_path / f"p{n}", n) for n in (1, 2))
    code = f"""
        import sys
        from own.number import NUMBER
        import own.number, shared, kilnworks
        assert NUMBER == shared.NUMBER == 1
        mine, path = own.number, list(sys.path)
        for name, expected in (("p2", "2 2 2 2 2 2"), ("p1", "1 1 1 1 1 1"), ("p2", "2 2 2 2 2 2")):
            run = kilnworks.load("same", project={str(tmp_path)!r} + "/" + name).run(quiet=True)
            assert (run.artifact("one").path / "value.txt").read_text() == expected, (name, expected)
            assert sys.modules["own.number"] is mine and sys.path == path
        import later
        assert later.NUMBER == 1
    """
    (one / "script.py").write_text(dedent(code))
    if start == "installed" and not is_installed(tmp_path):
        pytest.skip("kilnworks is not installed here")
    path = {"PYTHONPATH": ""} if start == "installed" else {}
    process(one, sys.executable, *(["script.py"] if start == "script" else ["-c", dedent(code)]), **path)
    assert not (two / "store").is_symlink() and (two / "store").is_dir()


@pytest.mark.slow
def test_the_project_that_is_named_wins_over_the_one_around(tmp_path):
    """``python -m`` puts the current folder first in ``sys.path``."""
    one, two = (numbered(tmp_path / f"p{n}", n) for n in (1, 2))
    process(one, sys.executable, "-m", "kilnworks", "run", "same", KILNWORKS_ROOT=str(two))
    assert not (one / "store").exists()
    [made] = two.glob("store/runs/same/*/one/value.txt")
    assert made.read_text() == "2 2 2 2 2 2"


@pytest.mark.slow
def test_the_example_and_its_own_tests_pass(shop):
    """From a folder below the project; what its README says."""
    kilnworks = (*preloaded.python(), "-m", "kilnworks")
    said = process(shop / "own", *kilnworks, "run", "customers", "--set", "checked.data_docs=false", "--promote")
    assert "8 done" in said
    [table] = shop.glob("store/runs/customers/*/leavers/leavers.csv")
    left = pl.read_csv(table)
    assert left["rows"].sum() == pl.concat(map(pl.read_parquet, table.parent.parent.glob("checked/train/*"))).height
    assert left["left"].is_sorted() and left.height == 3
    answers = process(shop / "data", *kilnworks, "predict", "customers", "customers.csv").splitlines()
    assert answers[0] == "customerID,class,probability_No,probability_Yes" and len(answers) == 1008
    code = (shop / "own/leavers.py").read_text().replace('.sort("left")', '.sort("left", descending=True)')
    (shop / "own/leavers.py").write_text(code)
    again = process(shop, *kilnworks, "run", "customers", "--set", "checked.data_docs=false", "--to", "leavers")
    assert "leavers: done" in again and "its code" in again and "checked: cached" in again
    assert "3 passed" in process(shop, *preloaded.python(), "-m", "pytest", "-q", "-p", "no:cacheprovider")


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
