"""The plugin's own pages: what they show, and that nothing of a run can write HTML into them."""

import re
from pathlib import Path

from kilnworks.dags.live import content, live
from kilnworks.dags.pages import MOST_LOOKS, overview, report_path, waiting
from kilnworks.dags.side_by_side import side_by_side
from kilnworks.dags.summaries import Summaries
from kilnworks.pipelines.core.approval import record_answer, record_question
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import ChampionRecord, Decided, write_champion
from kilnworks.schemas.decision import Comparand, DecisionRecord
from kilnworks.schemas.files import write_json


def measured(made, auc):
    """The run with two metrics, of which its gate judged one."""
    folder = made.path / "evaluation"
    write_json(folder / "manifest.json", {"fingerprint": "f"})
    write_json(folder / "evaluation.json", {"metrics": {"log_loss": {"value": 0.5}, "auc": {"value": auc}}})
    DecisionRecord(
        gate="evaluation",
        passed=True,
        rule="auc at least 0.5",
        checks=(Comparand(name="auc", measured=auc, comparison=">=", wanted=0.5, passed=True),),
    ).write(folder)
    made.record("evaluation", "done", seconds=1.0)
    return made


def run(store: Store, run_id: str, **outcome):
    made = store.run("churn", run_id)
    made.begin("test", {})
    made.record("model", **{"outcome": "done", "seconds": 1.0, **outcome})
    return made


def test_runs_newest_first_with_outcome_and_reason(tmp_path):
    store = Store(tmp_path)
    run(store, "r1")
    run(store, "r2", outcome="failed", reason="column age holds 150")
    page = overview(store, ["churn"])
    assert page.index(">r2<") < page.index(">r1<")
    assert "<details><summary>more</summary><p>column age holds 150</p>" in page
    assert "class=airflow href='/dags/churn/runs/r1'" in page
    assert "column age holds 150" in page
    assert "href='/kilnworks/files/churn/r1/report.html'" in page


def test_a_run_says_that_it_waits_for_a_person_and_what_the_answer_was(tmp_path):
    """Also where the page has been read before."""
    store, read = Store(tmp_path), Summaries()
    made = store.run("churn", "r1")
    made.begin("test", {}, steps=[{"name": "model", "inputs": []}, {"name": "deployment", "inputs": ["model"]}])
    made.record("model", "done", seconds=1.0)

    def told():
        return read.newest(store, "churn", 1)[0].summary["verdict"]

    assert told() == "unfinished"
    record_question(made, "deployment")
    assert told() == "waits for approval"
    assert "<td class='unfinished'>waits for approval" in overview(store, ["churn"])
    record_answer(made, "deployment", approved=False, by="ana", comment="too late", settings={})
    assert told() == "stopped: approval"


def test_decisions_and_alerts(tmp_path):
    store = Store(tmp_path)
    run(store, "r1")
    decision = {"at": 0, "verdict": "wait", "headline": "retraining gate closed: new rows 3 is below 100"}
    write_json(tmp_path / "retraining" / "churn" / "decisions" / "000001-wait.json", decision)
    alert = {"at": 0, "kind": "failed", "pipeline": "churn", "run_id": "a+b", "task": "model", "text": "no space left"}
    write_json(tmp_path / "alerts" / "x.json", alert)
    page = overview(store, ["churn"])
    assert "new rows 3 is below 100" in page
    assert "no space left" in page
    assert "/kilnworks/run?dag_id=churn&run_id=a%2Bb" in page
    assert "<a class=airflow href='/dags/churn/runs/a%2Bb'>model</a>" in page
    assert "no space left" not in overview(store, ["churn"], lambda name: name != "churn")
    for number in range(30):
        write_json(tmp_path / "alerts" / f"y{number}.json", {**alert, "pipeline": "other", "text": "no memory"})
    assert overview(store, ["churn"]).count("no memory") == 20
    assert "no space left" in overview(store, ["churn"], lambda name: name == "churn"), "behind those of others"


def test_a_record_with_a_moment_that_has_no_date_is_left_out(tmp_path):
    for name, at in (("1", "soon"), ("2", 1e300), ("3", -1e300), ("4", None), ("5", "60"), ("6", 60)):
        write_json(tmp_path / "alerts" / f"{name}.json", {"at": at, "text": f"alert {name}"})
    assert sorted(re.findall(r"alert \d", overview(Store(tmp_path), []))) == ["alert 5", "alert 6"]


