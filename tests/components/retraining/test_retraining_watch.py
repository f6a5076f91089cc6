"""Each content that arrives is trained on exactly once, whatever happens in between."""

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kilnworks.components.retraining.landing import Landing, count_rows
from kilnworks.components.retraining.ledger import folder, read
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.retraining.watch import claim, confirm, due, look
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.files import read_json
from tests.waiting import until

ROOT = Path(__file__).parents[3]


class World:
    """A landing folder, a store and a clock."""

    def __init__(self, root: Path, **rules):
        self.landing, self.store, self.now = root / "landing", root / "store", 1_800_000_000.0
        self.landing.mkdir()
        rules = {"settle_seconds": 10, "coalesce_seconds": 60, "cool_down_seconds": 0, "max_per_day": 100, **rules}
        self.policy = RetrainPolicy(landing=str(self.landing), pattern="*.csv", **rules)

    def put(self, name: str, rows: int = 3, first: int = 0) -> None:
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("value\n" + "".join(f"{first + i}\n" for i in range(rows)))

    def look(self, seconds: float = 0.0):
        self.now += seconds
        return look(self.policy, self.store, "toy", self.now)

    def settle(self) -> None:
        """Long enough for everything in the folder to be finished and quiet."""
        self.look()
        self.look(self.policy.settle_seconds)
        self.now += self.policy.coalesce_seconds

    def claim(self):
        return claim(self.policy, self.store, "toy", self.now)

    def run(self):
        """What an orchestrator does: claim, start, confirm."""
        order = self.claim()
        if order is not None:
            confirm(self.store, "toy", order.run_id)
        return order

    def decisions(self):
        return [read_json(p) for p in sorted((folder(self.store, "toy") / "decisions").glob("*.json"))]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def names(order):
    target = Path(order.settings["examples.source.path"])
    return sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file())


def test_a_file_is_trained_on_once(world):
    world.put("a.csv")
    world.settle()
    order = world.run()
    assert (names(order), order.rows) == (["a.csv"], 3)
    world.settle()
    assert world.run() is None


def test_a_burst_of_fifty_files_makes_one_run(world):
    for i in range(50):
        world.put(f"part-{i:02d}.csv", first=10 * i)
        world.look(1)
    world.settle()
    order = world.run()
    assert (len(names(order)), order.rows) == (50, 150)
    world.settle()
    assert world.run() is None


def test_the_same_content_again_is_nothing_new(world):
    world.put("a.csv")
    world.settle()
    world.run()
    world.put("again.csv")
    world.settle()
    assert world.look().verdict == "nothing"


def test_the_same_content_twice_in_one_batch_counts_once(world):
    world.put("a.csv")
    world.put("copy.csv")
    world.settle()
    order = world.run()
    assert (names(order), order.rows) == (["a.csv"], 3)


def test_a_duplicate_event_finds_nothing_left(world):
    world.put("a.csv")
    world.settle()
    assert world.run() is not None
    assert world.run() is None


def test_an_event_that_was_lost_is_made_good_by_the_next_look(world):
    world.put("a.csv")
    world.settle()
    first = due(world.policy, world.store, "toy", world.now)
    assert first is not None
    assert due(world.policy, world.store, "toy", world.now + 1) == first
    assert world.run().fingerprint == first
    assert due(world.policy, world.store, "toy", world.now + 2) is None


def test_an_order_that_was_not_started_is_given_again_until_it_is(world):
    world.put("a.csv")
    world.settle()
    order = world.claim()
    world.put("b.csv", first=7)
    world.settle()
    assert world.claim() == order
    confirm(world.store, "toy", order.run_id)
    later = world.claim()
    assert later.run_id != order.run_id
    assert names(later) == ["a.csv", "b.csv"]


def test_what_arrives_during_a_run_is_not_forgotten(world):
    world.put("a.csv")
    world.settle()
    world.run()
    for i in range(3):
        world.put(f"during-{i}.csv", first=100 * i + 50)
        world.look(30)
    world.settle()
    assert world.run().rows == 9


