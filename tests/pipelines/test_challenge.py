"""Every path by which a version can become the champion, with models that are compared: who decided, and why."""

import csv
import shutil
import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kilnworks.components.reporting.report import render_report
from kilnworks.components.reporting.summary import run_summary
from kilnworks.components.retraining.ledger import LandedData, opened
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.challenge import known
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.promotion import permission
from kilnworks.pipelines.core.reasons import closed_gates
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import moves, read_champion, write_champion
from kilnworks.schemas.files import read_json

pytestmark = pytest.mark.slow

DEFINITION = """
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.deploy import DeployConfig, deploy
from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.sources import ByHash, CsvSource
from kilnworks.components.sources.splitting.splits import Shares
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.operations import Approval, Operations, Task
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from tests.pipelines.made_models import TREE, JudgeConfig, LearnConfig, check, export, judge, learn

SPLIT = ByHash(shares=Shares(train=0.4, val=0.1, test=0.5), salt={salt})
SHOP = Pipeline(
    "shop",
    (
        Step("examples", ingest, IngestConfig(
            contract=Contract.model_validate(TREE), source=CsvSource(path="shop.csv"), split=SPLIT)),
        Step("checked", check, Config(), {{"examples": "examples"}}),
        Step("model", learn, LearnConfig(**{model}), {{"examples": "checked"}}),
        Step("evaluation", judge, JudgeConfig(), {{"model": "model", "examples": "checked"}}),
        Step("servable", export, Config(), {{"model": "model", "evaluation": "evaluation"}}),
        Step("deployment", deploy, DeployConfig(challenge={challenge}), {{"servable": "servable"}}),
    ),
    operations=Operations(
        tasks={{"deployment": Task(approval={approval})}},
        retrain=RetrainPolicy(landing="landing", setting="model.mark"),
    ),
)
"""
GOOD, BAD = {"slope": 1.0}, {"slope": -1.0}


