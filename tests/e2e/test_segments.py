"""From rows to clusters over gRPC and REST: ``new``, ``run``, ``predict``; and the pipeline ``segments``."""

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
CENTRES = np.array([[0.0, 0.0, 0.0], [60.0, 0.0, 3.0], [0.0, 80.0, 3.0]])


def written(path: Path, seed: int, rows: int) -> np.ndarray:
    """Rows of three groups with numbers in different units, and a column of two texts that goes with the second."""
    draw = np.random.default_rng(seed)
    group = draw.choice(3, rows, p=[0.5, 0.3, 0.2])
    numbers = CENTRES[group] + draw.normal(size=(rows, 3)) * [8, 8, 0.5]
    columns = dict(zip(("width", "height", "weight"), numbers.T, strict=True))
    frame = pl.DataFrame({**columns, "colour": np.where(group == 1, "red", "blue"), "group": np.array([*"xyz"])[group]})
    frame.write_csv(path)
    return group


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose clusters were found in 600 rows, by the definition of ``new``."""
    folder = tmp_path_factory.mktemp("parts")
    written(folder / "train.csv", 0, 600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_ROOT", str(folder))
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        asked = ["--data", str(folder / "train.csv"), "--label", "group", "--task", "clusters"]
        assert main(["new", "parts", *asked]) == 0
        assert main(["run", "parts", "--run-id", "one"]) == 0
        yield folder


def test_the_groups_are_found_in_other_rows(project) -> None:
    from sklearn.metrics import adjusted_rand_score

    group = written(project / "test.csv", 1, 300)
    assert main(["predict", "parts", str(project / "test.csv"), "--output", str(project / "answers.csv")]) == 0
    found = pl.read_csv(project / "answers.csv")
    assert found.columns == ["row", "cluster", "distance"] and found.height == 300
    assert adjusted_rand_score(group, found["cluster"]) > 0.98
    assert found["distance"].min() >= 0


def test_the_evaluation_says_how_good_they_are_and_what_is_typical(project) -> None:
    found = json.loads((project / "store/runs/parts/one/evaluation/evaluation.json").read_text())
    metrics, beside = found["metrics"], found["baseline"]["metrics"]["silhouette"]
    assert metrics["silhouette"]["low"] > beside + 0.1
    assert metrics["adjusted_rand"]["value"] > 0.98 and metrics["stability"]["value"] > 0.98
    typical = [[part["column"] for part in one["typical"]] for one in found["table"]]
    assert len(typical) == 3 and typical[1][0] in {"width", "colour=red", "colour=blue"} and typical[2][0] == "height"
    trained = json.loads((project / "store/runs/parts/one/model/training.json").read_text())
    assert max(trained["tried"], key=trained["tried"].get) == "3"
    report = (project / "store/runs/parts/one/report.html").read_text()
    assert "Principal components" in report and "t-SNE" in report and "colour=red" in report


def test_the_server_answers_as_keras_does(project) -> None:
    from kilnworks.components.learning.predict import predict
    from kilnworks.components.serving.client import Client
    from kilnworks.schemas.artifacts import Model

    champion = read_champion(project / "store", "parts")
    rows = pl.read_csv(project / "train.csv")[:50].cast({pl.Float64: pl.Float32})
    keras = predict(Model(project / "store/runs/parts" / champion.run_id / "model"), rows)
    flags = ["--model_name=parts", f"--model_base_path={Path(champion.path).parent}"]
    with served(*flags) as announced:
        names = ("width", "height", "weight", "colour")
        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            answer = client.predict("parts", {n: rows[n].to_numpy() for n in names}).outputs
        assert set(answer) == {"cluster", "distance", "distances"}
        np.testing.assert_array_equal(answer["cluster"], keras["cluster"])
        np.testing.assert_array_equal(answer["cluster"], answer["distances"].argmin(axis=1))
        np.testing.assert_allclose(answer["distance"], keras["distance"], rtol=1e-5, atol=1e-5)
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/parts:predict"
        body = json.dumps({"instances": rows.select(names).head(1).to_dicts()}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as replied:
            one = json.loads(replied.read())["predictions"][0]
        assert one["cluster"] == keras["cluster"][0] and len(one["distances"]) == 3
        assert one["distance"] == pytest.approx(float(keras["distance"][0]), rel=1e-5, abs=1e-5)


def test_more_clusters_than_rows_one_cluster_and_a_row_beyond_all_numbers_are_refused(project, capsys) -> None:
    setting = ["--set", "model.model.count=2000", "--train-only"]
    assert main(["run", "parts", *setting]) != 0
    assert "2000 clusters of" in capsys.readouterr().err
    assert main(["run", "parts", "--set", "model.model.count=1", "--train-only"]) != 0
    assert "greater than or equal to 2" in capsys.readouterr().err
    lines = (project / "train.csv").read_text().splitlines()[:2]
    (project / "far.csv").write_text("\n".join([lines[0], "1e300," + lines[1].partition(",")[2]]) + "\n")
    assert main(["predict", "parts", str(project / "far.csv"), "--output", str(project / "none.csv")]) != 0
    assert "must be a finite number" in capsys.readouterr().err and not (project / "none.csv").exists()


def test_a_mixture_answers_with_probabilities(project) -> None:
    from kilnworks.components.learning.predict import predict
    from kilnworks.schemas.artifacts import Model

    setting = ["--set", "model.model.method=gaussian_mixture", "--set", "model.model.count=3"]
    assert main(["run", "parts", "--run-id", "mixed", *setting]) == 0
    kept = json.loads((project / "store/runs/parts/mixed/model/task.json").read_text())
    assert kept["how"]["method"] == "gaussian_mixture" and kept["count"] == 3
    found = json.loads((project / "store/runs/parts/mixed/evaluation/evaluation.json").read_text())
    assert found["metrics"]["adjusted_rand"]["value"] > 0.95
    rows = pl.read_csv(project / "train.csv")[:20]
    model = Model(project / "store/runs/parts/mixed/model")
    servable = json.loads((project / "store/runs/parts/mixed/servable/servable.json").read_text())
    assert "probabilities" in json.dumps(servable) and len(predict(model, rows)["cluster"]) == 20


def segments(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict:
    """The evaluation of one run in a new store."""
    monkeypatch.setenv("KILNWORKS_STORE", str(folder / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert main(["run", "segments", "--run-id", "one", *more]) == 0
    return json.loads((folder / "store/runs/segments/one/evaluation/evaluation.json").read_text())


def test_segments_are_better_than_shuffled_columns(tmp_path, monkeypatch) -> None:
    lines = (ROOT / "data/churn.csv").read_text().splitlines()[:2501]
    (tmp_path / "some.csv").write_text("\n".join(lines) + "\n")
    path = f"examples.source.path={tmp_path / 'some.csv'}"
    found = segments(tmp_path, monkeypatch, "--set", path)
    assert found["metrics"]["silhouette"]["low"] > found["baseline"]["metrics"]["silhouette"] > 0
    assert len(found["table"]) > 2


@pytest.mark.nightly
def test_segments_in_full(tmp_path, monkeypatch) -> None:
    found = segments(tmp_path, monkeypatch)
    assert found["metrics"]["silhouette"]["low"] <= 0.436 <= found["metrics"]["silhouette"]["high"]
    assert found["metrics"]["silhouette"]["low"] > found["baseline"]["metrics"]["silhouette"] + 0.2
    assert found["metrics"]["stability"]["value"] >= 0.95 and len(found["table"]) == 6
