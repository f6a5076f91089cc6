"""Earlier runs read from their reports, and rows of broken rules."""

import json

import polars as pl

from kilnworks.components.charts.sparkline import sparkline
from kilnworks.components.quality.expectations.history import earlier_runs, worst_failed
from kilnworks.components.quality.expectations.outcome import Outcome
from kilnworks.components.quality.expectations.sample_rows import sample_rows
from kilnworks.components.quality.rows.batches import rows_of_frame
from kilnworks.components.reporting.reading import read_run
from kilnworks.components.reporting.sections.history import history
from kilnworks.schemas.contract import parse_contract


def a_run(root, name: str, day: int, share: float | None, missing: float, step: str = "checked"):
    path = root / name
    (path / step).mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"run_id": name, "started": f"2026-01-{day:02d}T00:00:00Z"}))
    outcome = {"column": "age", "text": "is at most 9", "split": "train", "success": not share, "share": share}
    report = {"outcomes": [outcome], "rows": {"train": 10}}
    (path / step / "validation.json").write_text(json.dumps(report))
    profile = {"train": {"features": {"age": {"missing_share": missing}}}}
    (path / step / "profile.json").write_text(json.dumps(profile))
    (path / step / "manifest.json").write_text("{}")
    return path


def test_runs_in_order_of_their_beginning_whatever_their_names(tmp_path):
    a_run(tmp_path, "z", 1, 0.0, 0.1)
    a_run(tmp_path, "a", 2, 0.25, 0.2, "checked.failed")
    a_run(tmp_path, "m", 3, None, 0.3)
    a_run(tmp_path, "later", 9, 0.9, 0.9)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    found = earlier_runs(tmp_path, "m")
    assert [r.run_id for r in found] == ["z", "a"]
    assert [r.missing["age"] for r in found] == [0.1, 0.2] and worst_failed(found, "age") == [0.0, 0.25]
    assert [r.run_id for r in earlier_runs(tmp_path, "later", limit=2)] == ["a", "m"]
    told = history(read_run(tmp_path / "later"))
    assert told["runs"] == 4 and told["rows"][0]["worse"] and "later: 90.00%" in told["rows"][0]["failed"]


def test_no_history_in_a_first_run(tmp_path):
    assert history(read_run(a_run(tmp_path, "only", 1, 0.0, 0.0))) is None


def test_sparkline_has_a_gap_where_nothing_is_known():
    assert sparkline([0.1], ["a"], "x") == "" and sparkline([None, 0.2], ["a", "b"], "x") == ""
    drawn = sparkline([0.0, None, 0.5], ["a", "b", "c"], "missing <b>")
    assert "a: 0.00%, c: 50.00%" in drawn and "missing &lt;b&gt;" in drawn and drawn.count("L") == 1


def test_rows_that_break_a_rule_are_shown_whole():
    contract = parse_contract(
        "{name: x, key: k, features: {age: {dtype: int, max: 9}, name: {dtype: string, sensitive: true}}}"
    )
    frame = pl.DataFrame({"k": ["a", "b", "c", "a"], "age": [1, 10, None, 12], "name": ["Ann", "Bo", "Cy", "Di"]})
    said = {"expectation": "e", "split": "train", "severity": "critical", "success": False, "unexpected": 2}
    outcomes = [
        Outcome(rule="age: range", text="is at most 9", column="age", **said),
        Outcome(rule="k: unique", text="is never there twice", column="k", **said),
        Outcome(rule="name: present", text="is never missing", column="name", **{**said, "success": True}),
    ]
    found = sample_rows(outcomes, {"train": rows_of_frame(frame, 2)}, contract)
    assert [(f["column"], [r["row"] for r in f["rows"]]) for f in found] == [("age", [1, 2, 3]), ("k", [0, 3])]
    assert found[0]["names"] == ["age", "k", "name"] and found[0]["rows"][1]["cells"] == [None, "c", "(masked)"]
