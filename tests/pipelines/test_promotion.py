"""Every path by which a version can become the champion: who decided, and that it is recorded."""

import json
import re
import shutil
import threading

import pytest

from kilnworks.components.deploy import DeployConfig, deploy
from kilnworks.components.retraining.ledger import LandedData, opened
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core import store as stores
from kilnworks.pipelines.core.approval import record_answer
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.operations import Approval, Operations, Task
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import moves, read_champion
from kilnworks.schemas.errors import UnknownName
from kilnworks.schemas.files import read_json
from tests.pipelines.shop_of_bytes import ExportConfig, export

DEFINITION = """
from kilnworks.components.deploy import DeployConfig, deploy
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.operations import Approval, Operations, Task
from tests.pipelines.shop_of_bytes import ExportConfig, export

SHOP = Pipeline(
    "shop",
    (
        Step("servable", export, ExportConfig(mark={mark!r})),
        Step("deployment", deploy, DeployConfig(), {{"servable": "servable"}}),
    ),
    operations=Operations(
        tasks={{"deployment": Task(approval={approval})}},
        retrain=RetrainPolicy(landing="landing", setting="servable.data"),
    ),
)
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project with one pipeline, and a way to call ``kilnworks`` in it."""
    (tmp_path / "pipelines").mkdir()
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return Shop(tmp_path)


class Shop:
    def __init__(self, root):
        self.root, self.store = root, root / "store"
        self.define()

    def define(self, mark="a", approval="None"):
        (self.root / "pipelines" / "shop.py").write_text(DEFINITION.format(mark=mark, approval=approval))

    def __call__(self, *argv: str) -> int:
        try:
            return main(list(argv))
        except SystemExit as ended:
            return int(ended.code or 0)

    def run(self, run_id: str, *argv: str) -> int:
        return self("run", "shop", "--run-id", run_id, *argv)

    def live(self) -> tuple[str, int]:
        """Run and version of the champion, whose move is recorded whole."""
        champion = read_champion(self.store, "shop")
        self.last_move()
        return champion.run_id, champion.version

    def served(self) -> str:
        from pathlib import Path

        return Path(read_champion(self.store, "shop").path, "saved_model.pb").read_text()[0]

    def report(self, run_id: str) -> str | None:
        """What the report of a run says of its version; None where it has published none."""
        page = (self.store / "runs" / "shop" / run_id / "report.html").read_text()
        found = re.search(r"version \d+ \(([a-z ]+)\)", page)
        return found[1] if found else None

    def last_move(self) -> dict:
        move = moves(self.store, "shop")[-1]
        champion = read_champion(self.store, "shop")
        assert (move["run_id"], move["version"]) == (champion.run_id, champion.version), "every move is recorded"
        assert move["by"] and move["reason"] and move["action"] in ("deploy", "promote", "rollback")
        by_name = move["action"] in ("promote", "rollback")
        verdicts = ("not asked",) if by_name else ("first", "same model", "unmeasured")
        assert move["challenge"]["verdict"] in verdicts, "so is what came of the challenge"
        return move

    def gate(self, run_id: str) -> str:
        outcome = read_json(self.store / "runs" / "shop" / run_id / "outcomes" / "deployment.json")
        assert outcome["outcome"] == "skipped"
        kept = read_json(self.store / "runs" / "shop" / run_id / "deployment.skipped" / "decision.json")
        assert kept["gate"] == outcome["error"]["details"]["gate"] and not kept["passed"]
        return kept["gate"]


def test_a_run_goes_live_and_says_who_decided(shop):
    assert shop.run("r1") == 0
    assert shop.live() == ("r1", 1)
    move = shop.last_move()
    assert (move["action"], move["by"], move["previous"]) == ("deploy", "the gates", None)


@pytest.mark.slow
def test_a_newer_run_takes_the_place_of_the_champion(shop):
    shop.run("r1")
    shop.define(mark="b")
    assert shop.run("r2") == 0
    assert (shop.live(), shop.served()) == (("r2", 2), "b")
    assert shop.last_move()["previous"]["run_id"] == "r1"


