"""``diagnose`` as a user calls it: points train as runs, no test row is read, and healthy pipelines have no verdict."""

import os
import subprocess
from pathlib import Path

import pytest

from kilnworks.components import recut
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.craft.diagnosis import Diagnosis, on_share
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.files import read_json
from tests import preloaded
from tests.churned import churn_transformed
from tests.forked import command
from tests.waiting import until

SHORT = ["--shares", "0.5", "--set", "model.epochs=4", "--set", "model.batch=256"]


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory):
    """Churn on half of its rows and on all; the splits that were read after the checks; how the half's steps ended."""
    folder, read = churn_transformed(tmp_path_factory, "diagnosed"), []
    files, linked = Examples.files, recut._linked

    def noted(self, split):
        read.append(split)
        return files(self, split)

    def linked_unseen(*given):
        """A cut hands the files of other splits on without opening one."""
        before = len(read)
        found = linked(*given)
        del read[before:]
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KILNWORKS_STORE", str(folder))
        patched.setattr(Examples, "files", noted)
        patched.setattr(recut, "_linked", linked_unseen)
        assert main(["diagnose", "churn", *SHORT]) == 0
    this = Diagnosis.newest(Store(folder), "churn")
    half = Store(folder).run("churn", this.run_id("50"))
    return folder, read, {step: half.outcome(step)["outcome"] for step in ("cut", "model")}


def results_of(folder):
    return read_json(Diagnosis.newest(Store(folder), "churn").folder / "results.json")


@pytest.mark.slow
def test_a_healthy_pipeline_has_no_verdict_that_is_sure(diagnosed):
    told = results_of(diagnosed[0])
    assert [one["kind"] for one in told["verdicts"] if one["sure"]] == []
    assert told["looked_for"] == ["high bias", "high variance", "lack of rows", "leak", "wrong labels", "sick layers"]
    assert told["simple"].keys() == {"linear", "boosted"} and told["confident"]["wrong"] < told["confident"]["all"]


@pytest.mark.slow
def test_points_have_the_same_validation_rows_and_as_many_steps(diagnosed):
    half, whole = results_of(diagnosed[0])["points"]
    assert diagnosed[2] == {"cut": "done", "model": "done"}, "each step is made, and told, once"
    assert half["rows"] * 2 == pytest.approx(whole["rows"], abs=2)
    assert half["sides"]["val"]["rows"] == whole["sides"]["val"]["rows"]
    cut = on_share(load("churn").configured({"model.epochs": 4}), 0.5, 0)
    assert cut["model"].config.epochs == 8 and cut["model"].config.early_stopping.patience == 10


def test_whatever_counts_epochs_counts_as_many_steps_on_fewer_rows():
    slow = {"warmup_epochs": 1.5}
    cut = on_share(load("churn").configured({"model.epochs": 4, "model.schedule": slow}), 0.25, 0)["model"].config
    assert (cut.epochs, cut.schedule.warmup_epochs) == (16, 6.0)
    plateau = {"patience": 3, "cooldown": 1}
    cut = on_share(load("churn").configured({"model.reduce_on_plateau": plateau}), 0.5, 0)["model"].config
    assert (cut.reduce_on_plateau.patience, cut.reduce_on_plateau.cooldown, cut.schedule) == (6, 2, None)


@pytest.mark.slow
def test_the_test_rows_are_not_read(diagnosed):
    assert diagnosed[1] and set(diagnosed[1]) <= {"train", "val"}


@pytest.mark.slow
def test_the_training_on_all_rows_is_that_of_an_ordinary_run(diagnosed, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(diagnosed[0]))
    words = ["--set", "model.epochs=4", "--set", "model.batch=256"]
    assert main(["run", "churn", "--run-id", "plain", "--to", "model", *words]) == 0
    outcome = read_json(Store(diagnosed[0]).run("churn", "plain").path / "outcomes" / "model.json")
    assert outcome["outcome"] == "cached"
    assert 'id="diagnosis"' in (Store(diagnosed[0]).run("churn", "plain").path / "report.html").read_text()


