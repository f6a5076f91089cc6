"""Rows with any number of classes, from a CSV to an answer over gRPC and REST, and to a file of predictions."""

import csv
import json
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.sources import CsvSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.contract import parse_contract
from tests.served import served

pytestmark = pytest.mark.e2e

CONTRACT = parse_contract("""
name: films
features:
  chases: {dtype: float}
  jokes: {dtype: float}
  ghosts: {dtype: float}
label: {name: genres, dtype: string, classes: [action, comedy, horror], many: true, separator: "|"}
""")
RULES = {"action": "chases", "comedy": "jokes", "horror": "ghosts"}


def write(path: Path, rows: int) -> pl.DataFrame:
    """A film has a genre where its number is above 0, but for one in fifty."""
    random = np.random.default_rng(0)
    frame = pl.DataFrame({name: random.normal(size=rows).astype(np.float32) for name in RULES.values()})
    truth = {genre: (frame[name] > 0).to_numpy() ^ (random.random(rows) < 0.02) for genre, name in RULES.items()}
    cells = ["|".join(random.permutation([g for g in RULES if truth[g][i]])) for i in range(rows)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*frame.columns, "genres"])
        writer.writerows([*row, cell] for row, cell in zip(frame.iter_rows(), cells, strict=True))
    return frame


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    write(folder / "films.csv", 1500)
    pipeline = supervised(
        "films",
        IngestConfig(contract=CONTRACT, source=CsvSource(path=str(folder / "films.csv"))),
        TrainConfig(model=Mlp(units=(16,)), epochs=12, batch=32, monitor="val_f1"),
        evaluation=EvaluateConfig(min={"micro_f1": 0.85}, resamples=200),
    )
    run = Store(folder / "store").run("films", "one")
    run.begin("test", {})
    run_all(pipeline, run)
    return run


def test_the_evaluation_beats_the_baseline_and_has_pictures(run) -> None:
    from kilnworks.components.tasks.multilabel import Multilabel

    found = json.loads((run.step_path("evaluation") / "evaluation.json").read_text())
    assert found["task"] == "multilabel"
    assert found["metrics"]["micro_f1"]["value"] > 0.9
    assert found["metrics"]["hamming_loss"]["value"] < 0.1 < found["baseline"]["metrics"]["hamming_loss"]
    drawn = dict(Multilabel.pictures(found))
    assert {"roc", "precision_recall", "calibration", "thresholds"} <= set(drawn)
    servable = json.loads((run.step_path("servable") / "servable.json").read_text())
    assert servable["skew"]["max_difference"] < 1e-5
    assert set(servable["signatures"]) == {"serving_default", "serve_tf_example", "classify"}


def test_validation_names_a_class_that_is_none_and_the_profile_counts_each(run) -> None:
    from kilnworks.components.quality.rows.row_rules import broken_rows

    rows = pl.DataFrame(
        {"chases": [1.0, 1.0], "jokes": [1.0, 1.0], "ghosts": [1.0, 1.0], "genres": ["action", "opera"]}
    )
    (broken,) = broken_rows(CONTRACT, rows)
    assert (broken.column, broken.rows.to_list()) == ("genres", [1])
    profile = json.loads((run.step_path("checked") / "profile.json").read_text())
    classes = profile["splits"]["train"]["features"]["genres"]["classes"] if "splits" in profile else None
    classes = classes or profile["train"]["features"]["genres"]["classes"]
    assert [c["value"] for c in classes] == ["action", "comedy", "horror"]
    assert all(0.4 < c["share"] < 0.6 for c in classes)


def test_the_server_answers_over_grpc_and_rest(run) -> None:
    from kilnworks.components.serving.client import Client

    base = json.loads((run.step_path("deployment") / "deployment.json").read_text())["path"]
    flags = ["--model_name=films", f"--model_base_path={Path(base).parent}"]
    rows = {"chases": [3.0, -3.0, 3.0], "jokes": [3.0, -3.0, -3.0], "ghosts": [-3.0, -3.0, -3.0]}
    with served(*flags) as announced:
        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            answer = client.predict("films", {n: np.array(v, np.float32) for n, v in rows.items()})
        assert answer.outputs["class"].tolist() == [b"action|comedy", b"", b"action"]
        assert answer.outputs["probabilities"].shape == (3, 3)
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/films"
        one = [{name: values[0] for name, values in rows.items()}]
        predicted = _post(f"{url}:predict", {"instances": one})["predictions"][0]
        assert predicted["class"] == "action|comedy"
        classified = dict(_post(f"{url}:classify", {"signature_name": "classify", "examples": one})["results"][0])
        assert set(classified) == {"action", "comedy", "horror"}
        assert classified["action"] == pytest.approx(predicted["probabilities"][0], abs=1e-6)


def _post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_predictions_of_a_file(run, tmp_path: Path) -> None:
    from kilnworks.components.predicting.champion import champion_contract, champion_task, in_process, predictions
    from kilnworks.schemas.champion import read_champion

    file = tmp_path / "new.csv"
    file.write_text("chases,jokes,ghosts\n3,3,-3\n-3,-3,-3\n")
    champion = read_champion(run.path.parents[2], "films")
    contract = champion_contract(champion)
    (found,) = predictions(file, contract, in_process(champion), None, champion_task(champion, contract))
    assert found["class"].to_list() == ["action|comedy", ""]
    assert found.columns == ["class", "probability_action", "probability_comedy", "probability_horror"]
