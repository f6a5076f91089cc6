"""Locks between processes and threads."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kilnworks.schemas.locks import Held, exclusive, is_held, try_to_hold
from tests.waiting import ends, until

HOLDER = """
import sys
from pathlib import Path
from kilnworks.schemas.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path, root):
    """The file of a lock that another process holds, and that process."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as holder:
        assert holder.stdout.readline() == "held\n"
        yield tmp_path / "lock", holder
        holder.kill()


def test_it_is_free_again_once_its_holder_was_killed(held):
    path, holder = held
    assert is_held(path)
    holder.kill()
    assert until(lambda: not is_held(path))
    with exclusive(path, seconds=0):
        assert is_held(path)
    assert not is_held(path)


def test_who_waits_gives_up_after_its_time(held):
    with pytest.raises(Held, match=str(held[0])), exclusive(held[0], seconds=0.1):
        pass


def test_who_waits_gets_it_when_it_is_freed(held):
    path, holder = held
    entered = threading.Event()

    def enter() -> None:
        with exclusive(path):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.is_set()
    holder.kill()
    assert entered.wait(60)
    assert ends(waiting.join)


def test_threads_of_one_process_exclude_each_other(tmp_path):
    with exclusive(tmp_path / "lock"), pytest.raises(Held), exclusive(tmp_path / "lock", seconds=0):
        pass


def test_nothing_is_held_where_there_is_no_file(tmp_path):
    assert not is_held(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_block_frees_it(tmp_path):
    with pytest.raises(ValueError, match="inside"), exclusive(tmp_path / "lock"):
        raise ValueError("inside")
    assert not is_held(tmp_path / "lock")


def test_readers_share_it(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    with path.open() as one, path.open() as two, path.open("a") as writer:
        assert try_to_hold(one, shared=True) and try_to_hold(two, shared=True)
        assert not try_to_hold(writer)


def test_flock_is_called_here_alone(root):
    folders = [root / name for name in ("components", "dags", "kilnworks", "pipelines", "schemas", "scripts")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    users = [path.relative_to(root) for path in files if re.search(r"\b(flock|lockf)\(", path.read_text())]
    assert users == [Path("schemas/locks.py")]
