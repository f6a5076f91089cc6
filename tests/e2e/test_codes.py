"""Codes of digits over gRPC and REST, and in files; and the pipeline ``digits_rbm``."""

import json
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.champion import read_champion
from tests.served import served

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
DEFINITION = """
from pathlib import Path

from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.generative.boltzmann import Rbm
from kilnworks.components.sources import ParquetSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.schemas.contract import load_contract

ROOT = Path(__file__).parents[1]
CODED = supervised(
    "coded",
    IngestConfig(contract=load_contract(ROOT / "coded.yaml"), source=ParquetSource(path=str(ROOT / "some.parquet"))),
    TrainConfig(model=Rbm(units=(32,), chains=20, divergence_epochs=60, divergence_rate=0.1), batch=32),
)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A machine on 600 digits; the label is looked at by the evaluation alone."""
    folder = tmp_path_factory.mktemp("coded")
    contract = (ROOT / "schemas/contracts/digits.yaml").read_text().replace("name: digits", "name: coded", 1)
    (folder / "coded.yaml").write_text(contract.replace("  dtype: int\n", "  dtype: int\n  learned: false\n"))
    pl.read_parquet(ROOT / "data/digits.parquet")[:600].write_parquet(folder / "some.parquet")
    (folder / "pipelines").mkdir()
    (folder / "pipelines/coded.py").write_text(DEFINITION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_ROOT", str(folder))
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        assert main(["run", "coded", "--run-id", "one"]) == 0
        yield folder


def test_the_evaluation_holds_codes_against_the_columns(project) -> None:
    folder = project / "store/runs/coded/one"
    found = json.loads((folder / "evaluation/evaluation.json").read_text())
    metrics, beside = found["metrics"], found["baseline"]["metrics"]
    assert found["task"] == "codes" and found["label"] == "digit"
    assert metrics["reconstruction_error"]["high"] < beside["reconstruction_error"] / 1.4
    assert metrics["linear_accuracy"]["value"] > 0.6 and beside["linear_accuracy"] > 0.6
    assert abs(metrics["energy_gap"]["value"]) < 10
    report = (folder / "report.html").read_text()
    for words in ("Rows, and what they become", "How usual rows are", "hidden units look at"):
        assert words in report
    history = (folder / "model/history.csv").read_text().splitlines()[0]
    assert "val_pseudo_likelihood" in history and "val_loss" in history


def test_the_server_answers_as_keras_does(project) -> None:
    from kilnworks.components.learning.predict import predict
    from kilnworks.components.serving.client import Client
    from kilnworks.schemas.artifacts import Model

    champion = read_champion(project / "store", "coded")
    rows = pl.read_parquet(project / "some.parquet")[:20]
    keras = predict(Model(project / "store/runs/coded/one/model"), rows)
    flags = ["--model_name=coded", f"--model_base_path={Path(champion.path).parent}"]
    with served(*flags) as announced:
        images = rows["image"].to_numpy().reshape(-1, 8, 8, 1)
        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            answer = client.predict("coded", {"image": images}).outputs
        assert set(answer) == {"codes", "reconstruction", "error", "free_energy"}
        assert answer["reconstruction"].shape == (20, 8, 8, 1) and answer["codes"].shape == (20, 32)
        for name in ("codes", "reconstruction", "error"):
            np.testing.assert_allclose(answer[name], keras[name], rtol=1e-5, atol=1e-5)
        apart = ((answer["reconstruction"] - images / np.float32(16)) ** 2).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(apart, answer["error"], rtol=1e-4)
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/coded:predict"
        body = json.dumps({"instances": [{"image": images[0].tolist()}]}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as replied:
            one = json.loads(replied.read())["predictions"][0]
        np.testing.assert_allclose(one["codes"], keras["codes"][0], rtol=1e-5, atol=1e-5)


def test_codes_of_a_file(project) -> None:
    assert main(["predict", "coded", str(project / "some.parquet"), "--output", str(project / "codes.csv")]) == 0
    found = pl.read_csv(project / "codes.csv")
    assert found.height == 600 and "error" in found.columns and "code_31" in found.columns


def pipeline(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict:
    """The evaluation of one run of ``digits_rbm`` in a new store."""
    monkeypatch.setenv("KILNWORKS_STORE", str(folder / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    main(["run", "digits_rbm", "--run-id", "one", *more])
    return json.loads((folder / "store/runs/digits_rbm/one/evaluation/evaluation.json").read_text())


@pytest.mark.nightly
def test_digits_rbm_in_full(tmp_path, monkeypatch) -> None:
    found = pipeline(tmp_path, monkeypatch)
    assert found["metrics"]["accuracy"]["value"] > 0.865
    assert found["simple"]["linear"]["gains"]["macro_f1"]["low"] > 0.05
