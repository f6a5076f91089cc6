"""What stays of the answer that a person gives before a step."""

import pytest

from kilnworks.pipelines.core.approval import approved_settings, record_answer
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.files import read_json


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_a_yes_with_changed_settings(store):
    run = store.run("churn", "r")
    record = record_answer(
        run, "deployment", approved=True, by="anna", comment="as agreed", settings={"deployment.keep": 5}
    )
    assert record.headline == "approval gate passed: approved by anna: as agreed"
    assert approved_settings(run, ["model", "deployment"]) == {"deployment.keep": 5}
    assert run.outcome("deployment") is None
    assert read_json(run.path / "approvals" / "deployment.json")["details"]["by"] == "anna"


def test_a_no_is_recorded_as_the_steps_outcome(store):
    run = store.run("churn", "r")
    record_answer(run, "deployment", approved=False, by="ben", comment="", settings={})
    outcome = run.outcome("deployment")
    assert (outcome["outcome"], outcome["reason"]) == ("skipped", "approval gate closed: rejected by ben")
    assert approved_settings(run, ["deployment"]) == {}