def test_a_half_written_file_is_waited_for(world):
    path = world.landing / "big.csv"
    for lines in range(1, 6):
        path.write_text("value\n" + "1\n" * lines)
        os.utime(path, ns=(lines, lines))
        assert world.look(9).verdict == "nothing"
    world.settle()
    assert world.run().rows == 5


@pytest.mark.parametrize(
    "name", [".hidden.csv", "a.csv.tmp", "a.csv.part", "_success.csv", ".staging/a.csv", "notes.txt"]
)
def test_hidden_unfinished_and_other_names_do_not_count(world, name):
    world.put(name)
    world.settle()
    assert world.look().verdict == "nothing"


def test_a_file_that_grows_after_it_was_used_is_new_content(world):
    world.put("a.csv", rows=3)
    world.settle()
    first = world.run()
    world.put("a.csv", rows=5)
    world.settle()
    second = world.run()
    assert names(second) == ["a.csv"]
    assert second.rows == 5
    assert Path(first.settings["examples.source.path"], "a.csv").read_text().count("\n") == 4


def test_the_data_of_a_run_is_pinned(world):
    world.put("a.csv")
    world.settle()
    order = world.claim()
    pinned = Path(order.settings["examples.source.path"], "a.csv")
    before = pinned.read_bytes()
    with (world.landing / "a.csv").open("a") as f:
        f.write("999\n")
    (world.landing / "b.csv").write_text("value\n1\n")
    assert pinned.read_bytes() == before
    assert names(world.claim()) == ["a.csv"]