@pytest.mark.slow
def test_a_second_look_takes_all_trainings_from_the_store(diagnosed, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(diagnosed[0]))
    before = results_of(diagnosed[0])
    assert main(["diagnose", "churn", "--resume"]) == 0
    assert results_of(diagnosed[0])["points"] == before["points"], "seconds of the training included"
    page = Diagnosis.newest(Store(diagnosed[0]), "churn").folder / "report.html"
    name = Diagnosis.newest(Store(diagnosed[0]), "churn").name
    assert main(["diagnose", "churn", f"--work={name}", "--seed", "7"]) == 0, "as a task of Airflow that is tried again"
    assert Diagnosis.all_of(Store(diagnosed[0]), "churn") == [name]
    assert results_of(diagnosed[0])["points"] == before["points"]
    assert "Learning curve" in page.read_text() and "<script" not in page.read_text()
    assert "verdict  " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["churn", "--shares", "2"], "above 0 up to 1"),
        (["churn", "--shares", "half"], "numbers with commas"),
        (["churn", "--set", "model.health=none"], "model.health=auto"),
        (["cartpole"], "cartpole learns by play"),
        (["digits_gan"], "the task generation learns by what the model says of itself"),
        (["segments"], "the task clusters learns by what the model says of itself"),
        (["digits", "--set", "model.model.kind=rbm"], "the task codes learns by what the model says of itself"),
        (["churn", "--resume", "--seed", "4"], "--seed with a diagnosis that was begun before"),
        (["churn", "--resume"], "begin one: kilnworks diagnose churn"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path))
    assert main(["diagnose", *words]) == 2
    assert says in capsys.readouterr().err


def test_rows_without_a_validation_split_are_refused_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path))
    no_rows = ["--set", "examples.split.shares.val=0", "--set", "examples.split.shares.train=0.9"]
    assert main(["diagnose", "churn", "--shares", "0.5", *no_rows]) == 2
    assert "rows in split 'val'" in capsys.readouterr().err
    assert list(tmp_path.rglob("training.json")) == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["churn", "digits"])
def test_healthy_pipelines_by_their_own_settings_have_no_verdict_that_is_sure(tmp_path, monkeypatch, name):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path))
    assert main(["diagnose", name]) == 0
    told = read_json(Diagnosis.newest(Store(tmp_path), name).folder / "results.json")
    assert [one["kind"] for one in told["verdicts"] if one["sure"]] == []


@pytest.mark.slow
def test_a_series_has_a_learning_curve_and_no_closer_look(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path))
    small = {"epochs": "1", "model.core": "none", "model.units": "[8]"}
    words = [word for name, value in small.items() for word in ("--set", f"model.{name}={value}")]
    assert main(["diagnose", "demand", "--shares", "0.5", *words]) == 0
    half, whole = read_json(Diagnosis.newest(Store(tmp_path), "demand").folder / "results.json")["points"]
    assert 0.4 < half["rows"] / whole["rows"] < 0.6
    assert half["sides"]["val"]["constant"] and half["sides"]["val"]["rows"] == whole["sides"]["val"]["rows"]
    assert "no high variance" in capsys.readouterr().out


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_where_it_was(diagnosed, tmp_path):
    """SIGKILL while the second point trains; --resume takes the first one from the store and ends with both."""
    environment = {**os.environ, "KILNWORKS_STORE": str(diagnosed[0])}
    words = ("kilnworks", "diagnose", "churn")
    process = command(*words, "--shares", "0.3", "--set", "model.epochs=12", cwd=Path.cwd(), env=environment)
    for said in process.stdout:
        if said.startswith("point"):
            break
    this = Diagnosis.newest(Store(diagnosed[0]), "churn")
    assert until((this.store.run("churn", this.run_id("100")).path / "run.json").is_file)
    process.kill()
    process.wait()
    process.stdout.close()
    assert not (this.folder / "results.json").exists()
    told = subprocess.run(
        [*preloaded.python(), "-m", *words, "--resume"],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    found = read_json(this.folder / "results.json")
    assert [one["share"] for one in found["points"]] == [0.3, 1.0] and found["name"] == this.name