def test_who_let_what_go_live_stands_with_the_runs(tmp_path):
    store = Store(tmp_path)
    run(store, "r1")
    for version, since, decided in (
        (1, "2026-11-29T10:00:00+00:00", Decided()),
        (2, "2026-11-29T11:00:00+00:00", Decided("promote", "<ana>", "better in spring")),
        (1, "2026-11-29T12:00:00+00:00", Decided("rollback", "bo", "it was not")),
    ):
        write_champion(store.root, ChampionRecord("churn", f"r{version}", "churn", version, "", since), decided)
    shown, _, folded = overview(store, ["churn"]).partition("What went live")[2].partition("2 earlier")
    assert re.findall(r"<td[^>]*>([^<]+)", shown) == ["2026-11-29 12:00:00", "1 (rolled back)", "bo", "it was not"]
    assert folded.index("&lt;ana&gt;") < folded.index("the gates")
    (tmp_path / "promotions" / "churn" / "000004.json").write_text('{"since": ')
    write_json(tmp_path / "promotions" / "churn" / "000005.json", {"since": "2026-11-29T13:00:00+00:00"})
    assert f"What went live{shown}" in overview(store, ["churn"]), "damaged records are left out"


def test_texts_are_texts(tmp_path):
    store = Store(tmp_path)
    run(store, "r1", outcome="failed", reason="<script>alert(1)</script>")
    page = overview(store, ["churn"])
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in waiting("churn", "<b>")


def test_an_empty_store(tmp_path):
    empty = overview(Store(tmp_path), [])
    assert "No run yet." in empty and "class=airflow href='/dags/?tags=kilnworks'" in empty
    assert "No run yet." in overview(Store(tmp_path), ["churn"])


def test_a_run_that_has_not_begun_is_asked_for_again():
    assert "http-equiv=refresh" in waiting("churn", "r1")


def test_a_run_that_never_begins_is_asked_for_ever_more_seldom_and_not_for_ever():
    pauses = [int(re.search(r"content='(\d+)", waiting("churn", "r1", looks))[1]) for looks in range(MOST_LOOKS)]
    assert pauses == sorted(pauses)
    assert 600 < sum(pauses) < 3600
    last = waiting("churn", "r1", MOST_LOOKS)
    assert "http-equiv=refresh" not in last
    assert "Look again" in last


def test_the_metric_that_the_gate_judges_is_told_with_its_course_over_the_runs(tmp_path):
    store = Store(tmp_path)
    for number, auc in enumerate([0.7, 0.9, 0.8]):
        measured(run(store, f"r{number}"), auc)
    page = overview(store, ["churn"])
    assert page.count("auc 0.") == 3
    assert "auc: r0: 0.7, r1: 0.9, r2: 0.8" in page
    assert "<li>log_loss 0.5000" in page


def test_a_summary_is_read_again_only_when_its_run_or_the_champion_changed(tmp_path):
    store, summaries = Store(tmp_path), Summaries()
    made = run(store, "r1")
    first = summaries.newest(store, "churn", 5)[0].summary
    assert summaries.newest(store, "churn", 5)[0].summary is first
    made.record("model", "failed", reason="late")
    assert summaries.newest(store, "churn", 5)[0].summary["outcome"] == "failed"
    again = summaries.newest(store, "churn", 5)[0].summary
    write_json(tmp_path / "champions" / "churn.json", {"run_id": "r1"})
    assert (again["champion"], summaries.newest(store, "churn", 5)[0].summary["verdict"]) == (False, "live")


def test_runs_side_by_side_show_what_differs_and_metrics_over_time(tmp_path):
    store = Store(tmp_path)
    for number, epochs in enumerate([3, 5, 3]):
        made = measured(run(store, f"r{number}"), 0.7 + number / 10)
        config = {"epochs": epochs, "optimizer": {"kind": "adam", "learning_rate": 0.1}}
        write_json(made.path / "model" / "manifest.json", {"config": config, "fingerprint": str(number)})
        (made.path / "model" / "history.csv").write_text("epoch,loss,val_loss\n1,1.0,1.1\n2,0.5,0.7\n")
    deployed = {"config": {"keep": 3}, "fingerprint": "d"}
    write_json(store.run("churn", "r1").path / "deployment" / "manifest.json", deployed)  # the others stopped before
    every = Summaries().newest(store, "churn", 10)
    page = side_by_side([every[2], every[1]], every)
    table = page.partition("Settings that differ")[2].partition("Metrics over time")[0]
    assert "<th>model.epochs<td class=differs>3<td class=differs>5" in table
    assert "learning_rate" not in table
    assert "deployment" not in table
    assert "<th>auc<td class=differs>0.7000<td class=differs>0.8000" in page
    assert page.count("<circle") == 4, "two metrics, two chosen runs in each"
    assert "val_loss" in page.partition("<h2>Training")[2]
    assert "None, in the steps" in side_by_side([every[2], every[0]], every)


