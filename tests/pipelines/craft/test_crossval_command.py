"""``crossval`` as a user calls it: folds train as runs, the mean is the folds', and test rows are not read."""

import json
import os
import statistics
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from kilnworks.components.cutting.settings import Fold
from kilnworks.components.validate import ValidateConfig, validate
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.cli.craft.crossval import fold_of
from kilnworks.pipelines.core.graph import Step
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.craft.crossval import Crossval, summary
from kilnworks.pipelines.craft.cuts import with_cut
from kilnworks.pipelines.craft.nested import judge_of
from kilnworks.pipelines.tuning.study import Study
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import read_json
from tests import preloaded
from tests.churned import churn_transformed
from tests.forked import command
from tests.waiting import until

NUMBERS = ("tenure", "MonthlyCharges")
HABITS = f'transform.derived={{"habits": {{"of": {json.dumps(NUMBERS)}, "method": "pca", "count": 1}}}}'
SHORT = ["--set", "model.epochs=2", "--set", "model.batch=1024", "--set", HABITS]


@pytest.fixture(scope="module")
def crossed(tmp_path_factory):
    """Three folds of churn, and the splits that were read after the data had been checked."""
    folder, read = churn_transformed(tmp_path_factory, "crossed"), []
    files = Examples.files

    def noted(self, split):
        read.append(split)
        return files(self, split)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KILNWORKS_STORE", str(folder))
        patched.setattr(Examples, "files", noted)
        assert main(["crossval", "churn", "--folds", "3", *SHORT]) == 0
    return folder, read


@pytest.mark.slow
def test_the_mean_is_that_of_what_each_training_tells(crossed):
    this = Crossval.newest(Store(crossed[0]), "churn")
    results = read_json(this.folder / "results.json")
    losses = []
    for place in (1, 2, 3):
        run = this.store.run("churn", this.run_id(f"f{place}"))
        losses.append(read_json(run.step_path("model") / "training.json")["best"]["val_loss"])
    told = results["summary"]["val_loss"]
    assert told["mean"] == pytest.approx(statistics.fmean(losses))
    assert told["sd"] == pytest.approx(statistics.stdev(losses)) and told["sd"] > 0
    assert this.fold.by == "stratified" and [fold["rows"]["val"] for fold in results["folds"]] == [2117, 2116, 2116]


@pytest.mark.slow
def test_the_test_rows_are_not_read(crossed):
    assert crossed[1] and set(crossed[1]) <= {"train", "val"}


@pytest.mark.slow
def test_preprocessing_is_learned_from_the_training_rows_of_each_fold(crossed):
    this = Crossval.newest(Store(crossed[0]), "churn")
    plans = []
    for place in (1, 2, 3):
        run = this.store.run("churn", this.run_id(f"f{place}"))
        made = Examples(run.step_path("cut"))
        rows = pl.read_parquet(made.files("train"), columns=list(NUMBERS)).to_numpy().astype(float)
        plans.append((read_json(run.step_path("transform") / "transform.json"), rows))
    assert all(plans[0][0] != other for other, _ in plans[1:])
    for plan, rows in plans:
        axis = PCA(1).fit(StandardScaler().fit_transform(rows))
        factors = np.array(plan["derived"]["habits"]["factors"])[0, :, 0]
        np.testing.assert_allclose(factors, axis.components_[0] / axis.explained_variance_[0] ** 0.5, rtol=1e-3)


@pytest.mark.slow
def test_all_steps_of_a_second_look_are_taken_from_the_store(crossed, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(crossed[0]))
    before = read_json(Crossval.newest(Store(crossed[0]), "churn").folder / "results.json")
    assert main(["crossval", "churn", "--resume"]) == 0
    again = read_json(Crossval.newest(Store(crossed[0]), "churn").folder / "results.json")
    assert again["folds"] == before["folds"], "seconds of the training included"
    assert "standard deviation over folds" in capsys.readouterr().out


@pytest.mark.slow
def test_the_page_shows_the_folds(crossed):
    page = (Crossval.newest(Store(crossed[0]), "churn").folder / "report.html").read_text()
    assert "Curves by fold" in page and "no confidence interval" in page and "<script" not in page


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["churn", "--by", "sideways"], "one of plain, stratified, grouped, time"),
        (["churn", "--by", "grouped"], "--column NAME"),
        (["churn", "--folds", "2000"], "for '--folds'"),
        (["churn", "--column", "Contract"], "--by grouped"),
        (["churn", "--trials", "3"], "--trials without --outer"),
        (["cartpole"], "cartpole learns by play"),
        (["churn", "--resume", "--folds", "4"], "--folds with a cross-validation that was begun before"),
        (["churn", "--resume"], "begin one: kilnworks crossval churn"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path))
    assert main(["crossval", *words]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "settings", "by", "column"),
    [
        ("churn", {}, "stratified", None),
        ("churn", {"examples.split": {"kind": "hash", "key": "Contract"}}, "grouped", "Contract"),
        ("demand", {}, "time", "hour"),
        ("segments", {}, "plain", None),
        ("scenes", {}, "plain", None),
    ],
)
def test_folds_follow_the_definition(name, settings, by, column):
    fold = fold_of(load(name).configured(settings), {})
    assert (fold.by, fold.column, fold.copies) == (by, column, "together")