def test_a_trial_publishes_nothing(shop, capsys):
    shop.run("r1")
    assert shop.run("r2", "--set", "servable.mark=b") == 0
    assert shop.live() == ("r1", 1)
    assert shop.gate("r2") == "trial"
    said = capsys.readouterr().out
    assert "servable.mark" in said and "kilnworks promote shop --run r2" in said
    assert [p.name for p in (shop.store / "serving" / "shop").iterdir() if p.name.isdigit()] == ["1"]


def test_a_step_that_publishes_says_which_version_is_live(shop, capsys):
    assert shop("step", "shop", "servable", "--run-id", "r1") == 0
    capsys.readouterr()
    assert shop("step", "shop", "deployment", "--run-id", "r1") == 0
    assert capsys.readouterr().out.count("live     version 1 of shop, the first one") == 1


def test_predict_before_a_trial_is_promoted_says_so(shop, capsys):
    shop.run("r1", "--set", "servable.mark=b")
    capsys.readouterr()
    assert shop("predict", "shop", "rows.csv") == 2
    told = capsys.readouterr().err
    assert "no model of 'shop' is live: run r1 ended at deployment: trial gate closed: other setting" in told
    assert "to do:  kilnworks promote shop --run r1 makes it live" in told and "all the same" not in told


def test_the_first_run_of_all_is_no_exception(shop):
    assert shop.run("r1", "--set", "servable.mark=b") == 0
    with pytest.raises(UnknownName):
        shop.live()


def test_a_setting_as_the_definition_has_it_is_no_trial(shop):
    assert shop.run("r1", "--set", "servable.mark=a") == 0
    assert shop.live() == ("r1", 1)


def test_settings_of_the_deployment_are_no_trial(shop):
    assert shop.run("r1", "--set", "deployment.keep=2") == 0
    assert shop.live() == ("r1", 1)


def test_a_trial_that_is_asked_for_goes_live(shop):
    shop.run("r1")
    assert shop.run("r2", "--set", "servable.mark=b", "--promote", "--by", "ann", "--reason", "better for us") == 0
    assert (shop.live(), shop.served()) == (("r2", 2), "b")
    move = shop.last_move()
    assert (move["action"], move["by"], move["reason"]) == ("promote", "ann", "better for us")


def test_promote_publishes_the_model_of_a_trial(shop, capsys):
    shop.run("r1")
    shop.run("r2", "--set", "servable.mark=b")
    assert shop("promote", "shop", "--run", "r2", "--by", "ann", "--reason", "it is better") == 0
    assert (shop.live(), shop.served()) == (("r2", 2), "b")
    assert (shop.last_move()["by"], shop.last_move()["reason"]) == ("ann", "it is better")
    assert "promote by ann: it is better" in capsys.readouterr().out
    assert shop("promote", "shop", "--run", "r2") == 0
    assert "already" in capsys.readouterr().out and len(moves(shop.store, "shop")) == 2


def test_pipelines_that_publish_equal_models_have_a_champion_each(shop):
    """Nor does the answer of a definition that asks nobody count for one that asks."""
    text = (shop.root / "pipelines" / "shop.py").read_text()
    twin = text.replace('"shop"', '"twin"').replace("SHOP", "TWIN")
    (shop.root / "pipelines" / "twin.py").write_text(twin)
    (shop.root / "pipelines" / "strict.py").write_text(
        twin.replace('"twin"', '"strict"').replace("TWIN", "STRICT").replace("approval=None", "approval=Approval()")
    )
    shop.run("r1")
    assert shop("run", "twin", "--run-id", "t1") == 0
    assert shop("run", "strict", "--run-id", "s1") == 99
    store = Store(shop.store)
    assert store.run("twin", "t1").outcome("servable")["outcome"] == "cached"
    assert [(read_champion(shop.store, n).run_id, read_champion(shop.store, n).model) for n in ("shop", "twin")] == [
        ("r1", "shop"),
        ("t1", "twin"),
    ]
    with pytest.raises(UnknownName):
        read_champion(shop.store, "strict")


