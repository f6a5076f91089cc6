"""From sequences in a file to a class over gRPC and REST: ``new``, ``run``, ``predict``; the pipeline ``vowels``."""

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

STEPS, CHANNELS = 12, 2


def written(path: Path, seed: int, rows: int) -> np.ndarray:
    """Sequences of 6 to 12 steps, of which those of a class turn to the left and the others to the right."""
    draw = np.random.default_rng(seed)
    left = draw.integers(0, 2, rows)
    angle = draw.uniform(0, 7, (rows, 1)) + (2 * left[:, None] - 1) * 0.7 * np.arange(STEPS)
    course = np.stack([np.cos(angle), np.sin(angle)], axis=-1) + draw.normal(0, 0.2, (rows, STEPS, CHANNELS))
    for row, length in enumerate(draw.integers(6, STEPS + 1, rows)):
        course[row, length:] = np.nan
    np.savez(path, course=course.astype(np.float32), turn=np.where(left, "left", "right"))
    return left


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose model was trained on 400 rows by the definition of ``new``."""
    folder = tmp_path_factory.mktemp("turns")
    written(folder / "train.npz", 0, 400)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_ROOT", str(folder))
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        assert main(["new", "turns", "--data", str(folder / "train.npz"), "--label", "turn"]) == 0
        assert main(["run", "turns", "--run-id", "one", "--set", "model.epochs=20", "--promote"]) == 0
        yield folder


def test_other_sequences_are_told_where_a_linear_model_cannot(project) -> None:
    left = written(project / "test.npz", 1, 300)
    assert main(["predict", "turns", str(project / "test.npz"), "--output", str(project / "answers.csv")]) == 0
    found = pl.read_csv(project / "answers.csv")
    assert ((found["class"] == "left").to_numpy() == (left == 1)).mean() > 0.95
    simple = json.loads((project / "store/runs/turns/one/evaluation/evaluation.json").read_text())["simple"]
    assert simple["linear"]["metrics"]["auc"] < 0.7


def test_the_server_answers_as_keras_does_and_refuses_what_does_not_fit(project) -> None:
    from kilnworks.components.learning.predict import predict
    from kilnworks.components.serving.client import Client
    from kilnworks.schemas.artifacts import Model
    from kilnworks.schemas.errors import KilnworksError

    champion = read_champion(project / "store", "turns")
    with np.load(project / "train.npz") as file:
        course = file["course"][:20]
    rows = pl.DataFrame({"course": pl.Series(course.reshape(20, -1))})
    keras = predict(Model(project / "store/runs/turns" / champion.run_id / "model"), rows)
    flags = ["--model_name=turns", f"--model_base_path={Path(champion.path).parent}"]
    with served(*flags) as announced:
        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            answer = client.predict("turns", {"course": course}).outputs
            with pytest.raises(
                KilnworksError, match=r"course has the shape \[20, 12\], the signature says \[-1, 12, 2\]"
            ):
                client.predict("turns", {"course": course[..., 0]})
        np.testing.assert_allclose(answer["probabilities"], keras["probabilities"], rtol=1e-5, atol=1e-5)
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/turns:predict"
        assert np.isnan(course[0]).any()
        body = json.dumps({"instances": [{"course": course[0].tolist()}]}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as replied:
            one = json.loads(replied.read())["predictions"][0]
        np.testing.assert_allclose(one["probabilities"], keras["probabilities"][0], rtol=1e-5, atol=1e-5)


def vowels(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict:
    """The evaluation of one run in a new store."""
    monkeypatch.setenv("KILNWORKS_STORE", str(folder / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    main(["run", "vowels", "--run-id", "one", *more])
    return json.loads((folder / "store/runs/vowels/one/evaluation/evaluation.json").read_text())


def test_a_few_epochs_are_better_than_the_constant(tmp_path, monkeypatch) -> None:
    small = ("model.epochs=4", "model.model.width=16", "evaluation.min={}")
    found = vowels(tmp_path, monkeypatch, *(word for one in small for word in ("--set", one)), "--train-only")
    assert found["metrics"]["accuracy"]["low"] > found["simple"]["constant"]["metrics"]["accuracy"]


@pytest.mark.nightly
def test_the_full_result_of_vowels(tmp_path, monkeypatch) -> None:
    found = vowels(tmp_path, monkeypatch)
    assert found["metrics"]["accuracy"]["value"] >= 0.97
