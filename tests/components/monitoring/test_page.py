"""The facts of a store as Prometheus reads them: against a loop over the files, and by promtool."""

import json
import re
import subprocess
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kilnworks.components.monitoring.facts import OUTCOMES, moment, pipeline_facts
from kilnworks.components.monitoring.page import MAX_SERIES, PREFIX, facts_page
from kilnworks.components.reporting.reading import read_run
from kilnworks.schemas.files import write_json
from tests import needed
from tests.components.reporting.invented_run import InventedRun

LINE = re.compile(r'^(kilnworks_\w+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$')
STARTED = "2026-03-01T10:00:00.500Z"
STARTED_SECONDS = datetime(2026, 3, 1, 10, 0, 0, 500_000, UTC).timestamp()


def samples(page: str) -> dict[str, float]:
    """Name and labels -> number; fails on a line that is not of the text format."""
    found = {}
    for line in page.splitlines():
        if not line.startswith("# "):
            match = LINE.match(line)
            assert match, line
            found[f"{match[1]}{{{match[2] or ''}}}".replace("{}", "")] = float(match[3])
    return found


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def made_run(store, run_id, outcome="done", started=STARTED, pipeline="churn", **files):
    """A run of one step, as the store lays it out."""
    folder = store / "runs" / pipeline / run_id
    write(folder / "run.json", {"pipeline": pipeline, "run_id": run_id, "started": started})
    record = {"step": "only", "outcome": outcome, "at": "2026-03-01T10:02:00Z", "seconds": 90.25}
    write(folder / "outcomes" / "only.json", record)
    step = folder / ("only" if outcome == "done" else f"only.{outcome}")
    write(step / ("manifest.json" if outcome == "done" else "error.json"), {"files": {}})
    for name, value in files.items():
        write(step / f"{name}.json", value)
    return folder


def champion(store, run_id, **values):
    pointer = store / "champions" / "churn.json"
    record = {"model": "churn", "version": 7, "run_id": run_id, "since": "2026-03-01T10:03:00+00:00", **values}
    write(pointer, record)
    return pointer


