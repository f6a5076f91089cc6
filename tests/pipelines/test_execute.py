"""Running: what is made, taken, skipped, kept and recorded."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kilnworks.pipelines.core.execute import run_all, run_step
from kilnworks.pipelines.core.graph import Champion, Latest, Pipeline, Step
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import ChampionRecord, write_champion
from kilnworks.schemas.errors import DataInvalid, StepFailed, StepSkipped, StoreError, UnknownName
from tests.pipelines.chain import AddConfig, MakeConfig, Number, add, chain


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def value(run, step="three") -> int:
    return run.load(step, Number).value


def test_results_flow_from_step_to_step(store):
    run = store.run("chain", "r1")
    assert run_all(chain(one=MakeConfig(value=5)), run) == {"one": "done", "two": "done", "three": "done"}
    assert value(run) == 7
    manifest = run.manifest("two")
    assert manifest["inputs"]["number"] == {
        "pipeline": "chain",
        "run_id": "r1",
        "step": "one",
        "fingerprint": run.manifest("one")["fingerprint"],
    }
    assert manifest["files"]["value.txt"]["size"] == 1


def test_nothing_changed_is_taken_from_the_earlier_run(store):
    run_all(chain(), store.run("chain", "r1"))
    again = store.run("chain", "r2")
    assert set(run_all(chain(), again).values()) == {"cached"}
    assert again.outcome("two")["cached_from"] == "r1"
    assert value(again) == 3


def test_a_changed_setting_makes_what_hangs_on_it(store):
    run_all(chain(), store.run("chain", "r1"))
    changed = chain(two=AddConfig(add=5))
    assert run_all(changed, store.run("chain", "r2")) == {"one": "cached", "two": "done", "three": "done"}


def test_fresh_makes_everything_again(store):
    run_all(chain(), store.run("chain", "r1"))
    assert set(run_all(chain(), store.run("chain", "r2"), fresh=True).values()) == {"done"}


@pytest.mark.parametrize("spoil", [Path.unlink, lambda p: p.write_text("9"), lambda p: p.write_text("99")])
def test_a_damaged_artifact_is_never_taken(store, spoil):
    first = store.run("chain", "r1")
    run_all(chain(), first)
    file = first.step_path("two") / "value.txt"
    spoil(file)
    second = store.run("chain", "r2")
    assert run_all(chain(), second) == {"one": "cached", "two": "done", "three": "cached"}
    assert value(second, "two") == 2


def test_a_touched_but_equal_file_is_still_whole(store):
    first = store.run("chain", "r1")
    run_all(chain(), first)
    os.utime(first.step_path("two") / "value.txt", ns=(1, 1))
    assert set(run_all(chain(), store.run("chain", "r2")).values()) == {"cached"}


def test_a_closed_gate_skips_what_hangs_on_it_and_keeps_what_was_written(store):
    run = store.run("chain", "r1")
    assert run_all(chain(two=AddConfig(most=1)), run) == {"one": "done", "two": "skipped", "three": "skipped"}
    assert (run.path / "two.skipped" / "value.txt").read_text() == "2"
    assert run.outcome("two")["reason"] == "2 is above 1"
    assert run.outcome("three")["reason"] == "two was skipped"
    with pytest.raises(StoreError, match="not finished"):
        run.load("two", Number)


@pytest.mark.parametrize(
    ("kind", "raised", "says"),
    [
        ("invalid", DataInvalid, "bad"),
        ("bug", StepFailed, "ZeroDivisionError: oops"),
        ("full", StoreError, "no space left"),
        ("interrupt", KeyboardInterrupt, "^$"),
    ],
)
def test_a_failure_stops_the_run_and_leaves_nothing_half_written(store, kind, raised, says):
    run = store.run("chain", "r1")
    with pytest.raises(raised, match=says):
        run_all(chain(two=AddConfig(fail=kind)), run)
    assert run.outcome("two")["outcome"] == "failed"
    assert run.outcome("three") is None
    assert run.manifest("two") is None
    assert not list(run.path.glob(".*.partial"))
    assert run_all(chain(), run) == {"one": "cached", "two": "done", "three": "done"}
    assert not (run.path / "two.failed").exists()


def test_events_tell_the_story(store):
    events = []
    run_all(chain(), store.run("chain", "r1"), listener=events.append)
    assert [(e.step, e.status) for e in events if e.progress is None] == [
        (s, status) for s in ("one", "two", "three") for status in ("running", "done")
    ]
    assert [e.progress.note for e in events if e.progress] == ["half", "half"]


def test_steps_before_the_first_selected_one_come_from_the_cache(store):
    with pytest.raises(StoreError, match="no finished artifact"):
        run_all(chain(), store.run("chain", "r0"), selected=["two"])
    run_all(chain(), store.run("chain", "r1"))
    outcome = run_all(chain(two=AddConfig(add=9)), store.run("chain", "r2"), selected=["two", "three"], fresh=True)
    assert outcome == {"one": "cached", "two": "done", "three": "done"}


def test_inputs_from_the_champion_and_from_the_latest_run(store):
    for i in (1, 2):
        run = store.run("chain", f"r{i}")
        run.begin("test", {})
        run_all(chain(one=MakeConfig(value=i)), run)
    write_champion(store.root, ChampionRecord("chain", "r1", "chain", 1, "nowhere", "now"))
    for source, expected in ((Champion("chain", "three"), 4), (Latest("chain", "three"), 5)):
        pipeline = Pipeline("next", (Step("more", add, AddConfig(), {"number": source}),))
        run = store.run("next", type(source).__name__)
        run_all(pipeline, run)
        assert value(run, "more") == expected
    with pytest.raises(UnknownName, match="champion"):
        pipeline = Pipeline("next", (Step("more", add, AddConfig(), {"number": Champion("none", "three")}),))
        run_all(pipeline, store.run("next", "r3"))


def test_one_step_at_a_time_gives_the_same_fingerprints(store):
    together, apart = store.run("chain", "together"), store.run("chain", "apart")
    run_all(chain(), together)
    for step in chain().steps:
        run_step(chain(), step.name, apart, fresh=True)
    assert [together.manifest(s.name)["fingerprint"] for s in chain().steps] == [
        apart.manifest(s.name)["fingerprint"] for s in chain().steps
    ]


def test_a_step_of_an_unfinished_run_says_what_to_run(store):
    with pytest.raises(StoreError, match="run it first"):
        run_step(chain(), "two", store.run("chain", "r1"))
    with pytest.raises(StepSkipped):
        run_all(chain(), store.run("chain", "r1"))
        run_step(chain(two=AddConfig(most=0)), "two", store.run("chain", "r1"))


def _compete(root: Path, number: int) -> None:
    run_all(chain(one=MakeConfig(value=41)), Store(root).run("chain", f"c{number % 2}"))


@pytest.mark.slow
def test_concurrent_runs_do_not_corrupt_each_other(store):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_compete, args=(store.root, i)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0, 0, 0]
    assert [value(store.run("chain", f"c{i}")) for i in (0, 1)] == [43, 43]
    assert not list(store.root.rglob("*.partial"))


SLOW = """
import sys, time
from pathlib import Path
from kilnworks.pipelines.core import store as s
from kilnworks.pipelines.core.execute import run_all
from tests.pipelines import chain
where = sys.argv[2]
def die(*_, **__):
    print("there", flush=True)
    time.sleep(60)
if where == "component":
    chain._trouble = die
elif where == "manifest":
    s.write_json, keep = (lambda p, v, **k: die() if p.name == "manifest.json" else keep(p, v, **k)), s.write_json
elif where == "rename":
    s.Run._replace = staticmethod(die)
run_all(chain.chain(), s.Store(Path(sys.argv[1])).run("chain", "r1"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["component", "manifest", "rename"])
def test_killed_at_any_point_nothing_half_written_counts(store, root, where):
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(store.root), where], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "there\n"
    child.kill()
    child.wait()
    child.stdout.close()
    run = store.run("chain", "r1")
    assert run.manifest("one") is None
    assert set(run_all(chain(), run).values()) == {"done"}
    assert value(run) == 3
    assert not list(store.root.rglob("*.partial"))