def test_every_move_is_told_by_the_reports_of_both_runs(shop, capsys):
    """That of the run which goes live, and that of the run which was live."""
    shop.run("r1")
    shop.run("r2", "--set", "servable.mark=b")
    assert (shop.report("r1"), shop.report("r2")) == ("champion", None)
    shop("promote", "shop", "--run", "r2", "--reason", "it is better")
    assert (shop.report("r1"), shop.report("r2")) == ("no longer the champion", "champion")
    shop("rollback", "shop", "--reason", "it was not")
    assert (shop.report("r1"), shop.report("r2")) == ("champion", "no longer the champion")
    assert f"report   {shop.store}/runs/shop/r1/report.html" in capsys.readouterr().out
    shop.define(mark="c")
    shop.run("r3")
    assert (shop.report("r1"), shop.report("r3")) == ("no longer the champion", "champion")
    shutil.rmtree(shop.store / "runs" / "shop" / "r1")
    assert shop("rollback", "shop", "--reason", "to a version whose run is gone") == 0
    assert shop.report("r3") == "no longer the champion"


def test_promote_refuses_a_run_whose_gates_are_closed(shop, capsys):
    shop.run("r1", "--to", "servable")
    (shop.store / "runs" / "shop" / "r1" / "servable").rename(shop.root / "gone")
    assert shop("promote", "shop", "--run", "r1") == 1
    told = capsys.readouterr().err
    assert "has no finished servable: run r1 has not come to its end" in told
    assert "resume it: kilnworks run shop --run-id r1" in told
    assert shop("promote", "shop", "--run", "nope") == 2


def test_train_only_publishes_nothing(shop):
    assert shop.run("r1", "--train-only") == 0
    assert shop.gate("r1") == "train only"
    assert shop.run("r1") == 0, "what was said holds for the run"
    assert shop.gate("r1") == "train only"


def test_an_old_run_that_is_made_again_does_not_replace_the_champion(shop):
    shop.run("r1")
    shop.define(mark="b")
    shop.run("r2")
    shop.define(mark="a")
    assert shop.run("r1") == 99
    assert shop.gate("r1") == "order"
    assert (shop.live(), shop.served()) == (("r2", 2), "b")


def test_an_old_run_that_failed_and_is_resumed_later_does_not_replace_the_champion(shop):
    shop.run("r1", "--to", "servable")
    shop.define(mark="b")
    shop.run("r2")
    shop.define(mark="a")
    assert shop.run("r1") == 99
    assert (shop.gate("r1"), shop.served()) == ("order", "b")


def test_a_run_that_takes_an_older_model_from_the_cache_does_not_replace_the_champion(shop, capsys):
    shop.run("r1")
    shop.define(mark="b")
    shop.run("r2")
    shop.define(mark="a")
    assert shop.run("r3") == 99
    assert (shop.gate("r3"), shop.live()) == ("order", ("r2", 2))
    assert "run r1" in capsys.readouterr().out, "it names whose artifact it took"


def test_a_model_that_was_made_later_than_the_champion_may_come_from_the_cache(shop):
    shop.run("r1")
    shop.define(mark="b")
    shop.run("r2", "--to", "servable")
    assert shop.run("r3") == 0
    assert (shop.live(), shop.served()) == (("r3", 2), "b")


def test_a_lost_version_of_the_champion_is_published_again(shop):
    import shutil

    shop.run("r1")
    shutil.rmtree(shop.store / "serving" / "shop" / "1")
    assert shop.run("r2") == 0
    assert (shop.live(), shop.served()) == (("r2", 2), "a")


def test_a_backfill_of_an_older_window_does_not_replace_the_champion(shop):
    for run, interval in (("new", "2026-03-01/2026-04-01"), ("old", "2026-01-01/2026-02-01")):
        shop.run(run, "--interval", interval)
    assert shop.live() == ("new", 1)
    assert shop.gate("old") == "order"


def test_a_newer_window_that_began_to_run_earlier_replaces_the_champion(shop):
    shop.run("new", "--interval", "2026-03-01/2026-04-01", "--to", "servable")
    shop.run("old", "--interval", "2026-01-01/2026-02-01")
    assert shop.live() == ("old", 1)
    assert shop.run("new") == 0
    assert shop.live() == ("new", 2)


