"""Steps of a user's own project, in a folder outside of this repository: a change of their code is never overlooked."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
STEP = """
from pathlib import Path
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.config import Config


class Settings(Config):
    value: int = 1


def make(config: Settings, out: Path) -> Artifact:
    {inside}
    (out / "value.txt").write_text(str(answer()))
    return Artifact(out)


P = Pipeline("{name}", (Step("one", make, Settings()),))
"""
WAYS = {
    "in_the_definition": ("", "answer = lambda: 1", "pipelines/in_the_definition.py"),
    "single_file": ("from single import answer", "pass", "single.py"),
    "inside_a_function": ("", "from inner import answer", "inner.py"),
    "in_a_namespace_package": ("from space.room.code import answer", "pass", "space/room/code.py"),
    "by_a_literal": ("import importlib", "answer = importlib.import_module('literal').answer", "literal.py"),
    "by_a_joined_name": (
        "from importlib import import_module",
        "answer = import_module(f'plugs.{config.value and chr(97)}').answer",
        "plugs/a.py",
    ),
    "relative": ("from .beside import answer", "pass", "pipelines/beside.py"),
    "relative_in_a_function": ("", "from . import nearby; answer = nearby.answer", "pipelines/nearby.py"),
    "beside_by_full_name": ("from pipelines.shared import answer", "pass", "pipelines/shared.py"),
    "star": ("from everything import *", "pass", "everything.py"),
    "through_another": ("from package import answer", "pass", "package/deep/deepest.py"),
}
MORE = {
    "package/__init__.py": "from .deep.deepest import answer\n",
    "package/deep/__init__.py": "",
    "unrelated.py": "def answer(): return 1\n",
}


@pytest.fixture
def project(tmp_path):
    """A project with a definition for each way in which a step may come to its code."""
    for name, (top, inside, where) in WAYS.items():
        if not where.startswith("pipelines/in_"):
            write(tmp_path / where, "def answer(): return 1\n")
        write(tmp_path / f"pipelines/{name}.py", top + STEP.format(name=name, inside=inside))
    for where, text in MORE.items():
        write(tmp_path / where, text)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(project: Path, *names: str, **environment: str) -> dict[str, tuple[str, str]]:
    """Run the definitions in a fresh process; name -> how the step ended, and what it wrote."""
    code = (
        f"import sys; from kilnworks.pipelines.cli.app import main; sys.exit(max(main(['run', n]) for n in {names!r}))"
    )
    store = project / "store"
    env = {**os.environ, "KILNWORKS_ROOT": str(project), "KILNWORKS_STORE": str(store), **environment}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    newest = {name: max((store / "runs" / name).iterdir(), key=lambda p: p.stat().st_mtime_ns) for name in names}
    return {
        name: (
            json.loads((folder / "outcomes/one.json").read_text())["outcome"],
            (folder / "one/value.txt").read_text(),
        )
        for name, folder in newest.items()
    }


@pytest.mark.slow
def test_a_change_of_a_steps_code_runs_it_again_however_it_came_to_its_code(project):
    assert run(project, *WAYS) == dict.fromkeys(WAYS, ("done", "1"))
    write(project / "unrelated.py", "def answer(): return 3\n")
    assert run(project, *WAYS) == dict.fromkeys(WAYS, ("cached", "1"))
    for _, _, where in WAYS.values():
        text = (project / where).read_text()
        write(project / where, text.replace("return 1", "return 22").replace("lambda: 1", "lambda: 22"))
    assert run(project, *WAYS) == dict.fromkeys(WAYS, ("done", "22"))


@pytest.mark.slow
def test_what_is_edited_while_a_run_goes_on_belongs_to_the_next(project):
    """The second step's module is loaded when the run begins, and changed by somebody while the first step runs."""
    second = """
        from pathlib import Path
        from kilnworks.schemas.artifacts import Artifact
        from kilnworks.schemas.config import Config

        def second(config: Config, first: Artifact, out: Path) -> Artifact:
            (out / "value.txt").write_text("old")
            return Artifact(out)
    """
    definition = """
        from pathlib import Path
        import later
        from kilnworks.pipelines.core.graph import Pipeline, Step
        from kilnworks.schemas.artifacts import Artifact
        from kilnworks.schemas.config import Config

        def first(config: Config, out: Path) -> Artifact:
            source = Path(later.__file__)
            source.write_text(source.read_text().replace("old", "new"))
            return Artifact(out)

        P = Pipeline("edited", (Step("zero", first, Config()), Step("one", later.second, Config(), {"first": "zero"})))
    """
    write(project / "later.py", dedent(second))
    write(project / "pipelines/edited.py", dedent(definition))
    assert run(project, "edited") == {"edited": ("done", "old")}
    assert run(project, "edited") == {"edited": ("done", "new")}


