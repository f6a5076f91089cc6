"""What ``make airflow`` runs: it says where Airflow is, and leaves nothing running however it ends."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from scripts.airflow.processes import ROOT

pytestmark = pytest.mark.e2e


def of_this(home: Path) -> list[int]:
    """Processes that belong to the Airflow in a folder; some have lost their environment to a title."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            at_home = (folder / "cwd").readlink() == home
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if (at_home or f"AIRFLOW_HOME={home}".encode() in environment.split(b"\0")) and state != "Z":
            found.append(int(folder.name))
    return found


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_it_starts_says_where_and_leaves_nothing_running(number, code, tmp_path):
    command = [sys.executable, "-m", "scripts.airflow.standalone", "--store", str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "KILNWORKS_ROOT": str(ROOT / "tests" / "dags" / "project")}
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout))
    reader.start()
    try:
        deadline = time.monotonic() + 180
        while "Ctrl-C ends it" not in "".join(said) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.5)
        url = re.search(r"http://127\.0\.0\.1:\d+", "".join(said)).group()
        assert urllib.request.urlopen(url, timeout=30).status == 200
        assert re.search(r"admin +\S{8,}", "".join(said))
        assert (tmp_path / "airflow" / "passwords.json").stat().st_mode & 0o077 == 0
        assert of_this(tmp_path / "airflow")
        process.send_signal(number)
        assert process.wait(60) == code
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
    deadline = time.monotonic() + 20
    while of_this(tmp_path / "airflow") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert of_this(tmp_path / "airflow") == []
