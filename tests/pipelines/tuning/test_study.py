"""A search is shared by processes and outlives them: each trial counts once, whatever ends its process."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from kilnworks.pipelines.core.events import StepEvent
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.tuning.plan import Plan
from kilnworks.pipelines.tuning.study import Study, finished
from kilnworks.pipelines.tuning.trial import _Watch
from kilnworks.schemas.context import Progress
from kilnworks.schemas.errors import ConfigError, StepFailed, UnknownName
from kilnworks.schemas.search import Choice, Float, Int, Search

DIMENSIONS = {
    "model.x": Float(low=-2.0, high=2.0),
    "model.n": Int(low=1, high=3),
    "model.units": Choice(values=((8,), (16, 8))),
}
HOLDS = """
import sys
from pathlib import Path
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.tuning.study import Study
study = Study(Store(Path(sys.argv[1])), "hill", "one")
taken = study.take(9)
from kilnworks.schemas.search import Float
print(taken.number, taken.value("model.x", Float(low=-2.0, high=2.0)), flush=True)
sys.stdin.read()
"""
WORKS = """
import sys
from pathlib import Path
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.tuning.study import Study
from kilnworks.schemas.search import Float
study = Study(Store(Path(sys.argv[1])), "hill", "one")
while (taken := study.take(14)) is not None:
    x = taken.value("model.x", Float(low=-2.0, high=2.0))
    study.tell(taken, x * x, {"model.x": x})
    print(taken.number)
