"""The pipeline ``demand``: better than last week's value, held against the live model, served; in full every night."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.chains import ROOT
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.files import read_json
from tests.served import served

pytestmark = pytest.mark.e2e

FEW = ("--set", "model.epochs=1", "--promote")


@pytest.fixture(scope="module")
def demand(tmp_path_factory):
    """A store with a run of an epoch, which is live."""
    folder = tmp_path_factory.mktemp("demand")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        assert main(["run", "demand", "--run-id", "one", *FEW]) == 0
        yield folder


def test_an_epoch_is_better_than_last_weeks_value(demand) -> None:
    found = read_json(demand / "store/runs/demand/one/evaluation/evaluation.json")
    assert found["metrics"]["relative_mae"]["high"] < 0.85
    assert found["metrics"]["mae"]["low"] > 12, "13.11 MW is the best that anybody can reach"
    assert len(found["ahead"]["by_step"]) == 24


def test_the_interval_is_as_wide_as_the_validation_windows_ask_for(demand) -> None:
    task = read_json(demand / "store/runs/demand/one/model/task.json")
    assert task["stretch"] != 1 and task["margin"] == 0
    found = read_json(demand / "store/runs/demand/one/evaluation/evaluation.json")
    assert found["metrics"]["coverage"]["value"] == pytest.approx(0.8, abs=0.06)


@pytest.mark.nightly
def test_both_models_are_compared_on_the_same_windows(demand, capsys) -> None:
    assert main(["run", "demand", "--run-id", "two", "--set", "model.seed=7", *FEW[:2]]) == 0, "a trial is no failure"
    capsys.readouterr()
    assert main(["compare", "demand", "--run", "two"]) == 0
    told = capsys.readouterr().out
    assert "**Challenge**: mae" in told and "on the same 92 test windows" in told, told


def window(at: int) -> dict[str, object]:
    """What a request holds for a forecast from a row on."""
    rows = pl.read_parquet(ROOT / "data/demand.parquet")
    served = {"demand": rows["demand"][at - 168 : at].to_list(), "hour": rows["hour"][at].isoformat()}
    return served | {name: rows[name][at - 168 : at + 24].to_list() for name in ("temperature", "workday")}


def test_windows_are_answered_alike_over_grpc_and_rest(demand, capsys) -> None:
    from kilnworks.components.serving.client import Client
    from kilnworks.schemas.errors import KilnworksError

    champion = read_champion(demand / "store", "demand")
    flags = [
        "--contract_check",
        "--model_name=demand",
        f"--model_base_path={Path(champion.path).parent}",
    ]
    with served(*flags) as announced:
        asked = window(17_000)
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/demand:predict"

        def rest(instance):
            body = json.dumps({"instances": [instance]}).encode()
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as replied:
                return json.loads(replied.read())["predictions"][0]

        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            sent = {n: np.asarray([v], "datetime64[us]" if n == "hour" else np.float32) for n, v in asked.items()}
            answer = client.predict("demand", sent).outputs
            replied = rest(asked)
            for name in ("forecast", "low", "high"):
                assert answer[name].shape == (1, 24)
                np.testing.assert_allclose(answer[name][0], replied[name], rtol=1e-5)
            assert (answer["low"] <= answer["forecast"]).all() and (answer["forecast"] <= answer["high"]).all()
            assert main(["show", "demand", "--client"]) == 0
            program = capsys.readouterr().out.replace("localhost:8500", f"127.0.0.1:{announced['grpc_port']}")
            printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
            assert "'forecast': array([[" in printed.stdout
            short = {**sent, "demand": sent["demand"][:, 1:]}
            with pytest.raises(KilnworksError, match="demand"):
                client.predict("demand", short)
        with pytest.raises(urllib.error.HTTPError) as refused:
            rest({**asked, "demand": asked["demand"][1:]})
        assert refused.value.code == 400 and "demand" in refused.value.read().decode()


def test_a_file_that_goes_on_has_one_answer_a_row(demand, tmp_path) -> None:
    rows = pl.read_parquet(ROOT / "data/demand.parquet").tail(48)
    later = rows.with_columns(pl.col("hour") + timedelta(hours=48)).drop("demand")
    later.write_csv(tmp_path / "later.csv")
    assert main(["predict", "demand", str(tmp_path / "later.csv"), "--output", str(tmp_path / "out.csv")]) == 0
    told = pl.read_csv(tmp_path / "out.csv")
    assert told.height == 48 and told["from_forecasts"].to_list() == [0] * 24 + [1] * 24
    assert ((told["low"] <= told["forecast"]) & (told["forecast"] <= told["high"])).all()


@pytest.mark.nightly
def test_the_full_result(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert main(["run", "demand", "--run-id", "one"]) == 0
    found = read_json(tmp_path / "store/runs/demand/one/evaluation/evaluation.json")
    assert found["metrics"]["mae"]["value"] <= 15.5