@pytest.mark.slow
def test_what_a_function_was_made_with_counts(project):
    factory = """
        from pathlib import Path
        from kilnworks.schemas.artifacts import Artifact
        from kilnworks.schemas.config import Config

        def maker(number, suffix=""):
            def make(config: Config, out: Path) -> Artifact:
                (out / "value.txt").write_text(str(number))
                return Artifact(out)
            return make
    """
    definition = """
        from factory import maker
        from kilnworks.pipelines.core.graph import Pipeline, Step
        from kilnworks.schemas.config import Config

        P = Pipeline("made", (Step("one", maker({number}), Config()),))
    """
    write(project / "factory.py", dedent(factory))
    write(project / "pipelines/made.py", dedent(definition).format(number=3))
    assert run(project, "made") == {"made": ("done", "3")}
    assert run(project, "made") == {"made": ("cached", "3")}
    write(project / "pipelines/made.py", dedent(definition).format(number=4))
    assert run(project, "made") == {"made": ("done", "4")}


@pytest.mark.slow
def test_libraries_in_a_folder_of_their_own_are_foreign_and_what_lies_beside_them_is_ours(project, tmp_path):
    """A folder of a ``.pth`` file or of PYTHONPATH with installed packages, and a module that somebody put there."""
    there = tmp_path / "elsewhere"
    write(there / "biglib/__init__.py", "from . import broken_template\n")
    write(there / "biglib/broken_template.py", "answer = 1\n")
    for i in range(3000):
        (there / f"biglib/m{i}.py").write_text("import biglib\n" if i else "{{ no python }}\n")
    write(there / "biglib-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: biglib\nVersion: 1.0\n")
    write(there / "biglib-1.0.dist-info/RECORD", "biglib/__init__.py,,\nbiglib-1.0.dist-info/METADATA,,\n")
    write(there / "dropped_in.py", "def answer(): return 1\n")
    text = "import biglib.m1, dropped_in" + STEP.format(name="foreign", inside="import biglib.m0 as _; answer = None")
    text = text.replace("import biglib.m0 as _; answer = None", "answer = dropped_in.answer").replace(
        "P =", "def never():\n    import biglib.m0\n\n\nP ="
    )
    write(project / "pipelines/foreign.py", text)
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(there)])}
    assert run(project, "foreign", **path) == {"foreign": ("done", "1")}
    write(there / "biglib/m2.py", "changed = True\n")
    assert run(project, "foreign", **path) == {"foreign": ("cached", "1")}
    write(there / "dropped_in.py", "def answer(): return 22\n")
    assert run(project, "foreign", **path) == {"foreign": ("done", "22")}
    write(there / "biglib-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: biglib\nVersion: 1.1\n")
    assert run(project, "foreign", **path) == {"foreign": ("done", "22")}


@pytest.mark.slow
def test_a_large_tree_without_a_version_counts_as_a_whole_and_the_walk_ends(project, tmp_path):
    there = tmp_path / "tree"
    for i in range(1500):
        write(there / f"large/part{i % 30}/m{i}.py", f"import large.part{(i + 1) % 30}.m{i + 1}\n")
    write(there / "large/__init__.py", "def answer(): return 1\n")
    write(there / "large/part0/m0.py", "{{ no python }}\n")
    definition = "from large import answer" + STEP.format(name="tree", inside="pass")
    write(project / "pipelines/tree.py", definition)
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(there)])}
    assert run(project, "tree", **path) == {"tree": ("done", "1")}
    assert run(project, "tree", **path) == {"tree": ("cached", "1")}
    write(there / "large/part7/m7.py", "changed = True\n")
    assert run(project, "tree", **path) == {"tree": ("done", "1")}


