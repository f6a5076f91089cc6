"""The code that runs is the source that lies there, also where its bytecode looks like that of another version."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kilnworks.schemas.closure.modules import find_module
from kilnworks.schemas.closure.source_code import source_code

ROOT = Path(__file__).parents[2]
IMPORT = "from kilnworks.schemas.code import Code; print(Code.model_validate({code!r}).load()())"


def say(folder: Path, code: str = "said:word") -> str:
    """What a function of a project folder answers in a fresh process."""
    env = {"KILNWORKS_ROOT": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", IMPORT.format(code=code)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()


def write(path: Path, word: str, seconds: float) -> None:
    """A source file that was changed at that time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"def word():\n    return {word!r}\n")
    os.utime(path, (seconds, seconds))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["said.py", "package/said.py", "space/said.py"])
def test_an_edit_within_the_second_of_the_import_is_run(tmp_path, name):
    code = name.removesuffix(".py").replace("/", ".") + ":word"
    if name.startswith("package"):
        write(tmp_path / "package/__init__.py", "", 1e9)
    write(tmp_path / name, "old", 1e9)
    now = compiled(tmp_path, name, code).stat().st_mtime
    write(tmp_path / name, "old", now)
    os.utime(compiled(tmp_path, name, code), (now, now))  # however long the process took
    write(tmp_path / name, "new", now)
    assert say(tmp_path, code) == "new"


def test_bytecode_that_is_clearly_younger_than_its_source_is_used(tmp_path):
    """Python's own rule then tells: the same time and size, so that only the bytecode can have said ``old``."""
    write(tmp_path / "said.py", "old", 1e9)
    compiled(tmp_path, "said.py", "said:word")
    write(tmp_path / "said.py", "new", 1e9)
    assert say(tmp_path) == "old"


def compiled(folder: Path, name: str, code: str) -> Path:
    """The bytecode that an import leaves."""
    assert say(folder, code) == "old"
    (bytecode,) = ((folder / name).parent / "__pycache__").glob("said.*.pyc")
    return bytecode


def test_namespace_inside_of_a_namespace_is_found_though_neither_is_loaded(tmp_path, monkeypatch):
    write(tmp_path / "outer_space/inner/said.py", "old", 1e9)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = find_module("outer_space.inner")
    assert found is not None and list(found.submodule_search_locations) == [str(tmp_path / "outer_space/inner")]
    assert find_module("outer_space.inner.said").origin == str(tmp_path / "outer_space/inner/said.py")


def test_every_module_of_a_namespace_counts_and_its_bytecode_does_not(tmp_path, monkeypatch):
    write(tmp_path / "wide_space/said.py", "old", 1e9)
    (tmp_path / "wide_space/__pycache__").mkdir()
    (tmp_path / "wide_space/__pycache__/said.cpython-311.pyc").write_bytes(b"bytes")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(source_code(["wide_space.*"]).files) == ["wide_space.said"]