def test_a_retraining_on_data_that_landed_goes_live(shop):
    shop.run("r1")
    with opened(shop.store, "shop") as ledger:
        ledger.batches.append(LandedData(run_id="retrain__1", fingerprint="f", new=[], rows=1, claimed=0.0))
    assert shop.run("retrain__1", "--set", "servable.data=pinned") == 0
    assert shop.live() == ("retrain__1", 2)
    assert shop.run("retrain__2", "--set", "servable.data=pinned2") == 0, "nobody ordered this one: a trial"
    assert shop.live() == ("retrain__1", 2)


def test_a_retraining_with_another_setting_too_is_a_trial(shop):
    with opened(shop.store, "shop") as ledger:
        ledger.batches.append(LandedData(run_id="retrain__1", fingerprint="f", new=[], rows=1, claimed=0.0))
    shop.run("retrain__1", "--set", "servable.data=pinned", "--set", "servable.mark=b")
    assert shop.gate("retrain__1") == "trial"


def test_without_a_yes_nothing_goes_live(shop, capsys):
    shop.define(approval="Approval()")
    assert shop.run("r1") == 99
    assert shop.gate("r1") == "approval"
    assert "kilnworks run shop --run-id r1 --approve --reason WHY" in capsys.readouterr().out
    assert shop("step", "shop", "deployment", "--run-id", "r1") == 99, "nor by the step alone"
    assert not (shop.store / "champions" / "shop.json").exists()


@pytest.mark.slow
def test_a_yes_on_the_command_line(shop, capsys):
    shop.define(approval="Approval()")
    shop.run("r1")
    assert shop.run("r1", "--approve") == 2
    assert "--reason" in capsys.readouterr().err
    assert shop.run("r1", "--approve", "--by", "ann", "--reason", "looks right") == 0
    assert shop.live() == ("r1", 1)
    move = shop.last_move()
    assert move["by"] == "ann" and "looks right" in move["reason"]


def test_approve_where_nothing_wants_it_is_refused(shop):
    assert shop.run("r1", "--approve", "--reason", "x") == 2


def test_a_rejected_model_does_not_go_live_by_the_command_that_its_report_offers(shop, capsys):
    shop.define(approval="Approval()")
    run = Store.at(str(shop.store)).run("shop", "r1")
    shop.run("r1", "--to", "servable")
    record_answer(run, "deployment", approved=False, by="ann", comment="too old", settings={})
    assert shop.run("r1") == 99
    assert shop.gate("r1") == "approval"
    assert "rejected by ann: too old" in capsys.readouterr().out


def test_a_yes_given_to_one_run_is_none_for_another(shop):
    shop.define(approval="Approval()")
    shop.run("r1", "--approve", "--reason", "x")
    shop.define(approval="Approval()", mark="b")
    assert shop.run("r2") == 99
    assert shop.live() == ("r1", 1)


def test_promote_is_a_yes_with_a_name(shop):
    shop.define(approval="Approval()")
    shop.run("r1")
    assert shop("promote", "shop", "--run", "r1", "--by", "ann", "--reason", "needed") == 0
    kept = read_json(shop.store / "runs" / "shop" / "r1" / "approvals" / "deployment.json")
    assert kept["passed"] and kept["details"]["by"] == "ann"
    assert shop.last_move()["by"] == "ann"


def test_rollback_publishes_what_was_live_before(shop, capsys):
    shop.run("r1")
    shop.define(mark="b")
    shop.run("r2")
    assert shop("rollback", "shop", "--by", "ann", "--reason", "complaints") == 0
    assert (shop.live(), shop.served()) == (("r1", 3), "a")
    move = shop.last_move()
    assert (move["action"], move["by"], move["reason"]) == ("rollback", "ann", "complaints")
    assert move["previous"]["version"] == 2
    assert "version 3 of shop (run r1) is the champion" in capsys.readouterr().out


