"""Old runs go; nothing that is live is touched."""

import os
import time
import uuid

import fsspec
import pytest

from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.retraining.watch import claim, confirm, look
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Champion, Pipeline, Step
from kilnworks.pipelines.core.manifest import damage, load_manifest
from kilnworks.pipelines.core.remote import Remote
from kilnworks.pipelines.core.retention import RetentionConfig, prune
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import ChampionRecord, write_champion
from kilnworks.schemas.files import write_json
from tests.pipelines.chain import AddConfig, MakeConfig, Number, add, chain

NOW = time.time()
CONFIG = RetentionConfig(runs=2, days=10)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def ran(store, name, days, pipeline=None, **configs):
    """A run of so many days ago."""
    made = pipeline or chain(**configs)
    run = store.run(made.name, name)
    started = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOW - days * 86_400)) + ".000Z"
    run.begin("test", {}, started=started)
    run_all(made, run)
    age(run.path, days)
    return run


def age(path, days):
    for inside in [path, *(path.iterdir() if path.is_dir() else ())]:
        os.utime(inside, (NOW - days * 86_400,) * 2)


def names(store, pipeline="chain"):
    return sorted(p.name for p in (store.root / "runs" / pipeline).iterdir() if not p.name.startswith("."))


def test_the_newest_and_the_young_are_kept(store):
    for i, days in enumerate([40, 30, 9, 8, 7]):
        ran(store, f"r{i}", days, one=MakeConfig(value=i))
    removed = prune(CONFIG, store, NOW)
    assert removed.runs == ["chain/r0", "chain/r1"]
    assert names(store) == ["r2", "r3", "r4"]
    assert removed.bytes > 0


def test_old_ones_are_kept_while_they_are_the_newest(store):
    for i, days in enumerate([40, 30, 20]):
        ran(store, f"r{i}", days, one=MakeConfig(value=i))
    assert prune(CONFIG, store, NOW).runs == ["chain/r0"]


def test_the_champion_stays(store):
    for i, days in enumerate([40, 30, 20, 15]):
        ran(store, f"r{i}", days, one=MakeConfig(value=i))
    write_champion(store.root, ChampionRecord("chain", "r0", "chain", 1, "x", "now"))
    assert prune(CONFIG, store, NOW).runs == ["chain/r1"]


def test_what_a_live_run_of_another_pipeline_was_made_from_stays(store):
    ran(store, "source", 50, one=MakeConfig(value=9))
    write_champion(store.root, ChampionRecord("chain", "source", "chain", 1, "x", "now"))
    other = Pipeline("other", (Step("plus", add, AddConfig(), {"number": Champion("chain", "one")}),))
    ran(store, "o1", 40, other)
    write_champion(store.root, ChampionRecord("other", "o1", "other", 1, "x", "now"))
    for i, days in enumerate([30, 20, 15]):
        ran(store, f"r{i}", days, one=MakeConfig(value=i))
    write_champion(store.root, ChampionRecord("chain", "r2", "chain", 2, "x", "now"))
    assert prune(RetentionConfig(runs=1, days=10), store, NOW).runs == ["chain/r0", "chain/r1"]
    assert "source" in names(store)


def test_the_newest_finished_artifact_of_every_step_stays(store):
    ran(store, "whole", 40)
    for i in range(3):
        ran(store, f"gate{i}", 30 - i, one=MakeConfig(value=i), two=AddConfig(most=0))
    assert prune(RetentionConfig(runs=1, days=10), store, NOW).runs == ["chain/gate0", "chain/gate1"]
    assert "whole" in names(store)


def test_a_cached_artifact_stays_whole_and_is_still_found(store):
    first = ran(store, "first", 40)
    fingerprint = first.manifest("three")["fingerprint"]
    for i in range(3):
        ran(store, f"r{i}", 30 - i)
    assert prune(RetentionConfig(runs=1, days=10), store, NOW).runs == ["chain/first", "chain/r0", "chain/r1"]
    found = store.lookup(fingerprint, Number)
    assert found.path.parent.name == "r2"
    assert damage(found.path, load_manifest(found.path)) is None


def test_a_run_that_is_being_written_stays_whenever_it_began(store):
    run = ran(store, "long", 40, one=MakeConfig(value=5))
    run.record("two", "running")
    for i in range(3):
        ran(store, f"r{i}", 30 - i, one=MakeConfig(value=i))
    assert prune(CONFIG, store, NOW).runs == ["chain/r0"]


def test_saying_what_would_go_removes_nothing(store):
    for i, days in enumerate([40, 30, 20]):
        ran(store, f"r{i}", days, one=MakeConfig(value=i))
    before = sorted(p for p in store.root.rglob("*"))
    assert prune(CONFIG, store, NOW, dry=True).runs == ["chain/r0"]
    assert sorted(p for p in store.root.rglob("*")) == before


