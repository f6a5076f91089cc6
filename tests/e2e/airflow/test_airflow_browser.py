"""The UI in a real browser: log in, start a run by the form, look at the graph, the report and the assets.

Pictures of the pages are left in ``$KILNWORKS_SCREENSHOTS`` where that is set.
"""

import json
import re
import urllib.parse

import pytest

from kilnworks.schemas.champion import moves
from kilnworks.schemas.files import read_json
from tests.e2e.airflow.conftest import BLANK, picture

pytestmark = pytest.mark.e2e


def opened_form(page, world, dag):
    page.goto(f"{world.airflow.url}/dags/{dag}")
    page.get_by_role("button", name="Trigger").first.click()
    return page.get_by_role("dialog")


def section(dialog, name):
    dialog.get_by_role("button", name=name, exact=True).click()


@pytest.fixture(scope="module")
def run_id(window, world):
    """A run that was started by the form with three epochs."""
    before = {run["dag_run_id"] for run in world.runs("grouped")}
    dialog = opened_form(window, world, "grouped")
    section(dialog, "model")
    dialog.locator("input[name='element_model.epochs']").fill("3")
    window.keyboard.press("Tab")
    picture(window, "form")
    dialog.get_by_role("button", name="Trigger").click()
    new = world.wait("the run", lambda: {run["dag_run_id"] for run in world.runs("grouped")} - before)
    found = new.pop()
    window.goto(BLANK)
    world.finished("grouped", found)
    return found


@pytest.fixture(scope="module")
def live_run(world, run_id):
    """A run of the definition as it stands; the one with three epochs is a trial and publishes nothing."""
    found = world.start("grouped")
    assert set(world.finished("grouped", found).values()) == {"success"}
    return found


def test_the_form_starts_a_run_with_what_was_typed_and_nothing_else(world, run_id):
    """Texts that are empty, lists and values that are not set come back from the form as they were."""
    assert world.state("grouped", run_id) == "success"
    assert read_json(world.store.run("grouped", run_id).path / "run.json")["overrides"] == {"model.epochs": 3}


@pytest.mark.parametrize("typed", ["0", pytest.param("999", marks=pytest.mark.nightly)])
def test_the_form_refuses_a_number_out_of_range_with_words_and_keeps_what_was_typed(page, world, typed):
    before = len(world.runs("grouped"))
    dialog = opened_form(page, world, "grouped")
    section(dialog, "model")
    epochs = dialog.locator("input[name='element_model.epochs']")
    epochs.fill(typed)
    page.keyboard.press("Tab")
    dialog.get_by_role("button", name="Trigger").click()
    reason = page.get_by_text(re.compile(rf"model.epochs.*{typed} is (less|greater) than the")).first
    reason.wait_for()
    reason.scroll_into_view_if_needed()
    picture(page, f"refused-{typed}")
    assert epochs.input_value() == typed
    assert len(world.runs("grouped")) == before


@pytest.mark.nightly
def test_another_kind_is_chosen_from_a_list_and_has_its_settings(page, world):
    """What stands in the section of the kind is what the run is told."""
    before = {run["dag_run_id"] for run in world.runs("sturdy")}
    dialog = opened_form(page, world, "sturdy")
    section(dialog, "model")
    dialog.locator("#element_model\\.method\\.kind").click()
    page.get_by_role("option", name="trimmed").click()
    section(dialog, "model: method.kind trimmed")
    dialog.locator("input[name='element_model.method.trimmed.share']").fill("0.25")
    page.keyboard.press("Tab")
    picture(page, "form-kind")
    dialog.get_by_role("button", name="Trigger").click()
    new = world.wait("the run", lambda: {run["dag_run_id"] for run in world.runs("sturdy")} - before).pop()
    assert world.finished("sturdy", new)["run"] == "success"
    overrides = read_json(world.store.run("sturdy", new).path / "run.json")["overrides"]
    assert overrides == {"model.method.kind": "trimmed", "model.method.share": 0.25}


def test_the_graph_shows_stages_and_tasks(page, world, run_id):
    quoted = urllib.parse.quote(run_id, safe="")
    page.goto(f"{world.airflow.url}/dags/grouped/runs/{quoted}")
    page.get_by_role("button", name="Show Graph").or_(page.get_by_label("Graph")).first.click()
    for name in ("data", "learning", "release", "finish: report and tracking"):
        page.get_by_text(name, exact=True).first.wait_for()
    picture(page, "graph")


