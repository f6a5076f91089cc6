"""One model's way with as little installed as possible: checked, trained, served, asked, each with its extra alone."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kilnworks_client import Client
from tests.installed import alone, distributions, python_with_only, wheel
from tests.only import command, ran, started
from tests.served import announced

pytestmark = pytest.mark.e2e
QUICK = ("--set", "model.epochs=1", "--set", "checked.data_docs=false")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a live model of churn, made where only what trains is installed."""
    folder = tmp_path_factory.mktemp("worker")
    said = ran(
        command(["run", "churn", "--promote", "--by", "test", "--reason", "a test", *QUICK]), "train", folder=folder
    )
    assert "report" in said
    return folder


def asked(address: str) -> int:
    """How many classes the live model of churn knows, by an answer."""
    with Client(address) as client:
        client.wait_until_available("churn")
        inputs = client.metadata("churn").signatures["serving_default"].inputs
        row = {name: [""] if meta.dtype == "string" else np.zeros(1, meta.dtype) for name, meta in inputs.items()}
        return client.predict("churn", row).outputs["probabilities"].shape[1]


def test_rows_are_checked_where_nothing_trains(tmp_path):
    """The first step that needs TensorFlow says so; what was checked stays."""
    said = ran(command(["run", "churn", *QUICK]), "data", folder=tmp_path, ok=False)
    assert "the extra 'train'" in said and "pip install 'kilnworks[train]'" in said and "Traceback" not in said
    (checked,) = (tmp_path / "store/runs/churn").glob("*/checked/manifest.json")
    assert json.loads(checked.read_text())["kind"] == "CheckedExamples"


def test_what_was_trained_is_served_where_nothing_trains(store):
    flags = ("serve", "--port=0", "--rest_api_port=0")
    with (store / "log").open("w") as log:
        process = started(command(flags), "serve", folder=store, stderr=log)
    with announced(process, store / "log") as ports:
        for address in (f"127.0.0.1:{ports['grpc_port']}", f"http://127.0.0.1:{ports['rest_api_port']}"):
            assert asked(address) == 2
        program = ran(command(["show", "churn", "--client"]), folder=store)
        assert '"localhost:8500"' in program
        answer = ran(program.replace("localhost:8500", f"127.0.0.1:{ports['grpc_port']}"), folder=store)
        assert "'probabilities': array([[" in answer


@pytest.mark.nightly
def test_a_server_installed_for_real(store, tmp_path):
    """The wheel with the extra ``serve``, from the index, in an environment of its own."""
    python = python_with_only(tmp_path / "environment", f"kilnworks[serve] @ {wheel(tmp_path).as_uri()}")
    assert {"apache-airflow", "mlflow", "pyspark", "great-expectations", "pytest"}.isdisjoint(distributions(python))
    flags = ["serve", "--port=0", "--rest_api_port=0", "--store", str(store / "store")]
    command = [str(python), "-m", "kilnworks", *flags]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=alone(), stdout=subprocess.PIPE, stderr=log, text=True)
    with announced(process, tmp_path / "log") as ports:
        assert asked(f"127.0.0.1:{ports['grpc_port']}") == 2