def test_rollback_to_a_version(shop, capsys):
    for run, mark in (("r1", "a"), ("r2", "b"), ("r3", "c")):
        shop.define(mark=mark)
        shop.run(run)
    assert shop("rollback", "shop", "--to", "1") == 0
    assert (shop.live(), shop.served()) == (("r1", 4), "a")
    assert shop("rollback", "shop", "--to", "4") == 1 and "already" in capsys.readouterr().err
    assert shop("rollback", "shop", "--to", "9") == 2
    assert shop.live() == ("r1", 4)


def test_rollback_with_nothing_to_go_back_to(shop, capsys):
    assert shop("rollback", "shop") == 2
    shop.run("r1")
    assert shop("rollback", "shop") == 1
    assert "nothing was live" in capsys.readouterr().err
    assert shop.live() == ("r1", 1)


def test_after_a_rollback_the_run_that_was_left_does_not_come_back_by_itself(shop):
    shop.run("r1")
    shop.define(mark="b")
    shop.run("r2")
    shop("rollback", "shop")
    assert shop.run("r2") == 99
    assert (shop.live()[0], shop.served()) == ("r1", "a")
    assert shop.run("r3") == 99, "nor by way of the cache"
    assert shop.served() == "a"


def test_two_at_once_end_with_the_newer_one_and_both_are_recorded(shop):
    shop.run("r1", "--to", "servable")
    shop.define(mark="b")
    shop.run("r2", "--to", "servable")
    pipeline = Pipeline(
        "shop",
        (
            Step("servable", export, ExportConfig(mark="b")),
            Step("deployment", deploy, DeployConfig(), {"servable": "servable"}),
        ),
    )
    store = Store.at(str(shop.store))
    first = pipeline.configured({"servable.mark": "a"})
    threads = [
        threading.Thread(target=run_all, args=(p, store.run("shop", r))) for p, r in ((first, "r1"), (pipeline, "r2"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert shop.live()[0] == "r2"
    made = [move["run_id"] for move in moves(shop.store, "shop")]
    assert made in (["r2"], ["r1", "r2"])
    shop.last_move()


def test_the_operations_of_the_definition_may_ask_for_a_yes_before_any_step(tmp_path):
    pipeline = Pipeline(
        "shop",
        (Step("servable", export, ExportConfig()),),
        operations=Operations(tasks={"servable": Task(approval=Approval())}, retrain=RetrainPolicy(landing="x")),
    )
    run = Store(tmp_path).run("shop", "r1")
    assert run_all(pipeline, run) == {"servable": "skipped"}
    record_answer(run, "servable", approved=True, by="ann", comment="", settings={})
    assert run_all(pipeline, run) == {"servable": "done"}
    assert json.loads((run.path / "servable" / "manifest.json").read_text())["kind"] == "Servable"


def test_rollback_without_the_published_folder(shop, capsys):
    import shutil

    shop.run("r1")
    shutil.rmtree(shop.store / "serving")
    assert shop("rollback", "shop") == 1
    assert "serving/shop is gone" in capsys.readouterr().err


def test_where_nothing_is_measured_the_record_says_so(shop):
    shop.run("r1")
    assert shop.last_move()["challenge"]["verdict"] == "first"
    shop.define(mark="b")
    shop.run("r2")
    found = shop.last_move()["challenge"]
    assert (found["verdict"], found["live"]) == ("unmeasured", True)
    assert "the run has no evaluation" in found["text"]
    kept = read_json(shop.store / "runs/shop/r2/challenges/deployment.json")
    assert kept["passed"] and kept["details"]["text"] == found["text"]


def test_a_clock_that_goes_back_keeps_the_order_of_runs(shop, monkeypatch):
    """The second run is the newer one, whatever time it was given."""
    for mark, moment in (("a", "2026-05-01T00:00:00.000Z"), ("b", "2026-04-01T00:00:00.000Z")):
        monkeypatch.setattr(stores, "now", lambda moment=moment: moment)
        shop.define(mark=mark)
        assert shop.run(mark) == 0
    found = Store(shop.store)
    assert [run.run_id for run in found.runs("shop")] == ["a", "b"]
    assert found.find_run("shop", None).run_id == "b"
    assert shop.live() == ("b", 2)