def test_checkpoints_and_alerts_go_with_age(store):
    for name, days in {"old": 11, "new": 9}.items():
        (store.root / "work" / name).mkdir(parents=True)
        age(store.root / "work" / name, days)
        write_json(store.root / "alerts" / f"{name}.json", {})
        age(store.root / "alerts" / f"{name}.json", days)
    removed = prune(CONFIG, store, NOW)
    assert (removed.checkpoints, removed.alerts) == (1, 1)
    assert [p.name for p in (store.root / "work").iterdir()] == ["new"]


def test_pinned_data_goes_when_its_run_is_gone_and_the_file_left_the_folder(store, tmp_path):
    landing = tmp_path / "landing"
    landing.mkdir()
    policy = RetrainPolicy(landing=str(landing), settle_seconds=0, coalesce_seconds=0, cool_down_seconds=0)
    orders = []
    for i in range(2):
        (landing / f"{i}.csv").write_text(f"x\n{i}\n")
        look(policy, store.root, "chain", NOW)
        orders.append(claim(policy, store.root, "chain", NOW + 1))
        confirm(store.root, "chain", orders[-1].run_id)
        (landing / f"{i}.csv").unlink()
    ran(store, orders[1].run_id, 5)
    folder = store.root / "retraining" / "chain"
    for path in [*(folder / "batches").iterdir(), *(folder / "blobs").iterdir()]:
        age(path, 20)
    look(policy, store.root, "chain", NOW)
    removed = prune(CONFIG, store, NOW)
    assert removed.batches == 1
    assert [p.name for p in (folder / "batches").iterdir()] == [orders[1].run_id]
    assert len(list((folder / "blobs").iterdir())) == 1


def test_an_order_that_has_not_started_keeps_its_data(store, tmp_path):
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "a.csv").write_text("x\n1\n")
    policy = RetrainPolicy(landing=str(tmp_path / "landing"), settle_seconds=0, coalesce_seconds=0)
    look(policy, store.root, "chain", NOW)
    claim(policy, store.root, "chain", NOW)
    batch = next((store.root / "retraining" / "chain" / "batches").iterdir())
    age(batch, 50)
    assert prune(CONFIG, store, NOW).batches == 0


@pytest.fixture
def bucket():
    name = f"memory://bucket-{uuid.uuid4().hex}"
    yield name
    fsspec.filesystem("memory").rm(name.removeprefix("memory:/"), recursive=True)


def mirrored(bucket, folder):
    return Store(folder, Remote(bucket, folder))


def remote_runs(store):
    return store.remote.children("runs/chain")


def test_on_a_remote_store_the_same_stays(bucket, tmp_path):
    here = mirrored(bucket, tmp_path / "here")
    for i, days in enumerate([40, 30, 20, 15]):
        ran(here, f"r{i}", days, one=MakeConfig(value=i))
    write_champion(here.root, ChampionRecord("chain", "r0", "chain", 1, "x", "now"))
    here.push("champions/chain.json")
    elsewhere = mirrored(bucket, tmp_path / "there")
    later = NOW + 20 * 86_400
    would = prune(CONFIG, elsewhere, later, dry=True)
    assert would.runs == ["chain/r1"] and would.bytes > 0
    assert remote_runs(here) == ["r0", "r1", "r2", "r3"]
    assert prune(CONFIG, elsewhere, NOW).runs == []  # all were sent today
    assert prune(CONFIG, elsewhere, later) == would
    assert remote_runs(here) == ["r0", "r2", "r3"]
    assert elsewhere.find_run("chain", "r0").load("three", Number).value == 2


def test_what_was_found_in_a_remote_run_is_found_in_one_that_stays(bucket, tmp_path):
    here = mirrored(bucket, tmp_path / "here")
    fingerprint = ran(here, "first", 40).manifest("three")["fingerprint"]
    for i in range(3):
        ran(here, f"r{i}", 30 - i)
    assert prune(CONFIG, here, NOW + 20 * 86_400).runs == ["chain/first", "chain/r0"]
    assert not (here.root / "runs" / "chain" / "first").exists()
    elsewhere = mirrored(bucket, tmp_path / "there")
    assert elsewhere.lookup(fingerprint, Number).path.parent.name == "r2"


def test_what_killed_processes_left_goes_once_it_is_a_day_old(store):
    run = ran(store, "r0", 0)
    old, young = run.path / ".two.1-ab.partial", run.path / ".three.1-cd.partial"
    book = store.root / "retraining/chain/.ledger.json.0a.partial"
    gone = store.root / "work/.f00.9b.removed"
    for folder in (old, young, gone):
        folder.mkdir(parents=True)
        (folder / ".inner.partial").write_text("half")
    book.parent.mkdir(parents=True)
    book.write_text("{")
    for path in (old / ".inner.partial", gone / ".inner.partial", old, gone, book):
        age(path, 2)
    assert prune(CONFIG, store, NOW, dry=True).leftovers == 3
    assert old.is_dir()
    removed = prune(CONFIG, store, NOW)
    assert removed.leftovers == 3 and removed.runs == [] and removed.bytes >= 2 * len("half") + 1
    assert [path.exists() for path in (old, gone, book, young)] == [False, False, False, True]
    assert run.load("three", Number).value == 3
