"""Generated digits over gRPC and REST, and in files; and the pipeline ``digits_gan``."""

import json
import subprocess
import sys
import urllib.error
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

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.generative.gan import Dcgan
from kilnworks.components.sources import ByHash, ParquetSource, Shares
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.schemas.contract import load_contract

ROOT = Path(__file__).parents[1]
MADE = supervised(
    "made",
    IngestConfig(
        contract=load_contract(ROOT / "made.yaml"),
        source=ParquetSource(path=str(ROOT / "some.parquet")),
        split=ByHash(shares=Shares(train=0.6, val=0.2, test=0.2)),
    ),
    TrainConfig(
        model=Dcgan(noise=8, filters=8, judge_epochs=4, generator_rate=2e-3, critic_rate=2e-3, average=0.9),
        epochs=8, batch=32, monitor="val_distance", early_stopping=None,
    ),
    evaluation=EvaluateConfig(max={"relative_distance": 1.0}, resamples=100),
)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A generator on 600 digits."""
    folder = tmp_path_factory.mktemp("made")
    contract = (ROOT / "schemas/contracts/digits.yaml").read_text().replace("name: digits", "name: made", 1)
    (folder / "made.yaml").write_text(contract)
    pl.read_parquet(ROOT / "data/digits.parquet")[:600].write_parquet(folder / "some.parquet")
    (folder / "pipelines").mkdir()
    (folder / "pipelines/made.py").write_text(DEFINITION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_ROOT", str(folder))
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        assert main(["run", "made", "--run-id", "one"]) == 0
        yield folder


def test_the_evaluation_holds_images_against_noise_and_real_rows(project) -> None:
    folder = project / "store/runs/made/one"
    found = json.loads((folder / "evaluation/evaluation.json").read_text())
    apart = {name: one["metrics"]["frechet_distance"] for name, one in found["baselines"].items()}
    ours = found["metrics"]["frechet_distance"]
    assert apart["training rows"] < ours["value"] < apart["noise"]
    assert ours["low"] <= ours["value"] <= ours["high"]
    assert (found["task"], found["unit"], found["label"]) == ("generation", "images", "digit")
    report = (folder / "report.html").read_text()
    for words in ("Generated images", "Nearest to training images", "What is made of the same seeds", "Against noise"):
        assert words in report


def test_a_seed_and_a_class_go_in_and_an_image_comes_out(project, capsys) -> None:
    import keras

    from kilnworks.components.serving.client import Client

    champion = read_champion(project / "store", "made")
    model = keras.saving.load_model(project / "store/runs/made/one/model/model.keras", compile=False)
    seeds = np.random.default_rng(5).standard_normal((20, 8), np.float32)
    classes = np.arange(20) % 10
    wanted = np.asarray(
        model({"seed": keras.ops.convert_to_tensor(seeds), "class": keras.ops.convert_to_tensor(classes)})
    )
    flags = [
        "--contract_check",
        "--model_name=made",
        f"--model_base_path={Path(champion.path).parent}",
    ]
    with served(*flags) as announced:
        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            answer = client.predict("made", {"seed": seeds, "class": classes}).outputs
        assert main(["show", "made", "--client"]) == 0
        program = capsys.readouterr().out.replace("localhost:8500", f"127.0.0.1:{announced['grpc_port']}")
        printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert "'image': array([[" in printed.stdout
        assert set(answer) == {"image"} and answer["image"].shape == (20, 8, 8, 1)
        np.testing.assert_allclose(answer["image"].reshape(20, -1), wanted, rtol=1e-4, atol=1e-4)
        assert 0 <= answer["image"].min() < answer["image"].max() <= 16
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/made:predict"
        asked = {"seed": seeds[0].tolist(), "class": int(classes[0])}
        body = json.dumps({"instances": [asked]}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as replied:
            one = json.loads(replied.read())["predictions"][0]
        image = one["image"] if isinstance(one, dict) else one
        np.testing.assert_allclose(np.ravel(image), wanted[0], rtol=1e-4, atol=1e-4)
        for wrong, words in ((asked | {"class": 11}, "class"), (asked | {"seed": [0.0] * 7}, "seed")):
            body = json.dumps({"instances": [wrong]}).encode()
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(url, body), timeout=30)
            assert refused.value.code == 400 and words in refused.value.read().decode()


def test_images_of_a_file_of_seeds(project) -> None:
    seeds = [{"seed": np.random.default_rng(n).standard_normal(8).tolist(), "class": n} for n in range(10)]
    (project / "seeds.jsonl").write_text("\n".join(map(json.dumps, seeds)))
    assert main(["predict", "made", str(project / "seeds.jsonl"), "--output", str(project / "images.csv")]) == 0
    found = pl.read_csv(project / "images.csv")
    assert found.height == 10 and len(found["image"][0].split()) == 64


@pytest.mark.nightly
def test_a_new_version_is_not_held_against_the_live_one_by_rows(project, capsys) -> None:
    file = project / "pipelines/made.py"
    file.write_text(file.read_text().replace("epochs=8,", "epochs=9,"))
    assert main(["run", "made", "--run-id", "two"]) == 0
    assert "judged by trials of its own" in capsys.readouterr().out
    assert read_champion(project / "store", "made").run_id == "two"


@pytest.mark.nightly
def test_digits_gan_in_full(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert main(["run", "digits_gan", "--run-id", "one"]) == 0
    found = json.loads((tmp_path / "store/runs/digits_gan/one/evaluation/evaluation.json").read_text())
    assert found["metrics"]["relative_distance"]["high"] < 0.1
    assert found["metrics"]["classes_seen"]["value"] == 1
    assert found["metrics"]["near_copies"]["value"] < 0.2