def test_a_run_that_goes_on_shows_its_epochs_so_far(tmp_path):
    made = Store(tmp_path).run("churn", "r1")
    made.begin("test", {})
    made.record("model", "running", seconds=3.0, progress={"done": 2, "total": 5, "note": "epoch 2/5 <loss>"})
    with made.scratch("model") as scratch:
        (scratch / "history.csv").write_text("epoch,loss,val_loss,learning_rate\n1,0.9,1.0,0.1\n2,0.7,0.8,0.1\n")
        page = live(made, "n0nce")
    assert "<progress value='2' max='5'>" in page
    assert "model: 2 epochs" in page
    assert page.count("<svg") == 1
    assert "epoch 2/5 &lt;loss&gt;" in page
    assert "<script nonce=n0nce>" in page
    assert "class=goes-on" in page
    made.record("model", "done", seconds=4.0)
    assert "class=ended" in content(made)


def test_the_progress_is_not_behind_the_epochs_that_are_shown(tmp_path):
    """It is written once a second at most, the history at each epoch; a history of more rows than epochs is another."""
    made = Store(tmp_path).run("churn", "r1")
    made.begin("test", {})
    made.record("model", "running", seconds=1.0, progress={"done": 1, "total": 8, "note": "epoch 1/8 loss 0.9"})
    with made.scratch("model") as scratch:
        rows = [f"{epoch},0.5\n" for epoch in range(1, 10)]
        (scratch / "history.csv").write_text("".join(["epoch,loss\n", *rows[:6]]))
        page = content(made)
        assert "<progress value='6' max='8'></progress> epoch 6/8" in page and "model: 6 epochs" in page
        (scratch / "history.csv").write_text("".join(["epoch,loss\n", *rows]))
        assert "<progress value='1' max='8'></progress> epoch 1/8 loss 0.9" in content(made)


def test_the_address_of_a_report_is_quoted(tmp_path):
    assert report_path(Store(Path(tmp_path)).run("churn", "a b#c")) == "/kilnworks/files/churn/a_b_c/report.html"


def test_the_newest_decision_is_seen_and_those_before_it_are_folded(tmp_path):
    """Of decisions of the same verdict in a row the newest is told, with how many there were."""
    store = Store(tmp_path)
    run(store, "r1")
    verdicts = ["wait", "wait", "wait", "retrain", "wait", "wait"]
    for number, verdict in enumerate(verdicts, 1):
        record = {"at": 60 * number, "verdict": verdict, "headline": f"decision {number}"}
        write_json(tmp_path / "retraining" / "churn" / "decisions" / f"{number:06d}-{verdict}.json", record)
    seen, _, folded = overview(store, ["churn"]).partition("<details>")
    assert [f"decision {n}" in seen for n in range(1, 7)] == [False] * 5 + [True]
    assert "(2 times since 1970-01-01 00:05:00)" in seen
    assert "2 earlier" in folded
    assert [f"decision {n}" in folded for n in range(1, 7)] == [False, False, True, True, False, False]
    assert "(3 times since 1970-01-01 00:01:00)" in folded


def test_old_alerts_are_folded(tmp_path):
    for number in range(8):
        alert = {"at": number, "kind": "failed", "pipeline": "churn", "run_id": "r", "text": f"what {number}{{}}"}
        write_json(tmp_path / "alerts" / f"{number}.json", alert)
    seen, _, folded = overview(Store(tmp_path), []).partition("<details>")
    assert [f"what {n}{{}}" in seen for n in range(8)] == [False] * 3 + [True] * 5
    assert [f"what {n}{{}}" in folded for n in range(8)] == [True] * 3 + [False] * 5
    assert "3 earlier" in folded
