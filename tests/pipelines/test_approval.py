"""What a person is asked before a promotion, and what stays of the answer."""

from pathlib import Path

import pytest

from pipelines.core.approval import approved_settings, question, record_answer
from pipelines.core.execute import run_together
from pipelines.core.graph import Pipeline, Step
from pipelines.core.store import Store
from schemas.artifacts import Evaluation
from schemas.champion import ChampionRecord, write_champion
from schemas.config import Config
from schemas.files import read_json, write_json


class JudgeConfig(Config):
    auc: float = 0.8


def judge(config: JudgeConfig, out: Path) -> Evaluation:
    auc = {"value": config.auc, "low": config.auc - 0.01, "high": config.auc + 0.01}
    write_json(out / "evaluation.json", {"metrics": {"auc": auc, "lift": {"value": None, "low": None, "high": None}}})
    return Evaluation(out)


def pipeline(auc):
    return Pipeline("churn", (Step("evaluation", judge, JudgeConfig(auc=auc)),))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def evaluated(store, run_id, auc):
    run = store.run("churn", run_id)
    run_together(pipeline(auc), ["evaluation"], run)
    return run


def test_the_first_model_has_no_champion_beside_it(store):
    text = question(pipeline(0.8), evaluated(store, "first", 0.8))
    assert text.startswith("There is no champion yet.")
    assert "| auc |  | 0.8000 (0.7900 to 0.8100) |  |" in text


def test_the_champions_figures_stand_beside_those_of_the_run(store):
    evaluated(store, "old", 0.8)
    write_champion(store.root, ChampionRecord("churn", "old", "churn", 7, "x", "now"))
    text = question(pipeline(0.83), evaluated(store, "new", 0.83))
    assert "version 7, of run `old`" in text
    assert "| auc | 0.8000 (0.7900 to 0.8100) | 0.8300 (0.8200 to 0.8400) | +0.0300 |" in text
    assert "| lift |  |  |  |" in text


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
