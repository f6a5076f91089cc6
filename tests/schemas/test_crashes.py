"""A process that a library ends leaves its stacks in standard error, wherever that is and whatever holds it back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kilnworks.schemas.crashes import FATAL, ending

ROOT = Path(__file__).parents[2]
BEGINNING = """
import faulthandler, os, re, signal, sys
from pathlib import Path
from kilnworks.schemas.crashes import show_crashes
from kilnworks.schemas.logs import notes_held_back
def open_files():
    return sorted(os.listdir("/proc/self/fd"))
def falls(number=signal.SIGSEGV):
    os.kill(os.getpid(), number)
"""


def crashed(code: str, *flags: str, **streams) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-c", BEGINNING + code]
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    env = {name: value for name, value in os.environ.items() if name != "PYTHONFAULTHANDLER"}
    return subprocess.run(command, cwd=ROOT, env=env, text=True, check=False, **told)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL])
def test_each_fault_shows_the_function_that_ran_and_ends_the_process_as_before(number):
    done = crashed(f"show_crashes(); falls({int(number)})")
    assert done.returncode == -number
    assert FATAL in done.stderr and 'File "<string>", line 9 in falls' in done.stderr


def test_also_while_standard_error_is_held_back():
    """As it is during the import of TensorFlow."""
    code = "show_crashes()\nwith notes_held_back(re.compile(b'note')):\n    os.write(2, b'a note'); falls()"
    done = crashed(code)
    assert done.returncode == -signal.SIGSEGV
    assert "in falls" in done.stderr and "a note" not in done.stderr


def test_a_handler_that_is_there_is_left_alone():
    done = crashed("before = open_files(); show_crashes(); print(before == open_files())", "-X", "faulthandler")
    assert (done.returncode, done.stdout) == (0, "True\n")


@pytest.mark.parametrize(
    "code",
    [
        "os.close(2); sys.stderr.close(); show_crashes()",
        "sys.__stderr__.close(); show_crashes()",
        "sys.stderr = sys.__stderr__ = None; show_crashes()",
    ],
)
def test_without_a_standard_error_nothing_is_shown_and_nothing_fails(code):
    done = crashed(f"{code}; print(faulthandler.is_enabled(), flush=True); falls()")
    assert (done.returncode, done.stdout) == (-signal.SIGSEGV, "False\n")


def test_a_process_that_was_started_without_one_runs(tmp_path):
    """Where another file has its number, no stack may be written into that."""
    words = ["sh", "-c", 'exec "$0" "$@" 2>&-', sys.executable, "-c"]
    code = f"{BEGINNING}kept = open('kept', 'w'); print(kept.fileno()); show_crashes(); sys.stdout.flush(); falls()"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*words, code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGSEGV, "2\n")
    assert (tmp_path / "kept").read_text() == ""


def test_how_a_process_ended_is_named():
    assert [ending(code) for code in (3, -9, -11)] == ["exit code 3", "signal SIGKILL", "signal SIGSEGV"]
    assert ending(-int(signal.SIGRTMIN) - 3) == f"signal {int(signal.SIGRTMIN) + 3}"
