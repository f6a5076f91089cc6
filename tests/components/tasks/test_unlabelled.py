"""A contract without a label: a task and a network of one's own go from rows to answers, and no room is edited."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.tasks.choose import choose
from kilnworks.components.tasks.unlabelled import Unlabelled
from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from tests.components.tasks.reconstruction import Autoencoder, Reconstruction

DEFINITION = """
from pathlib import Path

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.sources import CsvSource
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.schemas.contract import load_contract
from tests.components.tasks.reconstruction import Autoencoder

ROOT = Path(__file__).parents[1]
PARTS = supervised(
    "parts",
    IngestConfig(contract=load_contract(ROOT / "parts.yaml"), source=CsvSource(path="parts.csv")),
    TrainConfig(
        model=Autoencoder(activation="tanh"), optimizer=Adam(learning_rate=0.02), epochs={epochs}, batch=32, memory_mb=1
    ),
    evaluation=EvaluateConfig(max={{"error": 0.5}}),
)
"""
CONTRACT = "name: parts\nfeatures:\n  a: {dtype: float}\n  b: {dtype: float}\n  c: {dtype: float}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a contract of three columns."""
    (tmp_path / "parts.yaml").write_text(CONTRACT)
    (tmp_path / "pipelines").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "epochs"), [(800, 40), (60_000, 1)], ids=["held", "streamed"])
def test_rows_without_a_label_are_learned_judged_served_and_predicted(project: Path, rows: int, epochs: int) -> None:
    """Rows lie near a line, which one number tells; one that does not is far from what the network makes of it."""
    draw = np.random.default_rng(0)
    along = draw.normal(0, 1, rows)
    near = {name: along * way + draw.normal(0, 0.1, rows) for name, way in (("a", 1), ("b", -2), ("c", 3))}
    pl.DataFrame(near).write_csv(project / "parts.csv")
    (project / "pipelines/parts.py").write_text(DEFINITION.format(epochs=epochs))
    assert main(["run", "parts"]) == 0
    run = read_champion(project / "store", "parts").run_id
    folder = project / "store/runs/parts" / run
    assert json.loads((folder / "model/training.json").read_text())["streamed"] == (rows > 800)
    found = json.loads((folder / "evaluation/evaluation.json").read_text())
    assert (found["task"], found["label"]) == ("reconstruction", "")
    assert 0 < found["metrics"]["error"]["low"] <= found["metrics"]["error"]["value"] < 0.5
    assert "Reconstruction error" in (folder / "report.html").read_text()
    pl.DataFrame({"a": [1.0, 1.0], "b": [-2.0, 2.0], "c": [3.0, 3.0]}).write_csv(project / "two.csv")
    assert main(["predict", "parts", "two.csv", "--output", "answers.csv"]) == 0
    fits, odd = pl.read_csv(project / "answers.csv")["error"]
    assert odd > 4 * fits > 0


def test_a_label_and_none_are_not_confused() -> None:
    plain = Contract.model_validate({"name": "p", "features": {"a": {"dtype": "float"}}})
    labelled = Contract.model_validate({**plain.model_dump(), "label": {"name": "y", "dtype": "float"}})
    assert Reconstruction.suits(plain) and not Reconstruction.suits(labelled)
    assert choose(plain, None, Autoencoder.task) is Reconstruction
    with pytest.raises(ConfigError, match="has no label"):
        choose(plain)
    frame = pl.DataFrame({"a": [1.0, 2.0]})
    assert Reconstruction.needed(plain) == [] and Reconstruction.learned(plain, frame).tolist() == [0, 0]
    assert issubclass(Reconstruction, Unlabelled)