class Shop:
    def __init__(self, root):
        self.root, self.store = root, root / "store"
        rng = np.random.default_rng(1)
        self.x = rng.normal(size=400)
        self.y = rng.random(400) < 1 / (1 + np.exp(-2 * self.x))
        with (root / "shop.csv").open("w") as file:
            writer = csv.writer(file)
            writer.writerow(["x", "y"])
            writer.writerows((repr(float(x)), "yes" if y else "no") for x, y in zip(self.x, self.y, strict=True))
        self.define()

    def define(self, model=GOOD, salt=0, challenge="Challenge()", approval="None"):
        text = DEFINITION.format(model=model, salt=salt, challenge=challenge, approval=approval)
        (self.root / "pipelines" / "shop.py").write_text(text)

    def __call__(self, *argv: str) -> int:
        try:
            return main(list(argv))
        except SystemExit as ended:
            return int(ended.code or 0)

    def run(self, run_id: str, *argv: str) -> int:
        return self("run", "shop", "--run-id", run_id, *argv)

    def live(self) -> str:
        return read_champion(self.store, "shop").run_id

    def moved(self, run_id: str, action: str, by: str, verdict: str) -> dict:
        """The last move is of this run, and says who decided and what came of the challenge."""
        move = moves(self.store, "shop")[-1]
        assert self.live() == run_id
        assert (move["run_id"], move["action"], move["by"]) == (run_id, action, by)
        found = move["challenge"]
        assert found["verdict"] == verdict
        if found["against"] is not None:
            before = {name: move["previous"][name] for name in ("run_id", "version")}
            assert found["against"] == before, "it was compared with what it replaced"
        return move

    def held(self, run_id: str) -> dict:
        """The run was stopped by the challenge, and its record says so; the champion is another."""
        outcome = read_json(self.store / "runs" / "shop" / run_id / "outcomes" / "deployment.json")
        assert outcome["outcome"] == "skipped" and self.live() != run_id
        kept = read_json(self.store / "runs" / "shop" / run_id / "deployment.skipped" / "decision.json")
        assert kept["gate"] == "challenge" and not kept["passed"]
        assert kept["next_action"] == f"kilnworks promote shop --run {run_id}"
        return kept


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project with one pipeline, and a way to call ``kilnworks`` in it."""
    (tmp_path / "pipelines").mkdir()
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return Shop(tmp_path)


def test_run_resume_cache_promote_and_rollback(shop, capsys):
    assert shop.run("r1") == 0
    shop.moved("r1", "deploy", "the gates", "first")
    assert "live     version 1 of shop, the first one" in capsys.readouterr().out

    shop.define(model={"slope": 1.5})
    assert shop.run("r2") == 0
    move = shop.moved("r2", "deploy", "the gates", "not worse")
    assert move["challenge"]["difference"] == pytest.approx(0), "the order of the scores is the same, and so is the AUC"
    assert "live     version 2 of shop, in place of version 1: auc" in capsys.readouterr().out
    told = read_json(shop.store / "runs/shop/r2/deployment/decision.json")
    assert told["details"]["challenge"] == move["challenge"] and move["challenge"]["text"] in told["reason"]

    shop.define(model=BAD)
    assert shop.run("r3") == 99
    found = shop.held("r3")["details"]
    said = capsys.readouterr().out
    assert "shown to be worse" in said and "to do    kilnworks promote shop --run r3" in said
    assert run_summary(shop.store / "runs" / "shop" / "r3")["verdict"] == "stopped: challenge"
    alert = closed_gates(Store.at(str(shop.store)).run("shop", "r3"), ["deployment"])
    assert len(alert) == 1 and alert[0].startswith("challenge gate closed: auc 0.")
    test = read_json(shop.store / "runs/shop/r3/checked/examples.json")["splits"]["test"]["rows"]
    assert found["rows"] == test and found["champion"] == pytest.approx(1 - found["challenger"])
    assert {p.name for p in (shop.store / "serving/shop").iterdir() if p.name.isdigit()} == {"1", "2"}

    record = shop.store / "runs/shop/r3/challenges/deployment.json"
    before = record.stat().st_mtime_ns
    assert shop.run("r3") == 99 and record.stat().st_mtime_ns == before, "measured once"
    assert shop("step", "shop", "deployment", "--run-id", "r3") == 99, "nor by the step alone"
    assert shop.run("r4") == 99, "nor by way of the cache"
    shop.held("r4")

    capsys.readouterr()
    assert shop("runs", "shop") == 0
    assert capsys.readouterr().out.count("worse") == 3, "r2 is not worse, r3 and r4 are"
    page = render_report(shop.store / "runs/shop/r3")
    assert (
        "auc on the same" in page.lower() and "version 2, run r2" in page and "kilnworks promote shop --run r3" in page
    )

    assert shop("promote", "shop", "--run", "r3", "--by", "ann", "--reason", "a test of the shop") == 0
    assert "a person asked" in shop.moved("r3", "promote", "ann", "worse")["challenge"]["text"]
    assert shop("rollback", "shop", "--by", "bob", "--reason", "complaints") == 0
    shop.moved("r2", "rollback", "bob", "not asked")
    assert [m["by"] for m in moves(shop.store, "shop")] == ["the gates", "the gates", "ann", "bob"]


def test_the_area_is_that_of_another_library(shop):
    shop.run("r1")
    shop.define(model={"slope": -1.0, "bias": 0.3})
    shop.run("r2")
    import polars as pl

    rows = pl.read_parquet(shop.store / "runs/shop/r2/checked/test/*.parquet")
    area = roc_auc_score(rows["y"] == "yes", rows["x"])
    found = shop.held("r2")["details"]
    assert (found["champion"], found["challenger"]) == pytest.approx((area, 1 - area))


def test_accuracy_goes_by_the_exact_test(shop):
    shop.define(challenge="Challenge(metric='accuracy', rule='better')")
    shop.run("r1")
    shop.define(model={"slope": 1.0, "bias": 3.0}, challenge="Challenge(metric='accuracy', rule='better')")
    assert shop.run("r2") == 99
    assert "exact McNemar" in shop.held("r2")["details"]["method"]


def test_a_yes_overrules_in_the_name_of_who_said_it(shop, capsys):
    shop.run("r1")
    shop.define(model=BAD, approval="Approval()")
    assert shop.run("r2") == 99
    kept = read_json(shop.store / "runs/shop/r2/deployment.skipped/decision.json")
    assert kept["gate"] == "approval" and "shown to be worse" in kept["reason"], "the question comes with the figures"
    assert shop("compare", "shop", "--run", "r2") == 0
    assert "**Challenge**: auc" in capsys.readouterr().out
    assert shop.run("r2", "--approve", "--by", "ann", "--reason", "we know") == 0
    assert shop.moved("r2", "deploy", "ann", "worse")["reason"].endswith("we know")


def test_nobody_in_time_is_no_person(shop):
    from kilnworks.pipelines.core.approval import NOBODY, record_answer

    shop.run("r1")
    shop.define(model=BAD, approval="Approval()")
    shop.run("r2", "--to", "servable")
    run = Store.at(str(shop.store)).run("shop", "r2")
    record_answer(run, "deployment", approved=True, by=NOBODY, comment="", settings={})
    assert shop.run("r2") == 99
    shop.held("r2")


def test_a_retraining_is_challenged_too(shop):
    shop.run("r1")
    shop.define(model=BAD)
    with opened(shop.store, "shop") as ledger:
        ledger.batches.append(LandedData(run_id="retrain__1", fingerprint="f", new=[], rows=1, claimed=0.0))
    assert shop.run("retrain__1", "--set", "model.mark=pinned") == 99
    shop.held("retrain__1")


def test_to_loosen_the_rule_for_a_run_is_a_trial(shop):
    shop.run("r1")
    shop.define(model=BAD)
    shop.run("r2", "--set", "deployment.challenge=null")
    kept = read_json(shop.store / "runs/shop/r2/deployment.skipped/decision.json")
    assert kept["gate"] == "trial" and shop.live() == "r1"


def test_switched_off_nothing_is_compared(shop):
    shop.run("r1")
    shop.define(model=BAD, challenge="None")
    assert shop.run("r2") == 0
    shop.moved("r2", "deploy", "the gates", "off")


def test_a_verdict_holds_for_one_champion_alone(shop):
    """Two runs at once: the one that comes second is challenged again, by the model that went live meanwhile."""
    shop.define(model=BAD)
    shop.run("r1")
    shop.define(model=GOOD)
    shop.run("r2", "--to", "servable")
    store = Store.at(str(shop.store))
    run, pipeline = store.run("shop", "r2"), load("shop")
    decided, closed = permission(pipeline, pipeline["deployment"], run)
    assert (
        closed is None and decided.challenge["against"]["run_id"] == "r1" and decided.challenge["verdict"] == "better"
    )
    write_champion(store.root, replace(read_champion(store.root, "shop"), run_id="r0", version=7))
    assert known(pipeline, pipeline["deployment"], run) is None


def test_a_metric_that_nobody_has_is_refused_before_anything_runs(shop, capsys):
    assert shop.run("r1", "--set", "deployment.challenge.metric=auk") == 2
    assert "did you mean" in capsys.readouterr().err and not (shop.store / "runs").exists()
    shop.define(challenge="Challenge(metric='auk')")
    assert shop.run("r1") == 2
    assert "shop.deployment" in capsys.readouterr().err


def test_two_at_once_each_challenge_what_is_live_then(shop):
    shop.run("r1")
    store, threads = Store.at(str(shop.store)), []
    for run_id, model in (("r2", {"slope": 2.0}), ("r3", {"slope": 3.0})):
        shop.define(model=model)
        shop.run(run_id, "--to", "servable")
        threads.append(threading.Thread(target=run_all, args=(load("shop"), store.run("shop", run_id))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    made = moves(shop.store, "shop")
    assert [move["run_id"] for move in made] in (["r1", "r3"], ["r1", "r2", "r3"]), "the newer one is live in the end"
    shop.moved("r3", "deploy", "the gates", "not worse")
    for before, move in pairwise(made):
        assert move["challenge"]["against"] == {"run_id": before["run_id"], "version": before["version"]}


@pytest.mark.parametrize(("otherwise", "code"), [("promote", 0), ("hold", 99)])
def test_what_cannot_be_compared_is_said_and_follows_the_setting(shop, otherwise, code, capsys):
    challenge = f"Challenge(unmeasured={otherwise!r})"
    shop.define(challenge=challenge)
    shop.run("r1")
    shop.define(model=BAD, challenge=challenge, salt=1)
    assert shop.run("r2") == code
    assert "a split with another salt" in capsys.readouterr().out
    shutil.rmtree(shop.store / "serving/shop" / str(read_champion(shop.store, "shop").version))
    shop.define(model={"slope": 2.0}, challenge=challenge, salt=1 if code == 0 else 0)
    assert shop.run("r3") == code
    assert "the champion does not open" in capsys.readouterr().out


def test_a_champion_of_other_columns(shop, capsys):
    shop.define(model={"slope": 1.0, "takes": "weight"})
    shop.run("r1")
    shop.define(model=BAD)
    assert shop.run("r2") == 0
    assert "columns that these rows do not have: weight" in capsys.readouterr().out