def test_copies_go_as_the_definition_splits_them():
    churn = load("churn").configured({"examples.split": {"kind": "hash", "copies": "apart"}})
    assert fold_of(churn, {}).copies == "apart"


def test_what_learns_or_measures_beside_the_cut_is_refused():
    """A training on rows that a further step has checked, a preprocessing on those of the first one."""
    churn = load("churn")
    again = Step("again", validate, ValidateConfig(), {"examples": "examples"})

    def fed(*names):
        steps = (replace(s, inputs={**s.inputs, "examples": "again"}) if s.name in names else s for s in churn.steps)
        return replace(churn, steps=(*steps, again))

    with pytest.raises(ConfigError, match="step 'checked' of churn learns from the rows of 'examples'"):
        with_cut(fed("model"), Fold())
    assert with_cut(fed("model", "transform"), Fold())["transform"].inputs["examples"] == "cut"
    with pytest.raises(ConfigError, match="step 'evaluation' of churn measures on other rows than those of 'again'"):
        judge_of(fed("model", "transform"))
    assert judge_of(churn).name == "evaluation"


def test_numbers_that_a_fold_lacks_are_left_out_of_the_mean():
    told = summary([{"a": 1.0, "b": 2.0}, {"a": 4.0}])
    assert list(told) == ["a"] and told["a"] == {"mean": 2.5, "sd": statistics.stdev([1, 4]), "low": 1.0, "high": 4.0}


@pytest.mark.slow
def test_nested_folds_measure_the_settings_that_each_search_chose(crossed, monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_STORE", str(crossed[0]))
    assert main(["crossval", "churn", "--folds", "2", "--outer", "2", "--trials", "2", *SHORT]) == 0
    this = Crossval.newest(Store(crossed[0]), "churn")
    results = read_json(this.folder / "results.json")
    rows = [one["rows"] for one in results["outer"]]
    pool = sum(
        Examples(this.store.run("churn", this.run_id("o1")).step_path("checked")).rows(s) for s in ("train", "val")
    )
    assert sum(rows) == pool, "each row of the pool is judged once"
    for one in results["outer"]:
        told = read_json(this.store.run("churn", this.run_id(f"o{one['outer']}")).path / "run.json")["overrides"]
        assert told == {"model.epochs": 2, "model.batch": 1024, **one["settings"]}
        best = read_json(this.folder / f"outer{one['outer']}" / "best.json")
        folds = [this.store.run("churn", this.run_id(f"o{one['outer']}-t{best['trial']:04d}-f{f}")) for f in (1, 2)]
        losses = [read_json(run.step_path("model") / "training.json")["best"]["val_loss"] for run in folds]
        assert best["value"] == pytest.approx(statistics.fmean(losses)) == one["inner"]
    with pytest.raises(ConfigError, match="search of churn"):
        Study.newest(Store(crossed[0]), "churn")
    assert "outer    2 of 2" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.nightly
def test_killed_in_the_middle_it_goes_on_where_it_was(crossed, tmp_path):
    """SIGKILL while the second fold trains; --resume takes the first one from the store and ends with all."""
    environment = {**os.environ, "KILNWORKS_STORE": str(crossed[0])}
    words = ("kilnworks", "crossval", "churn")
    process = command(
        *words, "--folds", "2", "--seed", "5", "--set", "model.epochs=30", cwd=Path.cwd(), env=environment
    )
    for line in process.stdout:
        if line.startswith("fold     1"):
            break
    this = Crossval.newest(Store(crossed[0]), "churn")
    assert until((this.store.run("churn", this.run_id("f2")).path / "run.json").is_file)
    process.kill()
    process.wait()
    process.stdout.close()
    assert not (this.folder / "results.json").exists()
    told = subprocess.run(
        [*preloaded.python(), "-m", *words, "--resume"],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    results = read_json(this.folder / "results.json")
    assert len(results["folds"]) == 2 and results["name"] == this.name