def test_nothing_in_the_landing_folder_is_touched(world):
    world.put("a.csv")
    world.put("deep/er/b.csv", first=5)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in world.landing.rglob("*.csv")}
    world.settle()
    world.run()
    assert {p: (p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in world.landing.rglob("*.csv")} == before


def test_base_data_stands_beside_what_landed(tmp_path):
    base = tmp_path / "base.csv"
    base.write_text("value\n0\n")
    world = World(tmp_path, base=str(base))
    world.put("a.csv")
    world.put("base.csv", first=40)
    world.settle()
    order = world.run()
    assert names(order) == ["a.csv", "base.csv", "landed-base.csv"]
    assert order.rows == 6
    base.write_text("changed")
    assert Path(order.settings["examples.source.path"], "base.csv").read_text() == "value\n0\n"


def test_base_data_that_is_missing_is_named_and_nothing_is_claimed(tmp_path):
    world = World(tmp_path, base=str(tmp_path / "gone"))
    world.put("a.csv")
    world.settle()
    with pytest.raises(DataUnreadable, match="gone"):
        world.claim()
    assert read(world.store, "toy").batches == []


def test_every_change_of_mind_leaves_one_record(tmp_path):
    world = World(tmp_path, min_new_rows=5)
    world.put("a.csv")
    world.settle()
    for _ in range(5):
        world.look(100)
    world.put("b.csv", first=50)
    world.settle()
    world.run()
    assert [(d["verdict"], [c["name"] for c in d["checks"] if not c["passed"]]) for d in world.decisions()] == [
        ("nothing", []),
        ("wait", ["new rows", "seconds without an arrival"]),
        ("wait", ["new rows"]),
        ("wait", ["new rows", "seconds without an arrival"]),
        ("wait", ["seconds without an arrival"]),
        ("retrain", []),
    ]
    last = world.decisions()[-1]
    assert last["headline"].startswith("retraining gate passed")
    assert (last["pipeline"], last["at"]) == ("toy", world.now)


def test_a_folder_that_is_not_there_yet_is_empty(tmp_path):
    policy = RetrainPolicy(landing=str(tmp_path / "none"))
    assert look(policy, tmp_path / "store", "toy", 0.0).verdict == "nothing"


def test_any_fsspec_url(tmp_path):
    import fsspec

    files = fsspec.filesystem("memory")
    files.pipe("/arrivals-of-test/a.csv", b"value\n1\n2\n")
    policy = RetrainPolicy(landing="memory://arrivals-of-test", settle_seconds=0, coalesce_seconds=0)
    look(policy, tmp_path, "toy", 1.0)
    order = claim(policy, tmp_path, "toy", 2.0)
    assert Path(order.settings["examples.source.path"], "a.csv").read_bytes() == b"value\n1\n2\n"
    assert files.exists("/arrivals-of-test/a.csv")


def test_a_file_that_changes_while_it_is_read_is_not_taken(tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.csv"
    path.write_text("value\n1\n")
    landing = Landing(str(tmp_path / "in"))
    stamp = landing.stamps()["a.csv"]
    path.write_text("value\n1\n2\n")
    assert landing.pin("a.csv", stamp, tmp_path / "blobs") is None
    assert list((tmp_path / "blobs").iterdir()) == []


def test_rows_by_kind_of_file(tmp_path):
    import polars as pl

    quoted = 'a,b\n1,"two\nlines"\n2,x\n'
    (tmp_path / "q").write_text(quoted)
    (tmp_path / "z").write_bytes(gzip.compress(quoted.encode()))
    (tmp_path / "j").write_text('{"a": 1}\n\n{"a": 2}\n')
    pl.DataFrame({"a": range(7)}).write_parquet(tmp_path / "p")
    (tmp_path / "i").write_bytes(b"\x89PNG")
    (tmp_path / "broken").write_bytes(b"PAR1")
    names = {"q": "q.csv", "z": "z.csv.gz", "j": "j.jsonl", "p": "p.parquet", "i": "i.png", "broken": "b.parquet"}
    assert {blob: count_rows(tmp_path / blob, name) for blob, name in names.items()} == {
        "q": 2,
        "z": 2,
        "j": 2,
        "p": 7,
        "i": 1,
        "broken": 0,
    }


ACTOR = """
import sys, time
from pathlib import Path
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.retraining.watch import claim, confirm, look
landing, store, log = map(Path, sys.argv[1:4])
policy = RetrainPolicy(
    landing=str(landing), settle_seconds=0, coalesce_seconds=0, cool_down_seconds=0, max_per_day=10**6
)
while True:
    look(policy, store, "toy", time.time())
    order = claim(policy, store, "toy", time.time())
    if order is not None:
        with log.open("a") as f:
            f.write(f"{order.run_id} {order.fingerprint} {order.rows}\\n")
        confirm(store, "toy", order.run_id)
"""


@pytest.mark.slow
def test_several_watchers_killed_again_and_again_start_each_content_once(world, tmp_path):
    """Two actors at a time are killed at any moment; at the end each content belongs to one run and none is missing."""
    log = tmp_path / "started.txt"
    rng = random.Random(7)

    def start():
        arguments = [sys.executable, "-c", ACTOR, str(world.landing), str(world.store), str(log)]
        return subprocess.Popen(arguments, cwd=ROOT)

    actors = [start(), start()]
    try:
        for i in range(30):
            world.put(f"f{i:02d}.csv", rows=2, first=1000 * i)
            time.sleep(rng.uniform(0.02, 0.15))
            if i % 3 == 2:
                victim = rng.randrange(2)
                actors[victim].send_signal(signal.SIGKILL)
                actors[victim].wait()
                actors[victim] = start()
        assert until(lambda: read(world.store, "toy").contents and not left(world), every=0.1)
    finally:
        for actor in actors:
            actor.kill()
            actor.wait()
    ledger = read(world.store, "toy")
    new = [sha for batch in ledger.batches for sha in batch.new]
    assert sorted(new) == sorted(set(new)) == sorted(ledger.contents)
    assert len(ledger.contents) >= 30
    started = {line.split()[0] for line in log.read_text().splitlines()}
    assert started == {batch.run_id for batch in ledger.batches}


def left(world) -> bool:
    """Whether something waits still."""
    ledger = read(world.store, "toy")
    present = {seen.sha256 for seen in ledger.files.values()}
    return len(ledger.files) < 30 or None in present or bool(ledger.waiting()) or ledger.unstarted() is not None
