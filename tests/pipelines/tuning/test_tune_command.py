"""``tune`` as a user calls it: trials train, the best is kept, ``run --best`` takes it from there."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from kilnworks.components.reporting.search_page import render_search
from kilnworks.components.reporting.summary import run_summary
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.tuning.study import Study
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.files import read_json
from tests import preloaded
from tests.churned import churn_transformed
from tests.forked import command
from tests.waiting import until

SHORT = ["--set", "model.epochs=3", "--set", "model.batch=512"]


def tune(*words):
    return main(["tune", "churn", *words])


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search of five trials, and the splits that were read after the data had been prepared."""
    folder, read = churn_transformed(tmp_path_factory, "searched"), []
    files = Examples.files

    def noted(self, split):
        read.append((self.path.name, split))
        return files(self, split)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KILNWORKS_STORE", str(folder))
        patched.setattr(Examples, "files", noted)
        assert tune("--trials", "5", *SHORT) == 0
    return folder, read


@pytest.mark.slow
def test_a_definition_that_cannot_train_is_an_error_that_no_retry_mends(tmp_path, monkeypatch, capsys):
    """Airflow tries a task again that ended with 1, and each trial would train the definition again and again."""
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path))
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    study = ["--study", "manual__2026-01-01T00:00:00+00:00"]
    assert tune("--part", "begin", *study, "--set", f"examples.source.path={tmp_path / 'rows.csv'}") == 0
    assert tune("--part", "trial", *study) == 2
    assert "the definition's settings do not train" in capsys.readouterr().err
    assert tune("--part", "begin", *study) == 2, "without the settings of the first time it is another search"
    assert "begun with another settings" in capsys.readouterr().err


@pytest.mark.slow
def test_the_best_trial_has_the_lowest_loss_that_its_own_training_tells(searched):
    study = Study.newest(Store(searched[0]), "churn")
    trials = [trial for trial in study.trials() if trial.state.name == "COMPLETE"]
    losses = {}
    for trial in trials:
        run = study.store.run("churn", study.run_id(trial.number))
        losses[trial.number] = read_json(run.step_path("model") / "training.json")["best"]["val_loss"]
        assert trial.value == losses[trial.number]
        assert run_summary(run.path)["outcome"] == "done", "nothing is left to do of a trial"
    best = study.best()
    assert best["trial"] == min(losses, key=losses.get) and best["value"] == min(losses.values())
    assert best["default"] == losses[0] and study.counted() == 5


@pytest.mark.slow
def test_the_test_rows_are_not_read(searched):
    assert searched[1] and {split for _, split in searched[1]} <= {"train", "val"}


@pytest.mark.slow
def test_a_run_with_the_best_settings_takes_every_step_from_the_search(searched, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(searched[0]))
    assert main(["run", "churn", "--best", "--to", "model"]) == 0
    assert "0 done" not in capsys.readouterr().out
    run = Store(searched[0]).runs("churn")[-1]
    steps = ("examples", "checked", "transform", "model")
    assert [run.outcome(step)["outcome"] for step in steps] == ["cached"] * 4


@pytest.mark.slow
def test_the_page_shows_every_trial_with_its_settings_and_escapes_what_it_shows(searched):
    study = Study.newest(Store(searched[0]), "churn")
    page = (study.folder / "report.html").read_text()
    for trial in study.trials():
        for name, value in trial.user_attrs["overrides"].items():
            assert f"{name}={value:.4g}" in page if isinstance(value, float) else name in page
    assert "kilnworks run churn --best" in page and "<script" not in page
    best = study.best()
    told = {
        **best, "pipeline": "<b>x</b>", "written": "", "search": study.record["search"], "declared": True,
        "space": {}, "trials": [
            {"number": 0, "state": "done", "default": True, "value": 0.5, "epochs": 3, "last": 0.5, "settings": {},
             "params": {}, "reason": "", "seconds": 1.0, "run_id": "r"},
        ], "importance": {}, "gain": None,
    }  # fmt: skip
    assert "<b>x</b>" not in render_search(told) and "&lt;b&gt;x&lt;/b&gt;" in render_search(told)


@pytest.mark.slow
def test_a_search_is_made_longer(searched, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(searched[0]))
    assert tune("--resume", "--trials", "6") == 0
    assert Study.newest(Store(searched[0]), "churn").counted() == 6
    assert tune("--resume", "--sampler", "random") == 2
    assert "--sampler with a search that was begun before" in capsys.readouterr().err


@pytest.mark.slow
def test_settings_of_the_definition_that_do_not_train_end_the_search(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path))
    assert tune("--set", "model.monitor=val_accuracies") == 2
    assert "did you mean 'val_accuracy'" in capsys.readouterr().err


def test_no_search_yet(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path))
    assert main(["run", "churn", "--best"]) == 2
    assert "kilnworks tune churn" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_where_it_was(searched, tmp_path):
    """The process is killed while it trains; with --resume the search ends with exactly its trials."""
    environment = {**os.environ, "KILNWORKS_STORE": str(searched[0])}
    words = ["tune", "churn", "--trials", "4", "--set", "model.epochs=40"]
    process = command("kilnworks", *words, cwd=Path.cwd(), env=environment)
    for line in process.stdout:
        if line.startswith("trial    0"):
            break
    killed = Study.newest(Store(searched[0]), "churn")
    assert until(lambda: killed.counted() >= 2)
    process.kill()
    process.wait()
    process.stdout.close()
    before = killed.counted()
    again = [*preloaded.python(), "-m", "kilnworks", "tune", "churn", "--resume"]
    told = subprocess.run(
        [*again, "--trials", "4"], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert told.returncode == 0, told.stderr
    after = Study.newest(Store(searched[0]), "churn")
    assert after.name == killed.name and 2 <= before <= 4
    assert len(after.trials()) == 4 and {t.state.name for t in after.trials()} <= {"COMPLETE", "PRUNED"}
    assert json.loads((after.folder / "best.json").read_text())["study"] == killed.name