def test_the_report_is_a_tab_of_the_run(page, world, live_run):
    quoted = urllib.parse.quote(live_run, safe="")
    page.goto(f"{world.airflow.url}/dags/grouped/runs/{quoted}/plugin/run-report")
    frame = page.frame_locator("iframe[title='Run report']")
    frame.get_by_text("Make this run again").wait_for()
    frame.get_by_role("heading", name="Steps").wait_for()
    picture(page, "report")


def sent(page, url: str):
    """Requests to Airflow's API from frames, and addresses that the window came to."""
    seen = []
    page.on("request", lambda r: seen.append(r.url) if "/api/v2/" in r.url and r.frame.parent_frame else None)
    page.on("framenavigated", lambda f: seen.append(f.url) if f.parent_frame is None and url not in f.url else None)
    return seen


PLANTED = """<!doctype html><title>planted</title><h1>planted</h1>
<meta http-equiv=refresh content="1;url=/kilnworks/moved">
<p id=was>no script ran</p><style>h1 { color: rgb(1, 2, 3) }</style>
<img id=own src="picture.svg"><img src=/nothing onerror="parent.fetch('/api/v2/dags')">
<script>
document.getElementById("was").textContent = "a script ran";
parent.fetch("/api/v2/dags/grouped", {method: "PATCH", body: '{"is_paused": true}'}); fetch("/api/v2/dags");
top.location = "/planted";
</script>
<svg onload="parent.fetch('/api/v2/dags')"></svg>
<a id=script href="javascript:parent.fetch('/api/v2/dags')">script</a>
<a id=top target=_top href="/dags/planted">top</a>
<form id=form target=_top action="/api/v2/dags"><button>send</button></form>
<a id=own-link href="other.html">other</a>"""


@pytest.mark.parametrize("where", ["report.html", "planted/page.html"])
def test_a_page_of_the_store_reaches_neither_the_api_nor_the_window(page, world, live_run, where):
    """A planted page beside Data Docs, shown where the report is; its own pictures, styles and links still work."""
    run = world.store.run("grouped", live_run)
    folder = run.path / "planted"
    folder.mkdir(exist_ok=True)
    (folder / "page.html").write_text(PLANTED)
    (folder / "other.html").write_text("<h1>another page</h1><script>parent.fetch('/api/v2/dags')</script>")
    (folder / "picture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='7' height='7'/>")
    quoted = urllib.parse.quote(live_run, safe="")
    address = f"/dags/grouped/runs/{quoted}/plugin/run-report"
    page.goto(f"{world.airflow.url}{address}")
    frame = page.frame_locator("iframe[title='Run report']")
    frame.get_by_role("heading", name="Steps").wait_for()
    seen = sent(page, address)
    inner = next(f for f in page.frames if f.url.endswith("/report.html"))
    base = f"{world.airflow.url}/kilnworks/files/grouped/{run.folder}"
    inner.goto(f"{base}/{where}")
    if where == "report.html":
        assert inner.locator("style").count() and inner.locator("h1").inner_text() == "grouped"
        inner.locator("a[href='#steps']").click()
    else:
        assert inner.locator("#was").inner_text() == "no script ran"
        assert inner.locator("h1").evaluate("e => getComputedStyle(e).color") == "rgb(1, 2, 3)"
        assert inner.locator("#own").evaluate("e => e.complete && e.naturalWidth") == 7
        for planted in ("#script", "#top", "#form button"):
            inner.locator(planted).click(no_wait_after=True)
        page.wait_for_timeout(2000)  # the refresh of the page would be due after one second
        assert inner.url.endswith("/planted/page.html")
        picture(page, "planted")
        inner.locator("#own-link").click()
        inner.get_by_role("heading", name="another page").wait_for()
    assert seen == []
    assert world.get("/api/v2/dags/grouped")["is_paused"] is False


def test_every_pipeline_has_its_place_in_the_navigation(page, world, run_id):
    page.goto(f"{world.airflow.url}/plugin/kilnworks")
    frame = page.frame_locator("iframe[title='Pipelines']")
    frame.get_by_role("heading", name="grouped").wait_for()
    picture(page, "pipelines")


def test_runs_are_chosen_and_stand_side_by_side(page, world, run_id, live_run):
    page.goto(f"{world.airflow.url}/plugin/kilnworks")
    frame = page.frame_locator("iframe[title='Pipelines']")
    for chosen in (run_id, live_run):
        frame.get_by_label(f"compare {chosen}").check()
    frame.locator("form", has=frame.get_by_label(f"compare {run_id}")).get_by_role("button").click()
    frame.get_by_role("heading", name="grouped: 2 runs side by side").wait_for()
    frame.get_by_role("row", name="model.epochs 3 2").or_(frame.get_by_text("model.epochs")).first.wait_for()
    picture(page, "compare")