@pytest.mark.slow
def test_a_project_installed_in_editable_mode_counts_by_its_source(project, tmp_path):
    """As setuptools does it: ``.egg-info`` in the source, ``.dist-info`` and a ``.pth`` file among the packages."""
    source, packages = tmp_path / "other/src", tmp_path / "packages"
    write(source / "otherlib/__init__.py", "def answer(): return 1\n")
    write(source / "otherlib.egg-info/PKG-INFO", "Metadata-Version: 2.1\nName: otherlib\nVersion: 1.0\n")
    write(packages / "otherlib-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: otherlib\nVersion: 1.0\n")
    write(packages / "otherlib-1.0.dist-info/RECORD", "__editable__.otherlib-1.0.pth,,\n")
    write(packages / "otherlib-1.0.dist-info/top_level.txt", "otherlib\n")
    write(packages / "__editable__.otherlib-1.0.pth", f"{source}\n")
    definition = "from otherlib import answer" + STEP.format(name="edited", inside="pass")
    write(project / "pipelines/edited.py", definition)
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(packages), str(source)])}
    assert run(project, "edited", **path) == {"edited": ("done", "1")}
    assert run(project, "edited", **path) == {"edited": ("cached", "1")}
    write(source / "otherlib/__init__.py", "def answer(): return 22\n")
    assert run(project, "edited", **path) == {"edited": ("done", "22")}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"def answer(:\n", "line 1"),
        ("é = 'ä'\n".encode("latin-1"), "cannot be read as Python"),
        (b"# -*- coding: nonsense -*-\n", "nonsense"),
        ("x = 1\n".encode("utf-16"), "null bytes"),
    ],
)
def test_a_file_that_is_no_python_is_named(tmp_path, monkeypatch, content, says):
    from kilnworks.schemas.closure.source_code import source_code
    from kilnworks.schemas.errors import ConfigError

    (tmp_path / "lazy_importer.py").write_text("def f():\n    import not_python\n")
    (tmp_path / "not_python.py").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"not_python\.py") as caught:
        source_code(["lazy_importer"])
    assert says in str(caught.value)


def test_a_declared_encoding_is_read(tmp_path, monkeypatch):
    from kilnworks.schemas.closure.source_code import source_code

    (tmp_path / "old_writing.py").write_bytes("# coding: latin-1\nimport beyond\nx = 'ä'\n".encode("latin-1"))
    (tmp_path / "beyond.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert source_code(["old_writing"]).files.keys() == {"old_writing", "beyond"}


@pytest.mark.slow
def test_both_commands_work_in_the_projects_own_folder_and_make_the_same(project):
    """There the folder ``pipelines/`` of the project is found before the package of that name."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KILNWORKS") and k != "PYTHONPATH"}
    kilnworks = str(Path(sys.executable).with_name("kilnworks"))
    for command, ended in (([sys.executable, "-m", "kilnworks"], "1 done"), ([kilnworks], "1 cached")):
        done = subprocess.run(
            [*command, "run", "relative"], check=False, cwd=project, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0 and ended in done.stdout, done.stdout + done.stderr
    listed = subprocess.run(
        [sys.executable, "-m", "kilnworks", "list"], check=True, cwd=project, env=environment, capture_output=True
    )
    assert b"churn" in listed.stdout and b"star" in listed.stdout


def test_a_library_of_a_shared_namespace_counts_by_its_own_version(tmp_path, monkeypatch):
    """``google`` is many packages; only the one that is imported counts."""
    from kilnworks.schemas.closure import libraries
    from kilnworks.schemas.closure.source_code import source_code

    (tmp_path / "asks_google.py").write_text(
        "import json\nfrom google import protobuf\nfrom google.protobuf import any_pb2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert source_code(["asks_google"]).libraries == {"google.protobuf"}
    assert libraries.versions(["google.protobuf"]) == {"protobuf": importlib.metadata.version("protobuf")}
    monkeypatch.setattr(libraries, "_owners", lambda: {"google": ["google-auth", "protobuf"]})
    found = libraries.versions(["google.oauth2"])
    assert set(found) == {"google-auth", "protobuf"}
