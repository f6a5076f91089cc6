"""From rows without a label, strange ones among them, to a score over gRPC and REST: ``new``, ``run``, ``predict``."""

import json
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.champion import read_champion
from tests.components.modeling.dirty_rows import nine_numbers
from tests.served import served

pytestmark = pytest.mark.e2e

NAMES = tuple(f"n{i}" for i in range(9))


def written(path: Path, seed: int, rows: int) -> np.ndarray:
    numbers, odd = nine_numbers(seed, rows, 0.07)
    pl.DataFrame(dict(zip(NAMES, numbers.T, strict=True))).write_csv(path)
    return odd


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose model was trained on 3,000 rows, 7 % of them strange, by the definition of ``new``."""
    folder = tmp_path_factory.mktemp("nine")
    written(folder / "train.csv", 0, 3000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_ROOT", str(folder))
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        assert main(["new", "nine", "--data", str(folder / "train.csv"), "--label", "none"]) == 0
        assert main(["run", "nine"]) == 0
        yield folder


def test_other_rows_are_scored_far_better_than_by_a_forest(project) -> None:
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import average_precision_score

    odd = written(project / "test.csv", 1, 3000)
    assert main(["predict", "nine", str(project / "test.csv"), "--output", str(project / "answers.csv")]) == 0
    found = pl.read_csv(project / "answers.csv")
    assert found.columns == ["row", "score", "anomaly", "strangest"] and found.height == 3000
    assert ((found["score"] > 1) == (found["anomaly"] == 1)).all()
    train, test = (pl.read_csv(project / f"{part}.csv").to_numpy() for part in ("train", "test"))
    forest = average_precision_score(odd, -IsolationForest(random_state=0).fit(train).score_samples(test))
    ours = average_precision_score(odd, found["score"])
    assert ours >= 0.97 and ours > forest + 0.01


def test_the_server_answers_as_keras_does(project) -> None:
    from kilnworks.components.learning.predict import predict
    from kilnworks.components.serving.client import Client
    from kilnworks.schemas.artifacts import Model

    champion = read_champion(project / "store", "nine")
    rows = pl.read_csv(project / "train.csv")[:50].cast(pl.Float32)
    keras = predict(Model(project / "store/runs/nine" / champion.run_id / "model"), rows)
    flags = ["--model_name=nine", f"--model_base_path={Path(champion.path).parent}"]
    with served(*flags) as announced:
        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            answer = client.predict("nine", {n: rows[n].to_numpy() for n in NAMES}).outputs
        for name in ("score", "errors"):
            np.testing.assert_allclose(answer[name], keras[name], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(answer["anomaly"], keras["anomaly"])
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/nine:predict"
        body = json.dumps({"instances": rows.head(1).to_dicts()}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as replied:
            one = json.loads(replied.read())["predictions"][0]
        assert one["score"] == pytest.approx(float(keras["score"][0]), rel=1e-5, abs=1e-5)
        assert len(one["errors"]) == 9 and one["anomaly"] == int(keras["anomaly"][0])


@pytest.mark.nightly
def test_a_code_that_is_drawn_answers_with_its_mean_once_it_is_served(project) -> None:
    from sklearn.metrics import average_precision_score

    assert main(["run", "nine", "--run-id", "drawn", "--set", "model.model.variational=true"]) == 0
    servable = json.loads((project / "store/runs/nine/drawn/servable/servable.json").read_text())
    assert servable["skew"]["max_difference"] <= 1e-5 and servable["keras"]["file"] == "standalone.keras"
    odd = written(project / "other.csv", 2, 3000)
    for name in ("once.csv", "again.csv"):
        assert main(["predict", "nine", str(project / "other.csv"), "--output", str(project / name)]) == 0
    once = pl.read_csv(project / "once.csv")
    assert once.equals(pl.read_csv(project / "again.csv"))
    assert average_precision_score(odd, once["score"]) > 10 * odd.mean()


def test_a_file_with_a_missing_column_is_refused(project, capsys) -> None:
    pl.read_csv(project / "train.csv").drop("n3").write_csv(project / "less.csv")
    assert main(["predict", "nine", str(project / "less.csv"), "--output", str(project / "none.csv")]) != 0
    assert "n3" in capsys.readouterr().err
    assert not (project / "none.csv").exists()