def test_the_name_of_a_run_leads_to_its_page_in_airflow(page, world, live_run):
    page.goto(f"{world.airflow.url}/plugin/kilnworks")
    page.frame_locator("iframe[title='Pipelines']").get_by_role("link", name=live_run).first.click()
    page.wait_for_url(re.compile(rf"/dags/grouped/runs/{re.escape(urllib.parse.quote(live_run, safe=''))}"))


def test_the_epochs_of_a_run_that_goes_on_appear_by_themselves(page, world):
    """The page is opened once; it shows more epochs, and then that the run has ended."""
    started = world.start("grouped", {"model.epochs": 8, "model.seconds": 1.5})
    page.goto(f"{world.airflow.url}/dags/grouped/runs/{urllib.parse.quote(started, safe='')}/plugin/epochs")
    frame = page.frame_locator("iframe[title='Epochs']")
    frame.get_by_role("heading", name=re.compile("model: [2-7] epochs")).wait_for()
    picture(page, "epochs")
    frame.get_by_role("heading", name="model: 8 epochs").wait_for()
    frame.locator("#live > .ended").wait_for()


def test_the_note_of_a_run_says_what_it_came_to(world, live_run):
    quoted = urllib.parse.quote(live_run, safe="")
    note = world.wait("the note", lambda: world.get(f"/api/v2/dags/grouped/dagRuns/{quoted}")["note"])
    assert "version 1" in note and "mean 2.0000" in note
    assert "Result: " in world.log("grouped", live_run, "learn")


def test_the_assets_show_what_comes_from_where(page, world, live_run):
    assets = {asset["name"]: asset["id"] for asset in world.get("/api/v2/assets?limit=100")["assets"]}
    page.goto(f"{world.airflow.url}/assets/{assets['grouped.model']}")
    for name in ("grouped.checked", "grouped.model", "grouped.servable", "grouped.deployment"):
        page.get_by_text(name, exact=True).first.wait_for()
    picture(page, "assets")


def test_a_champion_is_chosen_from_a_list(page, world, run_id, live_run):
    """The trial is offered with its figures, nothing is red before something was typed, and the choice goes live."""

    def offered():
        found = world.get("/api/v2/dags/grouped_champion/details")["params"]["known_run"]
        return run_id in found["schema"]["enum"] and live_run not in found["schema"]["enum"]

    world.read_again("grouped_champion")
    world.wait("the list of runs", offered, 240)
    world.unpause("grouped_champion")
    dialog = opened_form(page, world, "grouped_champion")
    trigger = dialog.get_by_role("button", name="Trigger")
    dialog.locator("#element_known_run").click()
    picture(page, "champion-form")
    assert trigger.is_enabled(), "a field is wrong before anything was typed"
    page.get_by_role("option", name=re.compile(f"mean 2.0000, {re.escape(run_id)}")).click()
    dialog.locator("input[name='element_reason']").fill("fewer epochs do as well")
    page.keyboard.press("Tab")
    trigger.click()

    def moved():
        return [m for m in moves(world.store.root, "grouped") if m["run_id"] == run_id]

    move = world.wait("the move", moved)[-1]
    assert (move["action"], move["by"], move["reason"]) == ("promote", "admin", "fewer epochs do as well")


@pytest.mark.parametrize("dag", ["grouped", "asked", "arriving_retrain"])
def test_reading_the_definitions_again_makes_no_new_version(world, run_id, dag):
    versions = world.get(f"/api/v2/dags/{dag}/dagVersions")
    assert versions["total_entries"] == 1, json.dumps(versions)


def test_a_person_approves_by_a_click_with_another_setting(page, world):
    run_id = world.start("asked")
    quoted = urllib.parse.quote(run_id, safe="")
    world.wait("the question", lambda: world.tasks("asked", run_id)["approve_deployment"]["state"] == "deferred")
    page.goto(f"{world.airflow.url}/dags/asked/runs/{quoted}/tasks/approve_deployment/required_actions")
    page.get_by_text("champion").first.wait_for()
    picture(page, "approval")
    page.locator("input[name='element_deployment.keep']").fill("5")
    page.locator("input[name='element_comment']").fill("looks good")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Approve").click()
    world.wait("the answer", lambda: world.tasks("asked", run_id)["approve_deployment"]["state"] != "deferred")
    page.goto(BLANK)
    assert set(world.finished("asked", run_id).values()) == {"success"}
    run = world.store.run("asked", run_id)
    assert run.manifest("deployment")["config"]["keep"] == 5
    assert read_json(run.path / "approvals" / "deployment.json")["headline"].endswith("by admin: looks good")