def test_what_a_run_says_of_itself(tmp_path):
    comparison = {
        "new": "requests",
        "reference": "train",
        "drifted": ["age"],
        "features": [{"feature": "age", "score": 1.5}, {"feature": 'a "b"\\\n', "score": 0.25}],
        "domain": {"auc": 0.75},
    }
    validation = {
        "rows": {"train": 80, "test": 20},
        "outcomes": [{"success": True}, {"success": False, "share": 0.5}],
        "quarantine": {"share": 0.125},
    }
    evaluation = {"metrics": {"auc": {"value": 0.875}, "odd": {"value": None}}}
    run = made_run(tmp_path, "r2", drift={"comparisons": [comparison]}, validation=validation, evaluation=evaluation)
    failed = made_run(tmp_path, "r1", "failed")
    page = facts_page([pipeline_facts("churn", [run, failed], champion(tmp_path, "r2"), run)])
    found = {key.removeprefix(PREFIX): value for key, value in samples(page).items()}
    pair = 'pipeline="churn",new="requests",old="train"'
    expected = {
        "pipelines": 1,
        'runs{pipeline="churn",outcome="done"}': 1,
        'runs{pipeline="churn",outcome="failed"}': 1,
        'runs{pipeline="churn",outcome="running"}': 0,
        'last_run_outcome{pipeline="churn",outcome="done"}': 1,
        'last_run_outcome{pipeline="churn",outcome="failed"}': 0,
        'last_run_started_timestamp_seconds{pipeline="churn"}': STARTED_SECONDS,
        'last_run_duration_seconds{pipeline="churn"}': 90.25,
        'last_success_timestamp_seconds{pipeline="churn"}': datetime(2026, 3, 1, 10, 2, tzinfo=UTC).timestamp(),
        'last_run_metric{pipeline="churn",metric="auc"}': 0.875,
        'data_rows{pipeline="churn"}': 100,
        'data_rules_broken{pipeline="churn"}': 1,
        'data_set_aside_ratio{pipeline="churn"}': 0.125,
        f"drift_features{{{pair}}}": 2,
        f"drift_features_moved{{{pair}}}": 1,
        f'drift_score{{{pair},feature="age"}}': 1.5,
        f'drift_score{{{pair},feature="a \\"b\\"\\\\\\n"}}': 0.25,
        f"drift_classifier_auc{{{pair}}}": 0.75,
        'champion_version{pipeline="churn",model="churn"}': 7,
        'champion_info{pipeline="churn",model="churn",version="7",run_id="r2"}': 1,
        'champion_live_timestamp_seconds{pipeline="churn",model="churn"}': datetime(
            2026, 3, 1, 10, 3, tzinfo=UTC
        ).timestamp(),
        'champion_trained_timestamp_seconds{pipeline="churn",model="churn"}': STARTED_SECONDS,
        'champion_metric{pipeline="churn",model="churn",metric="auc"}': 0.875,
    }
    assert expected.items() <= found.items()
    assert not any("odd" in key for key in found), "a metric that is not defined has no line"
    done = subprocess.run(
        [needed.promtool(), "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), "promtool also lints names and help"


def test_the_reader_of_prometheus_finds_gauges_with_a_meaning(tmp_path):
    run = InventedRun(tmp_path).done()
    page = facts_page([pipeline_facts("churn", [run.path], tmp_path / "champions/churn.json", run.path)])
    families = list(text_string_to_metric_families(page))
    assert len(families) > 10 and {family.type for family in families} == {"gauge"}
    assert all(family.documentation and family.name.startswith(PREFIX) for family in families)
    read = {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
    assert read["kilnworks_champion_version", "churn", "churn"] == 3
    assert len(read) == len(samples(page))


def test_the_newest_that_knows_is_asked(tmp_path):
    """The newest run failed before it had data or metrics: what it does not know is that of the run before."""
    old = made_run(tmp_path, "r1", evaluation={"metrics": {"auc": {"value": 0.5}}}, validation={"rows": {"train": 8}})
    page = facts_page([pipeline_facts("churn", [made_run(tmp_path, "r2", "failed"), old], tmp_path / "none")])
    found = samples(page)
    assert found['kilnworks_last_run_outcome{pipeline="churn",outcome="failed"}'] == 1
    assert found['kilnworks_last_run_metric{pipeline="churn",metric="auc"}'] == 0.5
    assert found['kilnworks_data_rows{pipeline="churn"}'] == 8
    assert "champion" not in page


def test_a_champion_whose_run_is_gone_is_live_all_the_same(tmp_path):
    pointer = champion(tmp_path, "pruned")
    found = samples(facts_page([pipeline_facts("churn", [], pointer, tmp_path / "runs" / "churn" / "pruned")]))
    assert found['kilnworks_champion_version{pipeline="churn",model="churn"}'] == 7
    assert not any("trained" in key or "champion_metric" in key for key in found)


@pytest.mark.parametrize("name", ["run.json", "outcomes/only.json", "only/drift.json", "only/validation.json"])
def test_a_file_that_is_half_there_leaves_a_page(tmp_path, name):
    run = made_run(tmp_path, "r1", drift={"comparisons": []}, validation={"rows": {"train": 1}})
    (run / name).write_text('{"comparisons": [{"fea')
    assert samples(facts_page([pipeline_facts("churn", [run], tmp_path / "none")]))


def test_what_changes_is_read_again_and_nothing_else(tmp_path, monkeypatch):
    done, going = made_run(tmp_path, "r1"), made_run(tmp_path, "r2", "running")
    read = []
    monkeypatch.setattr(
        "kilnworks.components.monitoring.facts.read_run", lambda path: read.append(path.name) or read_run(path)
    )

    def outcome():
        page = facts_page([pipeline_facts("churn", [going, done], tmp_path / "none")])
        return next(o for o in OUTCOMES if f'last_run_outcome{{pipeline="churn",outcome="{o}"}} 1.0' in page)

    assert outcome() == "running" and outcome() == "running"
    write_json(going / "outcomes" / "only.json", {"step": "only", "outcome": "failed"})
    assert outcome() == "failed"
    assert read == ["r2", "r1", "r2"]


def test_an_empty_store_says_so():
    assert samples(facts_page([])) == {"kilnworks_pipelines": 0}


def test_a_contract_of_very_many_features_does_not_fill_a_prometheus(tmp_path):
    features = [{"feature": f"f{i}", "score": 0.0} for i in range(MAX_SERIES + 5)]
    run = made_run(tmp_path, "r1", drift={"comparisons": [{"features": features, "drifted": []}]})
    page = facts_page([pipeline_facts("churn", [run], tmp_path / "none")])
    assert page.count("\nkilnworks_drift_score{") == MAX_SERIES
    assert f'kilnworks_drift_features{{pipeline="churn",new="",old=""}} {MAX_SERIES + 5}.0' in page


def test_moments_with_and_without_an_offset():
    assert moment("2026-03-01T10:00:00.500Z") == moment("2026-03-01T10:00:00.500") == STARTED_SECONDS
    assert moment("2026-03-01T11:00:00.5+01:00") == STARTED_SECONDS
    assert moment(None) is None and moment("yesterday") is None
