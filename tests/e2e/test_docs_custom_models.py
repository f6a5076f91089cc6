"""docs/custom-models.md, executed: run, asked, served over gRPC, code edited and run again, killed and resumed."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests import preloaded
from tests.forked import command
from tests.served import COMMAND as SERVE
from tests.served import served
from tests.waiting import until

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "kilnworks"]
BLOCK = re.compile(r"^`([\w/]+\.py)`\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLASSES = ("setosa", "versicolor", "virginica")
SLOW = """
import time
import keras


class Slow(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        time.sleep(0.3)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The first folder that the page describes."""
    from sklearn.datasets import load_iris

    folder = tmp_path_factory.mktemp("flowers")
    write(folder, {**blocks("my_flowers/models.py", "pipelines/flowers.py"), "my_flowers/slow.py": SLOW})
    values, label = load_iris(return_X_y=True)
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    noise = np.random.default_rng(0).normal(0, 0.05, (4, *values.shape))
    frame = pl.DataFrame({name: (values[:, i] + noise[:, :, i]).reshape(-1) for i, name in enumerate(names)})
    kinds = pl.Series("kind", [CLASSES[k] for k in np.tile(label, 4)])
    frame.with_columns(kinds).write_csv(folder / "flowers.csv")
    kilnworks(folder, "run", "flowers", "--run-id", "first")
    return folder


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """The folder of a model with its own preprocessing; who sends back wrote so."""
    folder = tmp_path_factory.mktemp("reviews")
    write(folder, blocks("my_reviews/models.py", "pipelines/reviews.py"))
    random = np.random.default_rng(0)
    words = np.array(["works great", "love it", "broke after a week", "awful support", "for my mother", "the blue one"])
    said = random.integers(0, 6, (1500, 2))
    frame = pl.DataFrame(
        {
            "text": [", ".join(words[two]) for two in said],
            "product": [("lamp", "chair", None)[i] for i in random.integers(0, 3, 1500)],
            "price": [None if i == 0 else round(5.0 * i, 2) for i in random.integers(0, 30, 1500).tolist()],
            "stars_before": [None if i == 0 else i for i in random.integers(0, 6, 1500).tolist()],
            "returned": np.where(np.isin(said, (2, 3)).any(axis=1), "yes", "no").astype(str),
        }
    )
    frame.write_csv(folder / "reviews.csv")
    kilnworks(folder, "run", "reviews", "--run-id", "first")
    return folder


def blocks(*names: str) -> dict[str, str]:
    """Files that the page shows; it shows no others."""
    shown = dict(BLOCK.findall((ROOT / "docs/custom-models.md").read_text()))
    assert len(shown) == 4
    return {name: shown[name] for name in names}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KILNWORKS")}
    return {**kept, "KILNWORKS_ROOT": str(folder), "KILNWORKS_STORE": str(folder / "store")}


def kilnworks(folder: Path, *argv: str) -> str:
    done = subprocess.run(
        [*preloaded.python(), *COMMAND[1:], *argv],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def step(folder: Path, run: str, name: str, file: str, pipeline: str = "flowers") -> dict:
    return dict(json.loads((folder / f"store/runs/{pipeline}/{run}/{name}/{file}").read_text()))


def test_it_learns_and_its_own_numbers_are_in_the_history(project):
    assert step(project, "first", "evaluation", "evaluation.json")["metrics"]["accuracy"]["value"] > 0.85
    history = pl.read_csv(project / "store/runs/flowers/first/model/history.csv")
    assert {"confidence", "val_confidence"} <= set(history.columns)
    rates = history["learning_rate"].to_list()
    assert rates == pytest.approx([0.01 / 2 ** (epoch // 5) for epoch in range(len(rates))], rel=1e-5)


def test_predicted_here_and_over_grpc_it_answers_the_same(project):
    rows = pl.read_csv(project / "flowers.csv").head(20)
    inputs = {n: rows[n].to_numpy().astype(np.float32) for n in rows.columns if n != "kind"}
    here, answer = both_ways(project, "flowers", inputs)
    expected = here.select(f"probability_{name}" for name in CLASSES).to_numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_a_model_that_reads_raw_columns_answers_the_same_too(reviews):
    evaluation = step(reviews, "first", "evaluation", "evaluation.json", "reviews")
    assert evaluation["metrics"]["accuracy"]["value"] > 0.95
    rows = pl.read_csv(reviews / "reviews.csv").head(20)
    numbers = {n: rows[n].cast(pl.Float32).fill_null(float("nan")).to_numpy() for n in ("price", "stars_before")}
    texts = {n: rows[n].fill_null("").to_numpy().astype(object) for n in ("text", "product")}
    here, answer = both_ways(reviews, "reviews", {**numbers, **texts})
    expected = here.select("probability_no", "probability_yes").to_numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def both_ways(project: Path, name: str, inputs: dict[str, np.ndarray]) -> tuple[pl.DataFrame, dict[str, np.ndarray]]:
    """What ``predict`` says of the first 20 rows, and what a server answers to the same."""
    from kilnworks.components.serving.client import Client

    kilnworks(project, "predict", name, str(project / f"{name}.csv"), "--output", str(project / "out.csv"))
    here = pl.read_csv(project / "out.csv").head(20)
    with (
        served(words=SERVE, env=environment(project)) as announced,
        Client(f"127.0.0.1:{announced['grpc_port']}") as client,
    ):
        return here, client.predict(name, inputs).outputs


@pytest.mark.nightly
def test_edited_code_is_run_again_and_nothing_before_it(project):
    path = project / "my_flowers/models.py"
    text = path.read_text()
    path.write_text(text.replace("gamma=2.0", "gamma=1.0"))
    try:
        kilnworks(project, "run", "flowers", "--run-id", "edited", "--to", "model")
    finally:
        path.write_text(text)
    before, after = (step(project, run, "model", "manifest.json")["fingerprint"] for run in ("first", "edited"))
    assert before != after
    assert step(project, "first", "transform", "manifest.json") == step(project, "edited", "transform", "manifest.json")


@pytest.mark.nightly
def test_killed_it_goes_on_behind_its_last_epoch(project):
    settings = ["--set", 'model.callbacks=["my_flowers.slow:Slow"]', "--set", "model.epochs=9", "--to", "model"]
    run = ["run", "flowers", "--run-id", "killed", *settings]
    child = command(*COMMAND[2:], *run, cwd=ROOT, env=environment(project))
    assert until(lambda: list((project / "store").rglob("backup.npz")) or child.poll() is not None, 300)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    kilnworks(project, *run)
    training = step(project, "killed", "model", "training.json")
    assert 1 <= training["resumed_after"] < 9 and training["epochs_run"] == 9
