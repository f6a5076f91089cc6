"""The plugin's own pages: what they show, and that nothing of a run can write HTML into them."""

from pathlib import Path

from dags.pages import overview, report_path, waiting
from pipelines.core.store import Store
from schemas.files import write_json


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
    assert "column age holds 150" in page
    assert "href='/kilnworks/files/churn/r1/report.html'" in page


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


def test_texts_are_texts(tmp_path):
    store = Store(tmp_path)
    run(store, "r1", outcome="failed", reason="<script>alert(1)</script>")
    page = overview(store, ["churn"])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in waiting("churn", "<b>")


def test_an_empty_store(tmp_path):
    assert "No run yet." in overview(Store(tmp_path), [])
    assert "No run yet." in overview(Store(tmp_path), ["churn"])


def test_a_run_that_has_not_begun_is_asked_for_again():
    assert "http-equiv=refresh" in waiting("churn", "r1")


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
