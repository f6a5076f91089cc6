"""``compress`` as a user calls it, up to a server that answers with the smaller model."""

import json
import shutil
import urllib.request

import numpy as np
import polars as pl
import pytest

from kilnworks.components.serving.client import Client
from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.artifacts import Model
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.files import read_json
from tests.served import COMMAND, served

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

CONTRACT = """
name: loans
features:
  income: {dtype: float}
  debt: {dtype: float, nullable: true}
  town: {dtype: string}
label: {name: late, dtype: string, classes: ["no", "yes"]}
"""
DEFINITION = """
from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.sources import CsvSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.pipelines.core.operations import Operations, Task

LEARN = Task(group="learn")
LOANS = supervised(
    "loans",
    IngestConfig(contract="loans.yaml", source=CsvSource(path="loans.csv")),
    TrainConfig(model=Mlp(units=(128, 64)), epochs=4, batch=64),
    evaluation=EvaluateConfig(resamples=100, simple_rows=0),
    operations=Operations(tasks=dict.fromkeys(("transform", "model", "evaluation", "servable"), LEARN)),
)
"""


def loans(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    income, debt, town = random.normal(size=rows), random.normal(size=rows), random.integers(0, 30, rows)
    late = random.random(rows) < 1 / (1 + np.exp(2 * income - 2 * debt - np.where(town % 2, 1.0, -1.0)))
    known = pl.Series(np.where(random.random(rows) < 0.1, np.nan, debt)).fill_nan(None)
    said = np.where(late, "yes", "no")
    return pl.DataFrame({"income": income, "debt": known, "town": [f"t{t}" for t in town], "late": said})


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A project with a run, whose champion it is."""
    folder = tmp_path_factory.mktemp("ran")
    loans(600).write_csv(folder / "loans.csv")
    (folder / "loans.yaml").write_text(CONTRACT)
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "loans.py").write_text(DEFINITION)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KILNWORKS_ROOT", str(folder))
        patched.setenv("KILNWORKS_STORE", str(folder / "store"))
        assert main(["run", "loans", "--run-id", "r1"]) == 0
    return folder


@pytest.fixture
def project(ran, tmp_path, monkeypatch):
    """A copy of it, at another place; its paths count from the project."""
    shutil.copytree(ran, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    return tmp_path


def runs(project, to: str) -> list:
    """Folders of runs that were made by ``compress --to``."""
    found = (project / "store" / "runs" / "loans").iterdir()
    return [path for path in found if f"--to {to} " in read_json(path / "run.json")["command"]]


def expected(path, frame: pl.DataFrame) -> np.ndarray:
    from kilnworks.components.learning.predict import predict

    return predict(Model(path / "compressed"), frame)["probabilities"]


def answered(project, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """What a server of the store answers over gRPC and over REST."""
    with served("--store", str(project / "store"), words=COMMAND) as ports:
        raw = {
            "income": frame["income"].to_numpy().astype(np.float32),
            "debt": frame["debt"].fill_null(np.nan).to_numpy().astype(np.float32),
            "town": np.array(frame["town"].to_list(), dtype=object),
        }
        with Client(f"127.0.0.1:{ports['grpc_port']}") as client:
            by_grpc = client.predict("loans", raw).outputs["probabilities"]
        rows = [dict(row, debt="NaN" if row["debt"] is None else row["debt"]) for row in frame.drop("late").to_dicts()]
        body = json.dumps({"instances": rows}).replace('"NaN"', "NaN").encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{ports['rest_api_port']}/v1/models/loans:predict", body) as got:
            by_rest = np.array([one["probabilities"] for one in json.loads(got.read())["predictions"]])
    return by_grpc, by_rest


def test_smaller_models_are_measured_published_and_answers(project, capsys):
    frame = loans(40)
    assert main(["compress", "loans", "--to", "int8", "--promote", "--reason", "half the disk"]) == 0
    out = capsys.readouterr().out
    assert "trained " in out and "int8 " in out and "lost     auc" in out
    (run,) = runs(project, "int8")
    champion = read_champion(project / "store", "loans")
    assert champion.run_id == run.name and champion.version == 2
    told = read_json(run / "compressed" / "compression.json")
    assert told["models"][1]["bytes"] < told["models"][0]["bytes"]
    for answers in answered(project, frame):
        np.testing.assert_allclose(answers, expected(run, frame), atol=1e-5)
    assert main(["compress", "loans", "--to", "pruned", "--run", "r1", "--sparsity", "0.5", "--set", "prune_epochs=2",
                 "--set", "settle_epochs=1", "--max-loss", "0.9"]) == 0  # fmt: skip
    (run,) = runs(project, "pruned")
    assert read_champion(project / "store", "loans").version == 2, "it was not asked for"
    assert f"publish  kilnworks promote loans --run {run.name}" in capsys.readouterr().out
    assert main(["promote", "loans", "--run", run.name]) == 0
    assert read_champion(project / "store", "loans").run_id == run.name
    for answers in answered(project, frame):
        np.testing.assert_allclose(answers, expected(run, frame), atol=1e-5)
    page = (run / "report.html").read_text()
    assert "<h2>Compression</h2>" in page and "weights that are 0" in page and "50.0%" in page
    assert main(["compress", "loans", "--to", "litert", "--run", "r1"]) == 0
    (run,) = runs(project, "litert")
    assert (run / "litert" / "model.tflite").is_file() and not (run / "evaluation").exists()
    assert "raw features" not in capsys.readouterr().out, "texts are TensorFlow's"


def test_a_model_that_loses_too_much_stops_there(project, capsys):
    given = ["--to", "pruned", "--sparsity", "0.99", "--set", "prune_epochs=1", "--set", "settle_epochs=1"]
    given += ["--set", "rate=0.0001", "--set", "rule=non_inferior", "--max-loss", "0"]
    assert main(["compress", "loans", *given, "--promote"]) == 99
    assert "worse (difference -" in capsys.readouterr().out
    (run,) = runs(project, "pruned")
    assert read_json(run / "compressed.skipped" / "decision.json")["passed"] is False
    words = f"kilnworks compress loans --to pruned --run r1 --sparsity 0.99 --max-loss 0 {' '.join(given[4:-2])}"
    assert read_json(run / "run.json")["command"] == words, "the same again"
    assert not (run / "servable").exists()
    assert read_champion(project / "store", "loans").run_id == "r1"
    for words, said in (
        (["--to", "int4"], "one of int8, pruned, litert"),
        (["--to", "int8", "--sparsity", "0.5"], "--to pruned, which takes weights away"),
        (["--to", "pruned", "--sparsity", "1.5"], "sparsity"),
        (["--to", "int8", "--run", "r9"], "r9"),
    ):
        capsys.readouterr()
        assert main(["compress", "loans", *words]) == 2 and said in capsys.readouterr().err, words
    (project / "store" / "runs" / "loans" / "r1" / "model" / "manifest.json").rename(project / "manifest.json")
    before = len(runs(project, "int8"))
    assert main(["compress", "loans", "--to", "int8", "--run", "r1"]) == 2
    assert "'model' has not finished in run r1" in capsys.readouterr().err
    assert len(runs(project, "int8")) == before, "no run was begun for it"
    (project / "manifest.json").rename(project / "store" / "runs" / "loans" / "r1" / "model" / "manifest.json")
    (project / "loans.csv").write_text(loans(700).write_csv())
    assert main(["compress", "loans", "--to", "int8", "--run", "r1"]) == 2
    assert "have changed since run r1" in capsys.readouterr().err


def test_a_definition_that_compresses_challenges_the_champion_with_the_smaller_model(project):
    text = DEFINITION.replace('"model", "evaluation"', '"model", "compressed", "evaluation"')
    text = text.replace("    operations=", "    compressed=CompressConfig(resamples=200),\n    operations=")
    definition = "from kilnworks.components.compress import CompressConfig\n" + text
    (project / "pipelines" / "loans.py").write_text(definition)
    assert main(["run", "loans", "--run-id", "r2"]) == 0
    run = project / "store" / "runs" / "loans" / "r2"
    found = read_json(run / "challenges" / "deployment.json")["details"]
    assert found["verdict"] in ("better", "not worse", "undecided") and found["against"]["run_id"] == "r1"
    assert read_champion(project / "store", "loans").run_id == "r2"
    reached = read_json(run / "evaluation" / "evaluation.json")["metrics"]["auc"]["value"]
    measured = read_json(run / "compressed" / "compression.json")["models"][1]["metrics"]["test"]["auc"]
    assert reached == pytest.approx(measured, abs=1e-9) and found["challenger"] == pytest.approx(reached, abs=1e-4)
