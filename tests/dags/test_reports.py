"""The plugin's web server, in this process: odd addresses are refused in words, and nothing outside a run is shown."""

import asyncio
import base64
import hashlib
import html
import re

import pytest

from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.tuning.study import Study
from kilnworks.schemas.files import write_json

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`"),  # that Airflow's libraries import
]


@pytest.fixture(scope="module")
def ask(airflow_database):
    """Ask for an address as a person who may see everything."""
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.api_fastapi.core_api.security import get_user
    from httpx import ASGITransport, AsyncClient

    from kilnworks.dags.reports import app

    create_auth_manager()
    app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username="admin", role="admin")

    async def asked(address):
        async with AsyncClient(transport=ASGITransport(app=app), base_url="http://airflow") as client:
            return await client.get(address)

    yield lambda address: asyncio.run(asked(address))
    app.dependency_overrides.clear()


@pytest.fixture
def run(project):
    made = Store(project).run("churn", "r1")
    made.begin("test", {})
    made.record("model", "running", seconds=1.0)
    return made


@pytest.mark.parametrize(
    "address",
    [
        "/files/churn/r1/run.json%00.html",
        "/files/churn/r1/%00",
        "/files/churn/%00/run.json",
        "/files/churn/r1/" + "x" * 5000,
        "/files/churn/" + "x" * 5000 + "/run.json",
        "/files/churn/r1/..%2f..%2f..%2fsecret",
        "/files/churn/r1/outcomes",
        "/files/churn/r1/",
        "/files/churn/r2/run.json",
        "/files/churn/r1/run.json/more",
        "/live/churn/r2",
        "/live/churn/%00",
        "/compare?pipeline=churn&run=r2",
        "/compare?pipeline=other",
        "/nothing",
        "/run?dag_id=churn&run_id=r2",
        "/run?dag_id=churn&run_id=%00",
        "/live?dag_id=stranger&run_id=r1",
    ],
)
def test_what_is_not_there_is_said_in_words(ask, run, address):
    answer = ask(address)
    assert answer.status_code == 404, answer.text
    assert "<h1>Not found</h1>" in answer.text
    assert "http-equiv" not in answer.text


@pytest.mark.parametrize("address", ["/run?dag_id=%00&run_id=r1", "/run?dag_id=..&run_id=r1", "/run?dag_id=&run_id=r"])
def test_what_is_no_dag_is_refused(ask, run, address):
    assert ask(address).status_code == 403


@pytest.mark.parametrize("address", ["/run", "/run?dag_id=churn", "/run?dag_id=churn&run_id=r1&looks=many"])
def test_an_address_that_lacks_something_says_what(ask, address):
    answer = ask(address)
    assert answer.status_code == 400
    assert "not complete" in answer.text


@pytest.mark.parametrize(
    ("wanted", "found"), [("run", "/kilnworks/files/churn/r1/report.html"), ("live", "/kilnworks/live/churn/r1")]
)
def test_the_page_that_waits_leads_to_the_one_that_was_asked_for(ask, project, monkeypatch, wanted, found):
    """The tab *Epochs* of a run that has not begun shows its epochs later, not its report."""
    monkeypatch.setattr("kilnworks.dags.reports.state", lambda *_: "queued")
    [again] = re.findall(r"content='\d+;url=([^']+)'", ask(f"/{wanted}?dag_id=churn&run_id=r1").text)
    Store(project).run("churn", "r1").begin("test", {})
    assert ask(f"/{html.unescape(again)}").headers["location"] == found


def test_a_pipeline_that_is_called_as_other_dags_are_has_reports(ask, run, project):
    write_json(project / "alerts" / "1.json", {"at": 1.0, "pipeline": "churn_champion", "text": "no such run"})
    shown = ask("/run?dag_id=churn_champion&run_id=r1").text
    assert "churn/runs/r1" in shown and "no such run" in shown
    Store(project).run("churn_champion", "r1").begin("test", {})
    found = ask("/run?dag_id=churn_champion&run_id=r1")
    assert (found.status_code, found.headers["location"]) == (303, "/kilnworks/files/churn_champion/r1/report.html")


def test_the_page_of_a_search_is_that_of_the_run_that_searched(ask, run, project):
    waiting = ask("/run?dag_id=churn_tune&run_id=r1")
    assert waiting.status_code == 200 and "has no page yet" in waiting.text
    assert ask("/live?dag_id=churn_tune&run_id=r1").text == waiting.text, "its trials are runs of their own"
    page = Study(Store(project), "churn", "r1").folder / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>sixteen trials</p>")
    shown = ask("/run?dag_id=churn_tune&run_id=r1")
    assert shown.text == "<p>sixteen trials</p>" and "script-src 'none'" in shown.headers["content-security-policy"]
    assert ask("/run?dag_id=churn_tune&run_id=../r1").status_code == 200, "a name that cannot lead elsewhere"


def test_the_page_of_a_diagnosis_is_that_of_the_run_that_made_it(ask, run, project):
    waiting = ask("/run?dag_id=churn_craft&run_id=r1")
    assert waiting.status_code == 200 and "has no page yet" in waiting.text
    assert ask("/live?dag_id=churn_craft&run_id=r1").text == waiting.text
    page = Store(project).root / "diagnoses" / "churn" / "r1" / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>nothing found</p>")
    shown = ask("/run?dag_id=churn_craft&run_id=r1")
    assert shown.text == "<p>nothing found</p>" and "script-src 'none'" in shown.headers["content-security-policy"]
    assert "has no page yet" in ask("/run?dag_id=churn_craft&run_id=../r1").text


@pytest.mark.parametrize("dag_id", ["churn_tune", "churn_craft"])
def test_a_run_that_failed_without_a_page_does_not_promise_one(ask, run, monkeypatch, dag_id):
    monkeypatch.setattr("kilnworks.dags.reports.state", lambda *_: "failed")
    shown = ask(f"/run?dag_id={dag_id}&run_id=r1").text
    assert "has ended (failed) and left no page" in shown and "no page yet" not in shown


def test_pages_of_a_run_that_goes_on(ask, run):
    assert "compare r1" in ask("/").text
    assert ask("/run?dag_id=churn&run_id=r1").headers["location"] == "/kilnworks/files/churn/r1/report.html"
    assert ask("/live?dag_id=churn&run_id=r1").headers["location"] == "/kilnworks/live/churn/r1"
    whole, part = ask("/live/churn/r1"), ask("/live/churn/r1?part=1")
    assert part.text in whole.text
    assert "'unsafe-inline'; connect" not in whole.headers["content-security-policy"]
    assert "script-src 'nonce-" in whole.headers["content-security-policy"]
    assert ask("/files/churn/r1/run.json").json()["run_id"] == "r1"
    assert "side by side" in ask("/compare?pipeline=churn&run=r1").text


def test_a_page_of_ours_runs_its_own_script_alone(ask, run):
    for address in ("/", "/compare?pipeline=churn&run=r1"):
        answer = ask(address)
        (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}';" in answer.headers["content-security-policy"]
        assert "script-src 'self'" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["report.html", "run.json", "checked/data_docs/index.html", "page.html", "x.svg"])
def test_a_page_from_the_store_is_in_a_sandbox(ask, run, name):
    """Without scripts, forms, windows, or a way to lead the whole window to another place."""
    path = run.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        path.write_text("<script>fetch('/api/v2/dags')</script>")
    policy = ask(f"/files/churn/r1/{name}").headers["content-security-policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert set(rules["sandbox"].split()) == {"allow-same-origin", "allow-downloads"}
    assert (rules["script-src"], rules["form-action"], rules["base-uri"]) == ("'none'", "'none'", "'none'")


def test_a_report_of_a_run_that_goes_on_loads_itself_again(ask, run):
    """By a header: in a sandbox a page cannot do so itself."""
    assert ask("/files/churn/r1/report.html").headers["refresh"] == "5"
    run.record("model", "done", seconds=1.0)
    assert "refresh" not in ask("/files/churn/r1/report.html").headers
