"""From data to predictions by three commands: ``new``, ``run``, ``predict``."""

import os
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.components.judging.metrics import auc
from kilnworks.pipelines.cli.app import main
from tests import preloaded
from tests.components.starting.starting_tables import table

pytestmark = pytest.mark.e2e


def kilnworks(project: Path, *words: str) -> str:
    """Run a command in a project folder; returns what it printed."""
    root = Path(__file__).parents[2]
    env = {**os.environ, "KILNWORKS_ROOT": str(project), "KILNWORKS_STORE": str(project / "store")}
    command = [*preloaded.python(), "-m", "kilnworks", *words]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Run a command for a project folder in this process, which has loaded its libraries already."""
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))

    def run(*words: str) -> None:
        assert main([*words]) == 0, capsys.readouterr().err

    return run


def quick(project: Path, name: str, epochs: int = 4) -> None:
    """Few epochs are enough to see that everything fits together."""
    path = project / "pipelines" / f"{name}.py"
    lines = path.read_text().splitlines()
    changed = [
        f"{line[: len(line) - len(line.lstrip())]}epochs={epochs}," if line.strip().startswith("epochs=") else line
        for line in lines
    ]
    path.write_text("\n".join(changed).replace("warmup_epochs=2.0", "warmup_epochs=0.5") + "\n")


def test_a_table(tmp_path, here):
    rows = table(1500).drop("receipt")
    rows.write_csv(tmp_path / "orders.csv", separator=";")
    said = kilnworks(tmp_path, "new", "orders", "--data", str(tmp_path / "orders.csv"), "--label", "bought")
    assert "nearly constant" in said and "by seen_at" in said and "kilnworks run orders" in said
    written = (tmp_path / "pipelines/orders.py").read_text()
    assert 'path=str(ROOT / "orders.csv")' in written and 'better_than=("constant", "linear")' in written
    quick(tmp_path, "orders")
    ended = kilnworks(tmp_path, "run", "orders")
    assert "result   AUC " in ended and "against  constant AUC 0.5 " in ended and "; linear AUC " in ended
    fresh = table(400, seed=9).drop("receipt").with_columns(
        city=pl.lit("a city never seen"), spent=pl.when(pl.int_range(400) == 0).then(10.0**9).otherwise("spent")
    )  # fmt: skip
    for frame, call in ((fresh, partial(kilnworks, tmp_path)), (fresh.drop("bought", "order_id"), here)):
        frame.write_csv(tmp_path / "fresh.csv", separator=";")
        call("predict", "orders", str(tmp_path / "fresh.csv"), "--output", str(tmp_path / "out.csv"))
        answers = pl.read_csv(tmp_path / "out.csv")
        told = answers.columns[0], answers.columns[1:]
        first = "order_id" if "order_id" in frame.columns else "row"
        assert told == (first, ["class", "probability_no", "probability_yes"]) and answers.height == 400
        assert answers[first].to_list() == (frame[first].to_list() if first in frame.columns else [*range(1, 401)])
        truth = (fresh["bought"] == "yes").to_numpy().astype(int)
        assert auc(truth, answers["probability_yes"].to_numpy()) > 0.65


def test_a_folder_of_images(tmp_path, here):
    random = np.random.default_rng(0)
    for part, count in (("data", 60), ("fresh", 10)):
        for name, column in (("dark left", slice(0, 8)), ("dark right", slice(8, 16))):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(90, 255, (16, 16), dtype=np.uint8)
                pixels[:, column] //= 3
                Image.fromarray(pixels).save(tmp_path / part / name / f"{i}.png")
    here("new", "sides", "--data", str(tmp_path / "data"))
    made = (tmp_path / "pipelines/sides.py").read_text()  # mirrored, each class would be the other; upside down, itself
    assert 'flip="vertical"' in made and made.count("flip") == 1
    quick(tmp_path, "sides", epochs=12)
    here("run", "sides")
    here("predict", "sides", str(tmp_path / "fresh"), "--output", str(tmp_path / "out.csv"))
    answers = pl.read_csv(tmp_path / "out.csv")
    assert answers["file"].to_list() == sorted(answers["file"]) and answers.height == 20
    right = answers["file"].str.split("/").list.first() == answers["class"]
    assert right.mean() > 0.7


def test_nothing_is_overwritten_and_errors_are_plain(tmp_path, here, capsys):
    table(100).write_csv(tmp_path / "orders.csv")
    here("new", "orders", "--data", str(tmp_path / "orders.csv"))
    before = (tmp_path / "pipelines/orders.py").read_text()
    capsys.readouterr()
    for words, wanted in (
        (["orders", "--data", "orders.csv"], "is there already"),
        (["2orders", "--data", "orders.csv"], "letters, digits and _"),
        (["other", "--data", str(tmp_path / "order.csv")], "did you mean"),
        (["other", "--data", str(tmp_path / "orders.csv"), "--label", "bougth"], "did you mean 'bought'"),
        (["other", "--data", str(tmp_path / "orders.csv"), "--task", "clusters", "--budget", "1"], "has no epochs to"),
    ):
        code, said = main(["new", *words]), capsys.readouterr().err
        assert code in (1, 2) and wanted in said and "Traceback" not in said
    assert (tmp_path / "pipelines/orders.py").read_text() == before
    assert not (tmp_path / "pipelines/other.py").exists()
    here("new", "orders", "--data", str(tmp_path / "orders.csv"), "--force", "--budget", "20")
    assert "budget_minutes=20.0" in (tmp_path / "pipelines/orders.py").read_text()
    assert "within the budget of 20 min" in capsys.readouterr().out
