"""A store that release 0.1.0 made still opens; ``store_0_1_0/make.sh`` says how it was made and what was recorded."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.artifacts import CheckedExamples, Deployment, Evaluation, Examples, Model, Servable, Transform
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.files import read_json
from tests import preloaded
from tests.served import COMMAND as SERVE
from tests.served import served

KEPT = Path(__file__).with_name("store_0_1_0")
FRESH = KEPT / "fresh.csv"
CHAIN = {
    "examples": Examples,
    "checked": CheckedExamples,
    "transform": Transform,
    "model": Model,
    "evaluation": Evaluation,
    "servable": Servable,
    "deployment": Deployment,
}
COMMAND = [sys.executable, "-m", "kilnworks"]


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Path:
    """The project folder with the store, in another place than where they were made."""
    shop = tmp_path_factory.mktemp("moved") / "shop"
    shutil.copytree(KEPT / "project", shop)
    with tarfile.open(KEPT / "store.tar.gz") as archive:
        archive.extractall(shop, filter="data")
    return shop


@pytest.fixture
def shop(opened, tmp_path) -> Path:
    """A copy of it to change."""
    return shutil.copytree(opened, tmp_path / "shop")


def environment(shop: Path) -> dict[str, str]:
    return {**os.environ, "KILNWORKS_ROOT": str(shop), "KILNWORKS_STORE": str(shop / "store")}


def kilnworks(shop: Path, *argv: str) -> str:
    """What a command prints that must succeed."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*preloaded.python(), *COMMAND[1:], *argv],
        cwd=root,
        env=environment(shop),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def assert_answers(path: Path, version: int) -> None:
    """What is in the file is what that version answered when it was made; the key in front came later."""
    given, recorded = pl.read_csv(path), pl.read_csv(KEPT / f"predictions-{version}.csv")
    assert given.columns == ["visit", *recorded.columns] and given["class"].to_list() == recorded["class"].to_list()
    probabilities = [name for name in recorded.columns if name != "class"]
    np.testing.assert_allclose(
        given.select(probabilities).to_numpy(), recorded.select(probabilities).to_numpy(), rtol=1e-5
    )


def test_its_artifacts_are_whole_and_readable(opened):
    run = Store(opened / "store").find_run("visits", "second")
    for step, kind in CHAIN.items():
        assert run.manifest(step)["kind"] == kind.__name__
        assert run.load(step, kind).problem() is None, step
    assert list(run.load("model", Model).contract.features) == ["pages", "minutes", "device", "returning"]
    checked = run.load("checked", Examples)
    assert {split: checked.rows(split) for split in checked.splits} == {"train": 327, "val": 39, "test": 34}


def test_a_moved_store_names_its_own_champion(opened):
    champion = read_champion(opened / "store", "visits")
    assert champion.path == str(opened / "store/serving/visits/2")


@pytest.mark.slow
def test_its_champion_predicts_what_it_predicted(opened, tmp_path):
    said = kilnworks(opened, "predict", "visits", str(FRESH), "--output", str(tmp_path / "out.csv"))
    assert f"{tmp_path / 'out.csv'}: 40 rows, answered by visits (version 2, run " in said
    assert_answers(tmp_path / "out.csv", 2)


@pytest.mark.slow
def test_new_rows_are_compared_with_its_data(shop):
    assert "40 rows of fresh.csv against 327 of train" in kilnworks(shop, "drift", "visits", "--data", str(FRESH))
    run = Store(shop / "store").find_run("visits_drift", None)
    [comparison] = read_json(run.step_path("drift") / "drift.json")["comparisons"]
    [moved] = [f["statistics"]["psi"] for f in comparison["features"] if f["feature"] == "device"]
    old = pl.concat(pl.read_parquet(p) for p in shop.glob("store/runs/visits/second/checked/train/*.parquet"))
    shares = [frame["device"].value_counts(normalize=True).sort("device") for frame in (old, pl.read_csv(FRESH))]
    was, now = (share["proportion"].to_numpy() for share in shares)
    assert moved == pytest.approx(((now - was) * np.log(now / was)).sum(), abs=0.02)


@pytest.mark.slow
def test_its_runs_are_listed_and_reported(shop):
    listed = kilnworks(shop, "runs", "visits").splitlines()
    assert listed[1].startswith("second") and listed[1].rstrip().endswith("champion")
    report = shop / "store/runs/visits/second/report.html"
    report.unlink()
    assert kilnworks(shop, "report", "visits", "--run", "second").strip() == str(report)
    auc = read_json(report.parent / "evaluation/evaluation.json")["metrics"]["auc"]["value"]
    assert f"{auc:.4f}" in report.read_text() or f"{auc:.3f}" in report.read_text()
    assert "could not be" not in report.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked", [pytest.param([], id="by_itself", marks=pytest.mark.nightly), pytest.param(["--to", "1"], id="by_number")]
)
def test_it_is_rolled_back(shop, tmp_path, asked):
    assert "version 3 of visits (run first) is the champion" in kilnworks(shop, "rollback", "visits", *asked)
    if asked:
        kilnworks(shop, "predict", "visits", str(FRESH), "--output", str(tmp_path / "out.csv"))
        assert_answers(tmp_path / "out.csv", 1)


@pytest.mark.slow
def test_what_must_be_made_again_is_made_again_and_said(shop):
    said = kilnworks(shop, "run", "visits", "--run-id", "third")
    for step in ("examples", "checked", "transform", "model", "evaluation", "servable"):
        [line] = [line for line in said.splitlines() if line.startswith(f"{step}: done")]
        assert "made again, unlike in run" in line and "its code" in line
    assert "7 done" in said
    run = Store(shop / "store").find_run("visits", "third")
    assert run.outcome("model")["reason"].startswith("made again, unlike in run")
    assert "made again, unlike in run" in (run.path / "report.html").read_text()
    champion = read_champion(shop / "store", "visits")
    assert (champion.run_id, champion.version) == ("third", 3)


@pytest.mark.e2e
def test_its_champion_is_served(opened, tmp_path):
    with served(words=SERVE, env=environment(opened)) as announced:
        address = f"127.0.0.1:{announced['grpc_port']}"
        out = tmp_path / "out.csv"
        kilnworks(opened, "predict", "visits", str(FRESH), "--server", address, "--output", str(out))
        assert_answers(out, 2)
