"""Imports are hooked in one place; and the hooks themselves, on packages that are made for it."""

import importlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kilnworks.schemas.import_hooks import absent, late
from tests.waiting import until

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "schemas/import_hooks.py": "large libraries",
    "kilnworks/short_names.py": "our own modules by the names they had",
    "pipelines/core/project.py": "modules of a project, whose names another project has too",
    "pipelines/core/registry.py": "a definition is read anew",
}
TOUCHES = re.compile(r"sys\.meta_path\.|sys\.modules\[[^\]]+\] =|del sys\.modules|sys\.modules\.(pop|update)")


def test_nothing_else_touches_how_python_imports():
    rooms = ("components", "schemas", "pipelines", "dags")
    files = [*(ROOT / "kilnworks").glob("*.py"), *(file for room in rooms for file in (ROOT / room).rglob("*.py"))]
    found = {str(file.relative_to(ROOT)) for file in files if TOUCHES.search(file.read_text())}
    assert found == set(ALLOWED), "use schemas.import_hooks"


def test_an_absent_package_cannot_be_imported_meanwhile_and_can_afterwards(tmp_path, monkeypatch):
    (tmp_path / "not_there_for_now.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with absent("not_there_for_now"), pytest.raises(ImportError):
        import not_there_for_now
    import not_there_for_now

    with absent("not_there_for_now"), pytest.raises(ImportError):
        importlib.import_module("not_there_for_now")
    assert sys.modules["not_there_for_now"] is not_there_for_now and not_there_for_now.VALUE == 1, "it comes back"
    del sys.modules["not_there_for_now"], not_there_for_now


def test_a_late_module_runs_at_its_first_attribute_and_not_when_it_is_looked_at(tmp_path, monkeypatch, capsys):
    (tmp_path / "slow_to_start.py").write_text("print('runs')\nVALUE = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    with late(["slow_to_start"]):
        import slow_to_start
    assert str(slow_to_start.__file__).endswith("slow_to_start.py"), "inspect asks for it"
    assert capsys.readouterr().out == ""
    assert slow_to_start.VALUE == 2 and capsys.readouterr().out == "runs\n"
    assert not [finder for finder in sys.meta_path if type(finder).__name__ == "_LateFinder"]
    del sys.modules["slow_to_start"]


def test_a_late_module_that_runs_in_one_thread_is_waited_for_in_another(tmp_path, monkeypatch):
    (tmp_path / "slow_in_a_thread.py").write_text(
        "import threading\nBEGUN, GO = threading.Event(), threading.Event()\n"
        "BEGUN.set()\nassert GO.wait(60)\nVALUE = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with late(["slow_in_a_thread"]):
        import slow_in_a_thread
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(getattr, slow_in_a_thread, "VALUE")
        assert until(lambda: "GO" in vars(slow_in_a_thread)) and slow_in_a_thread.BEGUN.wait(60)
        others = [pool.submit(getattr, slow_in_a_thread, "VALUE") for _ in range(2)]
        assert until(lambda: all(other.running() for other in others)) and not any(other.done() for other in others)
        slow_in_a_thread.GO.set()
        assert [one.result(60) for one in (first, *others)] == [3, 3, 3]
    with pytest.raises(AttributeError, match="nothing"):
        slow_in_a_thread.nothing  # noqa: B018
    del sys.modules["slow_in_a_thread"]


def test_a_block_is_entered_once_around_the_first_import(tmp_path):
    (tmp_path / "large.py").write_text("print('executes')\n")
    code = """if True:
        from contextlib import contextmanager
        from kilnworks.schemas.import_hooks import around_first_imports
        @contextmanager
        def block(name):
            print("before", name)
            yield
            print("after")
        around_first_imports(["large"], block)
        around_first_imports(["large"], block)
        import large, large
    """
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == ["before large", "executes", "after"]
