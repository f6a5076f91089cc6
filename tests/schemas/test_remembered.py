"""What source files import, remembered between processes: parsed once, never wrong."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kilnworks.schemas.closure import remembered, source_code
from kilnworks.schemas.closure.remembered import remembered_imports
from kilnworks.schemas.closure.source_code import source_code as read

ROOT = Path(__file__).parents[2]
DIGEST = """
import ast, sys
from kilnworks.schemas.closure import source_code
from kilnworks.schemas.closure.remembered import remembered_imports
from pathlib import Path
parsed = []
real = ast.parse
ast.parse = lambda content, *rest: parsed.append(content) or real(content, *rest)
with remembered_imports(Path(sys.argv[1])):
    found = source_code.source_code([sys.argv[2]])
print(len(parsed), len(found.files), found.digest())
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two modules, of which the first imports the second; nothing is remembered in this process meanwhile."""
    (tmp_path / "upper_part.py").write_text("def run():\n    import lower_part\n")
    (tmp_path / "lower_part.py").write_text("x = 1\n")
    (tmp_path / "another_part.py").write_text("x = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(source_code, "IMPORTS", {})
    monkeypatch.setattr(source_code, "USED", set())
    return tmp_path


def fresh(project: Path, module: str = "upper_part") -> tuple[int, int, str]:
    """Files that a fresh process parsed and found, and its digest."""
    command = [sys.executable, "-c", DIGEST, str(project / "imports.json"), module]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{project}"}
    parsed, files, digest = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split()
    return int(parsed), int(files), digest


def test_a_second_process_parses_nothing_and_finds_the_same(project):
    first, second = fresh(project), fresh(project)
    assert first[0] == 2 and second[0] == 0
    assert first[1:] == second[1:] == (2, read(["upper_part"]).digest())


def test_an_edit_of_the_same_size_and_time_is_seen(project):
    fresh(project)
    file = project / "upper_part.py"
    before = file.stat()
    file.write_text("def run():\n    import third_part\n")
    (project / "third_part.py").write_text("x = 3\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size and file.stat().st_mtime_ns == before.st_mtime_ns
    with remembered_imports(project / "imports.json"):
        assert set(read(["upper_part"]).files) == {"upper_part", "third_part"}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"by": 1}', '{"by": "BY", "imports": 3}', '{"by": "BY", "imports": {"a": 3}}', b"\xff"],
)
def test_a_damaged_file_is_made_anew(project, content):
    path, whole = project / "imports.json", content if isinstance(content, bytes) else content.encode()
    path.write_bytes(whole.replace(b"BY", remembered._reader().encode()))
    with remembered_imports(path):
        assert set(read(["upper_part"]).files) == {"upper_part", "lower_part"}
    assert len(json.loads(path.read_text())["imports"]) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_another_python_or_another_reader_found_is_not_taken(project):
    fresh(project)
    path = project / "imports.json"
    held = json.loads(path.read_text())
    wrong = {**held, "imports": {key: ["another_part"] for key in held["imports"]}}
    path.write_text(json.dumps(wrong))
    assert fresh(project)[:2] == (1, 2)  # so it is taken where it is of the same reader: only `another_part` is parsed
    path.write_text(json.dumps({**wrong, "by": "2.7 " + wrong["by"].split()[1]}))
    assert fresh(project)[:2] == (2, 2) and json.loads(path.read_text()) == held


def test_it_does_not_grow_without_end(project, monkeypatch):
    monkeypatch.setattr(remembered, "MOST_ENTRIES", 2)
    path = project / "imports.json"
    fresh(project)
    fresh(project, "another_part")
    with remembered_imports(path):
        read(["another_part"])
        (project / "another_part.py").write_text("x = 4\n")
        read(["another_part"])
    kept = {key.split()[0] for key in json.loads(path.read_text())["imports"]}
    assert kept == {"another_part"}


def test_a_folder_that_takes_no_writing_loses_only_time(project):
    (project / "file").write_text("")
    with remembered_imports(project / "file" / "imports.json"):
        assert set(read(["upper_part"]).files) == {"upper_part", "lower_part"}