"""


def plan(**search):
    chosen = Search(space=DIMENSIONS, **search)
    return Plan("hill", {"model.epochs": 3}, chosen, DIMENSIONS, "val_loss", "min", 9)


def begun(folder, default=None, **search):
    study = Study(Store(folder), "hill", "one")
    study.begin(plan(**search), default or {})
    return study


def values_of(taken):
    return {name: taken.value(name, dimension) for name, dimension in DIMENSIONS.items()}


def test_trials_until_the_number_is_reached_and_the_best_is_kept(tmp_path):
    study = begun(tmp_path, {"model.x": 0.5, "model.n": 2, "model.units": [8]})
    told = {}
    while (taken := study.take(7)) is not None:
        values = values_of(taken)
        if taken.is_default:
            assert taken.number == 0 and values == {"model.x": 0.5, "model.n": 2, "model.units": (8,)}
        told[taken.number] = values["model.x"] ** 2
        study.tell(taken, told[taken.number], {"model.x": values["model.x"]})
    assert sorted(told) == list(range(7)) and study.counted() == 7
    best = finished(study)
    assert best["value"] == min(told.values()) and best["trial"] == min(told, key=told.get)
    assert best["default"] == 0.25
    assert best["overrides"]["model.epochs"] == 3 and best["overrides"]["model.x"] ** 2 == best["value"]
    assert Study.newest(Store(tmp_path), "hill").best() == best


@pytest.mark.slow
def test_a_process_that_is_killed_loses_no_trial_and_none_counts_twice(tmp_path):
    study = begun(tmp_path)
    first = study.take(3)
    study.tell(first, 1.0, {})
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    number, x = process.stdout.readline().split()
    assert study.counted() == 2, "it is being worked on"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again = study.take(3)
    assert again is not None and again.number != int(number)
    assert again.value("model.x", DIMENSIONS["model.x"]) == float(x), "the same settings"
    assert study.counted() == 2, "the lost one does not count"
    study.tell(again, 0.5, {})
    last = study.take(3)
    study.tell(last, 2.0, {})
    assert study.take(3) is None
    assert [trial.state.name for trial in study.trials()] == ["COMPLETE"] * 3


def test_a_lost_default_is_handed_out_as_the_default(tmp_path):
    study = begun(tmp_path, {"model.x": 0.5, "model.n": 2, "model.units": [16, 8]})
    study.take(3).lock.close()
    again = study.take(3)
    with again.lock:
        assert again.is_default and values_of(again) == {"model.x": 0.5, "model.n": 2, "model.units": (16, 8)}


@pytest.mark.slow
def test_processes_side_by_side_do_no_trial_twice_and_none_too_many(tmp_path):
    begun(tmp_path)
    started = [
        subprocess.Popen([sys.executable, "-c", WORKS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    done = [sorted(map(int, process.communicate(timeout=120)[0].split())) for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert sorted(done[0] + done[1]) == list(range(14))


def test_a_grid_is_every_combination_once(tmp_path):
    dimensions = {"model.n": Int(low=1, high=3), "model.units": Choice(values=((8,), (16, 8)))}
    search = Search(space=dimensions, sampler="grid")
    study = Study(Store(tmp_path), "hill", "one")
    study.begin(Plan("hill", {}, search, dimensions, "val_loss", "min", 9), {})
    seen = []
    while (taken := study.take(50)) is not None:
        values = {} if taken.is_default else {n: taken.value(n, d) for n, d in dimensions.items()}
        seen.append(tuple(values.values()))
        study.tell(taken, 1.0, values)
    assert sorted(seen[1:]) == sorted((n, units) for n in (1, 2, 3) for units in ((8,), (16, 8)))


def test_a_grid_that_was_cut_off_goes_on_where_more_trials_are_asked_for(tmp_path):
    dimensions = {"model.n": Int(low=1, high=6)}

    def grid(trials):
        return Plan("hill", {}, Search(space=dimensions, sampler="grid", trials=trials), dimensions, "loss", "min", 9)

    study, seen = Study(Store(tmp_path), "hill", "one"), []
    study.begin(grid(3), {})

    def work(trials):
        while (taken := study.take(trials)) is not None:
            seen.append(None if taken.is_default else taken.value("model.n", dimensions["model.n"]))
            study.tell(taken, 1.0, {})

    work(3)
    assert len(seen) == 3
    for _ in range(2):  # as several workers do
        study = Study(Store(tmp_path), "hill", "one")
        study.opened(grid(20))
    work(20)
    assert sorted(seen[1:]) == [1, 2, 3, 4, 5, 6]


def test_a_search_of_that_name_is_gone_on_with_only_by_the_same_plan(tmp_path):
    """A cleared task begins a second time; a new run by an old name must not get the results of other settings."""
    first = begun(tmp_path)
    first.tell(first.take(3), 1.0, {})
    again = begun(tmp_path)
    assert again.counted() == 1
    for other, word in (({"seed": 7}, "seed"), ({"sampler": "random"}, "sampler")):
        with pytest.raises(ConfigError, match=f"begun with another {word}"):
            begun(tmp_path, **other)
    begun(tmp_path, trials=7, workers=2)


def test_a_secret_is_no_setting_of_a_search_but_its_name_is(tmp_path):
    study = Study(Store(tmp_path), "hill", "one")
    for settings in ({"source.url": "postgresql://me:s3cretword@host/shop"}, {"source.password": "s3cretword"}):
        with pytest.raises(ConfigError, match=r"a search with a secret in source\.") as refused:
            study.begin(replace(plan(), settings=settings), {})
        assert "s3cretword" not in str(refused.value) and not study.folder.exists()
    study.begin(replace(plan(), settings={"source.url": "postgresql://me:${PASSWORD}@host/shop"}), {})
    assert study.record["settings"] == {"source.url": "postgresql://me:${PASSWORD}@host/shop"}


def test_a_search_of_an_earlier_release_goes_on(tmp_path):
    study = begun(tmp_path)
    path = study.folder / "search.json"
    record = json.loads(path.read_text())
    del record["search"]["workers"]
    path.write_text(json.dumps(record))
    found = Study.newest(Store(tmp_path), "hill")
    found.opened(plan(workers=3))
    taken = found.take(3)
    with taken.lock:
        assert taken.number == 0


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"search": 3}'])
def test_a_damaged_record_hides_no_other_search(tmp_path, content):
    damaged = tmp_path / "tuning" / "hill" / "two" / "search.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text(content)
    with pytest.raises(UnknownName, match="kilnworks tune hill"):
        Study.newest(Store(tmp_path), "hill")
    begun(tmp_path)
    assert Study.newest(Store(tmp_path), "hill").name == "one"
    with pytest.raises(UnknownName, match="two"):
        Study.newest(Store(tmp_path), "hill", "two")


def test_a_grid_of_any_number_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.x is any number"):
        begun(tmp_path, sampler="grid")


def test_a_search_is_taken_up_only_with_the_space_it_was_begun_with(tmp_path):
    study = begun(tmp_path)
    study.opened(plan())
    other = Plan("hill", {"model.epochs": 3}, Search(), {"model.x": Float(low=0, high=1)}, "val_loss", "min", 9)
    with pytest.raises(ConfigError, match="begun with another space"):
        study.opened(other)


def test_no_search_and_one_without_a_finished_trial(tmp_path):
    with pytest.raises(UnknownName, match="kilnworks tune hill"):
        Study.newest(Store(tmp_path), "hill")
    study = begun(tmp_path)
    study.tell(study.take(3), None, {}, "the loss is nan")
    with pytest.raises(StepFailed, match="the loss is nan"):
        finished(study)


def test_the_highest_is_best_where_the_objective_is_to_be_high(tmp_path):
    study = Study(Store(tmp_path), "hill", "one")
    study.begin(Plan("hill", {}, Search(), DIMENSIONS, "val_auc", "max", 9), {})
    for value in (0.7, 0.9, 0.8):
        study.tell(study.take(3), value, {})
    assert json.loads((study.folder / "best.json").read_text())["value"] == 0.9


def test_epochs_before_the_first_judged_one_are_not_hyperbands(tmp_path):
    """A trial whose first ten epochs learn without the label is at its first epoch when it says its first number."""
    taken = begun(tmp_path).take(3)
    watch = _Watch(Study.newest(Store(tmp_path), "hill"), taken, "model")
    watch(StepEvent("model", "running", Progress(10, 20, "", {"loss": 3.0}, 10)))
    watch(StepEvent("model", "running", Progress(10, 20, "", {"val_loss": 0.1}, 10)))
    watch(StepEvent("model", "running", Progress(11, 20, "", {"val_loss": 0.7}, 10)))
    watch(StepEvent("model", "running", Progress(12, 20, "", {"val_loss": 0.6}, 10)))
    with taken.lock:
        assert watch.epochs == 2
    (trial,) = Study.newest(Store(tmp_path), "hill").inner.get_trials()
    assert trial.intermediate_values == {1: 0.7, 2: 0.6}
