"""A new model that is worse than the live one: held where nobody is asked, and shown to whoever is."""

import urllib.parse

import pytest

from kilnworks.components.reporting.report import render_report
from kilnworks.schemas.champion import moves
from kilnworks.schemas.files import read_json
from tests.e2e.airflow.conftest import BLANK, picture

pytestmark = pytest.mark.e2e


@pytest.fixture
def slope(world):
    """Sets the slope of the next model, as a change of the definition would: -1 orders the rows the wrong way."""
    file = world.landing / "slope.txt"
    yield lambda value: file.write_text(str(value))
    file.unlink(missing_ok=True)


def note(world, dag, run_id):
    return world.get(f"/api/v2/dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}")["note"]


def pipelines(page, world, text, name):
    """The page *Pipelines* says it."""
    page.goto(f"{world.airflow.url}/plugin/kilnworks")
    page.frame_locator("iframe[title='Pipelines']").get_by_text(text).first.wait_for()
    picture(page, name)
    page.goto(BLANK)


def test_a_worse_model_is_held_and_everything_says_why(page, world, slope):
    world.unpause("challenged")
    good = world.start("challenged")
    assert set(world.finished("challenged", good).values()) == {"success"}
    assert read_json(world.store.root / "champions" / "challenged.json")["run_id"] == good

    slope(-1)
    bad = world.start("challenged")
    states = world.finished("challenged", bad)
    assert states["run"] == "success", "to keep the better model is no failure"
    assert read_json(world.store.root / "champions" / "challenged.json")["run_id"] == good
    assert [m["run_id"] for m in moves(world.store.root, "challenged")] == [good]
    run = world.store.run("challenged", bad)
    kept = read_json(run.path / "deployment.skipped" / "decision.json")
    assert (kept["gate"], kept["passed"], kept["details"]["verdict"]) == ("challenge", False, "worse")
    assert kept["details"]["champion"] == pytest.approx(1 - kept["details"]["challenger"])
    said = world.wait("the note", lambda: note(world, "challenged", bad))
    assert said.startswith("challenge gate closed: auc 0."), said
    assert said.splitlines()[0] in world.log("challenged", bad, "all")
    report = render_report(run.path)
    assert "version 1, run " + good in report
    assert f"kilnworks promote challenged --run {bad}" in report
    pipelines(page, world, "stopped: challenge", "held")
    assert not (world.store.root / "serving" / "challenged" / "2").exists()

    world.unpause("challenged_champion")
    moved = world.start("challenged_champion", {"action": "promote", "run": bad, "reason": "a trial in the shop"})
    assert set(world.finished("challenged_champion", moved).values()) == {"success"}
    last = moves(world.store.root, "challenged")[-1]
    assert (last["run_id"], last["action"], last["by"]) == (bad, "promote", "admin")
    assert last["challenge"]["verdict"] == "worse"


@pytest.mark.nightly
def test_the_question_shows_both_models_on_the_same_rows(page, world, slope):
    world.unpause("weighed")

    def asked(run_id):
        run = f"/api/v2/dags/weighed/dagRuns/{urllib.parse.quote(run_id)}"
        path = f"{run}/taskInstances/approve_deployment/-1/hitlDetails"

        def found():
            status, detail = world.call("GET", path)
            return detail["body"] if status == 200 else None

        return path, world.wait("the question", found)

    def answered(path, option, comment):
        body = {"chosen_options": [option], "params_input": {"comment": comment}}
        assert world.call("PATCH", path, body)[0] == 200

    first = world.start("weighed")
    path, _ = asked(first)
    answered(path, "Approve", "the first")
    assert set(world.finished("weighed", first).values()) == {"success"}

    slope(-1)
    second = world.start("weighed")
    path, body = asked(second)
    assert "**Challenge**: auc" in body and "shown to be worse" in body, body
    page.goto(f"{world.airflow.url}/dags/weighed/runs/{second}/tasks/approve_deployment/required_actions")
    page.get_by_text("shown to be worse").first.wait_for()
    picture(page, "question")
    pipelines(page, world, "waits for approval", "waiting")
    answered(path, "Reject", "it is worse")
    states = world.finished("weighed", second)
    assert (states["run"], states["deployment"]) == ("success", "skipped")
    assert read_json(world.store.root / "champions" / "weighed.json")["run_id"] == first

    third = world.start("weighed")
    path, _ = asked(third)
    answered(path, "Approve", "we know")
    assert set(world.finished("weighed", third).values()) == {"success"}
    last = moves(world.store.root, "weighed")[-1]
    assert (last["run_id"], last["by"], last["challenge"]["verdict"]) == (third, "admin", "worse")
