"""Version numbers and retention: nothing is reused, nothing live is deleted."""

from kilnworks.schemas.champion import ChampionRecord, write_champion
from kilnworks.schemas.files import read_json
from tests.components.deploying.deploying_models import names, run_deploy, servable


def _versions(store):
    return sorted(int(n) for n in names(store / "serving" / "churn") if n.isdigit())


def test_the_newest_versions_are_kept(tmp_path):
    made, store = servable(tmp_path / "s"), tmp_path / "store"
    for i in range(5):
        run_deploy(store, made, tmp_path / str(i), keep=2)
    assert _versions(store) == [4, 5]
    decision = read_json(tmp_path / "4" / "decision.json")
    assert decision["details"]["retention"] == {"removed": [3], "problem": None}


def test_the_version_before_is_kept_until_the_new_one_is_the_champion(tmp_path):
    made, store = servable(tmp_path / "s"), tmp_path / "store"
    run_deploy(store, made, tmp_path / "1", keep=1)
    run_deploy(store, made, tmp_path / "2", keep=1)
    assert _versions(store) == [1, 2]


def test_the_champion_of_another_pipeline_is_kept(tmp_path):
    made, store = servable(tmp_path / "s"), tmp_path / "store"
    run_deploy(store, made, tmp_path / "1")
    path = str(store / "serving" / "churn" / "1")
    write_champion(store, ChampionRecord("other", "r9", "churn", 1, path, "2026-01-01T00:00:00+00:00"))
    for i in range(2, 6):
        run_deploy(store, made, tmp_path / str(i), keep=1)
    assert _versions(store) == [1, 4, 5]


def test_a_number_is_never_used_twice(tmp_path):
    made, store = servable(tmp_path / "s"), tmp_path / "store"
    base = store / "serving" / "churn"
    for i in range(3):
        run_deploy(store, made, tmp_path / str(i), keep=1)
    for version in _versions(store):
        (base / str(version)).rename(tmp_path / f"moved-{version}")
    assert run_deploy(store, made, tmp_path / "a").description["version"] == 4
    ledger = read_json(base / ".versions.json")
    assert ledger["highest"] == 4 and [e["version"] for e in ledger["published"]] == [1, 2, 3, 4]
    assert ledger["published"][0] == {"version": 1, "pipeline": "churn", "run_id": "r1", "store": str(store)}


def test_versions_that_others_put_there_count_as_a_server_reads_them(tmp_path):
    made, store = servable(tmp_path / "s"), tmp_path / "store"
    base = store / "serving" / "churn"
    for name in ("00000007", "notes", "9x", ".10"):
        (base / name).mkdir(parents=True)
    (base / "99").write_text("a file is no version")
    assert run_deploy(store, made, tmp_path / "o").description["version"] == 8


def test_stages_of_killed_processes_are_removed(tmp_path):
    made, store = servable(tmp_path / "s"), tmp_path / "store"
    for name in (".stage-1", ".stage-gone-5"):
        (store / "serving" / "churn" / name / "variables").mkdir(parents=True)
    run_deploy(store, made, tmp_path / "o")
    assert names(store / "serving" / "churn") == [".lock", ".versions.json", "1"]
