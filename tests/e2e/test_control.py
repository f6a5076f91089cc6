"""From an environment to a policy over gRPC and REST: ``new``, ``run``; pipelines ``gridworld`` and ``cartpole``."""

import json
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.champion import read_champion
from tests.served import served

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
GRID = "kilnworks.components.environments.grid:GridWorld"
DEFINITION = f'''
from pathlib import Path
from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.modeling.control.settings import Exploration
from kilnworks.components.modeling.control.dqn import Dqn
from kilnworks.components.sources import EnvironmentSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.schemas.contract import load_contract

WORLD = EnvironmentSource(id="{GRID}", options={{"map": ["S..", ".X.", "..G"]}}, max_steps=30)
MAZE = supervised(
    "maze",
    IngestConfig(contract=load_contract(Path(__file__).parents[1] / "schemas/contracts/maze.yaml"), source=WORLD),
    TrainConfig(
        model=Dqn(environment=WORLD, units=(32,), discount=0.9, warm_up=200, steps=200, target_every=50,
                  exploration=Exploration(end=0.3, steps=600)),
        epochs=5, batch=32, optimizer=Adam(learning_rate=3e-3), monitor="val_return",
    ),
    evaluation=EvaluateConfig(min={{"mean_return": 16}}, use="low"),
)
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose policy knows the way through nine squares."""
    from kilnworks.components.sources import EnvironmentSource
    from kilnworks.schemas.contract import dump_contract

    folder = tmp_path_factory.mktemp("maze")
    (folder / "pipelines").mkdir()
    (folder / "schemas/contracts").mkdir(parents=True)
    (folder / "pipelines/maze.py").write_text(DEFINITION)
    world = EnvironmentSource(id=GRID, options={"map": ["S..", ".X.", "..G"]})
    (folder / "schemas/contracts/maze.yaml").write_text(dump_contract(world.contract("maze")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_ROOT", str(folder))
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        assert main(["run", "maze", "--run-id", "one"]) == 0
        yield folder


def test_the_policy_earns_the_optimum(project) -> None:
    found = json.loads((project / "store/runs/maze/one/evaluation/evaluation.json").read_text())
    best = found["optimum"]
    assert found["metrics"]["mean_return"]["low"] == best["mean_return"] == 16
    assert best["policy_value"] == pytest.approx(best["value"], rel=1e-9)
    assert (
        found["unit"] == "episodes"
        and found["baseline"]["metrics"]["mean_return"] < 0
        and len(found["play"]["frames"]) == 4
    )
    report = (project / "store/runs/maze/one/report.html").read_text()
    assert "Returns of episodes" in report and "First episode" in report and "data:image/png;base64," in report


def test_the_server_answers_as_keras_does(project) -> None:
    import keras

    from kilnworks.components.serving.client import Client
    from kilnworks.schemas.artifacts import Model

    champion = read_champion(project / "store", "maze")
    model = Model(project / "store/runs/maze" / champion.run_id / "model")
    seen = np.arange(9)
    values = np.asarray(keras.saving.load_model(model.keras_path, compile=False)({"observation": seen}))
    flags = ["--model_name=maze", f"--model_base_path={Path(champion.path).parent}"]
    with served(*flags) as announced:
        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            answer = client.predict("maze", {"observation": seen}).outputs
        assert set(answer) == {"action", "values"}
        np.testing.assert_allclose(answer["values"], values, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(answer["action"], values.argmax(axis=1))
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/maze:predict"
        body = json.dumps({"instances": [{"observation": 5}]}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as replied:
            one = json.loads(replied.read())["predictions"][0]
        assert one["action"] == values[5].argmax()
        np.testing.assert_allclose(one["values"], values[5], rtol=1e-5, atol=1e-5)


def test_new_writes_a_definition_that_loads(project, capsys) -> None:
    from kilnworks.pipelines.core.registry import load

    assert main(["new", "poles", "--data", "gym:CartPole-v1"]) == 0
    assert "2 actions" in capsys.readouterr().out
    assert load("poles").name == "poles"
    assert main(["new", "poles2", "--data", "gym:CartPol-v1"]) != 0
    assert "did you mean 'CartPole-v1'" in capsys.readouterr().err
    assert main(["new", "poles3", "--data", "gym:CartPole-v1", "--label", "x"]) != 0
    assert "rewards say what is good" in capsys.readouterr().err


def full(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The evaluation of a pipeline of ours in a new store."""
    monkeypatch.setenv("KILNWORKS_ROOT", str(ROOT))
    monkeypatch.setenv("KILNWORKS_STORE", str(folder / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert main(["run", name, "--run-id", "one"]) == 0
    return json.loads((folder / f"store/runs/{name}/one/evaluation/evaluation.json").read_text())


@pytest.mark.nightly
def test_gridworld_in_full(tmp_path, monkeypatch) -> None:
    found = full("gridworld", tmp_path, monkeypatch)
    assert found["metrics"]["mean_return"]["low"] == found["optimum"]["mean_return"] == 8
    assert found["optimum"]["largest_error"] < 2, "values are served, too"


@pytest.mark.nightly
def test_cartpole_in_full(tmp_path, monkeypatch) -> None:
    found = full("cartpole", tmp_path, monkeypatch)
    assert found["metrics"]["mean_return"]["low"] >= 475 > 100 > found["baseline"]["metrics"]["mean_return"]
