"""From images with boxes to boxes over gRPC and REST: ``new``, ``run``, ``predict``; and the pipeline ``scenes``."""

import json
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.champion import read_champion
from tests.components.sources.boxes.annotated import voc
from tests.served import served

pytestmark = pytest.mark.e2e

SMALLER = {"filters=(24, 48, 96, 96), pyramid=48": "filters=(8, 16, 16), pyramid=16", "epochs=150": "epochs=25"}
"""Written into the definition, so that the run is none of a trial."""


def discs(folder: Path, count: int, seed: int = 0, *, annotated: bool = True) -> None:
    """Images with up to four bright discs, and an XML file each; in every fifth one there is none."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    grid = np.mgrid[0:96, 0:96]
    for i in range(count):
        pixels, boxes = rng.integers(0, 60, (96, 96, 3)), []
        for _ in range(0 if i % 5 == 4 else int(rng.integers(1, 5))):
            radius = int(rng.integers(9, 14))
            y, x = rng.integers(radius, 96 - radius, 2)
            pixels[(grid[0] - y) ** 2 + (grid[1] - x) ** 2 <= radius**2] = (230, 200, 90)
            boxes.append(("disc", x - radius, y - radius, x + radius, y + radius))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:03}.png")
        if annotated:
            (folder / f"{i:03}.xml").write_text(voc(f"{i:03}.png", boxes, (96, 96)))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose discs were learned from 50 images, by the definition of ``new``."""
    folder = tmp_path_factory.mktemp("discs")
    discs(folder / "images", 50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_ROOT", str(folder))
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        assert main(["new", "discs", "--data", str(folder / "images")]) == 0
        place = folder / "pipelines/discs.py"
        text = place.read_text()
        for before, after in SMALLER.items():
            assert before in text
            text = text.replace(before, after)
        place.write_text(text)
        assert main(["run", "discs", "--run-id", "one"]) == 0
        yield folder


def test_the_definition_and_the_evaluation(project) -> None:
    written = (project / "pipelines/discs.py").read_text()
    assert "BoxesSource(" in written and "Detector(" in written and 'monitor="val_map50"' in written
    found = json.loads((project / "store/runs/discs/one/evaluation/evaluation.json").read_text())
    map50 = found["metrics"]["map50"]
    assert map50["low"] <= map50["value"] <= map50["high"] and map50["value"] > 0.5
    assert map50["value"] > found["baseline"]["metrics"]["map50"] + 0.2
    looks = json.loads((project / "store/runs/discs/one/evaluation/looks.json").read_text())
    assert {one["group"] for one in looks["drawn"]} <= {"best", "median", "worst"}
    servable = json.loads((project / "store/runs/discs/one/servable/servable.json").read_text())
    assert servable["keras"]["file"] == "standalone.keras" and not servable["keras"]["needs"]
    report = (project / "store/runs/discs/one/report.html").read_text()
    assert "What was found" in report and "mAP50" in report and "Precision and recall" in report


def test_boxes_are_predicted_for_other_images(project) -> None:
    discs(project / "fresh", 4, 1, annotated=False)
    assert main(["predict", "discs", str(project / "fresh"), "--output", str(project / "answers.csv")]) == 0
    found = pl.read_csv(project / "answers.csv")
    assert found.height == 4 and {"count", "boxes"} <= set(found.columns)
    for count, text in zip(found["count"], found["boxes"], strict=True):
        boxes = json.loads(text)
        assert len(boxes) == count
        assert all(one["class"] == "disc" and 0 <= one["top"] < one["bottom"] <= 1 for one in boxes)


def test_the_server_answers_as_keras_does(project) -> None:
    from kilnworks.components.learning.predict import predict
    from kilnworks.components.serving.client import Client
    from kilnworks.components.sources import BoxesSource, Wanted
    from kilnworks.components.sources.columns import contract_columns
    from kilnworks.schemas.artifacts import Model

    champion = read_champion(project / "store", "discs")
    model = Model(project / "store/runs/discs" / champion.run_id / "model")
    wanted = Wanted(contract_columns(model.contract))
    rows = pl.concat(BoxesSource(path=str(project / "images")).frames(wanted))[:6]
    keras = predict(model, rows)
    shape = model.contract.features["image"].shape
    images = rows["image"].to_numpy().reshape(-1, *shape)
    flags = ["--model_name=discs", f"--model_base_path={Path(champion.path).parent}"]
    with served(*flags) as announced:
        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            answer = client.predict("discs", {"image": images}).outputs
        assert set(answer) == {"boxes", "classes", "scores", "count"}
        np.testing.assert_array_equal(answer["count"], keras["count"])
        np.testing.assert_allclose(answer["scores"], keras["scores"], atol=1e-4)
        np.testing.assert_allclose(answer["boxes"], keras["boxes"], atol=1e-4)
        assert keras["count"].sum() > 0
        for row, count in enumerate(keras["count"]):
            assert set(answer["classes"][row, :count].tolist()) <= {b"disc"}
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/discs:predict"
        body = json.dumps({"instances": [{"image": images[0].tolist()}]}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as replied:
            one = json.loads(replied.read())["predictions"][0]
        assert one["count"] == keras["count"][0]
        np.testing.assert_allclose(one["boxes"], keras["boxes"][0], atol=1e-4)
        assert one["classes"][: one["count"]] == ["disc"] * one["count"]


def test_boxes_that_break_a_rule_stop_the_run(project, tmp_path, capsys) -> None:
    bad = tmp_path / "bad"
    discs(bad, 3, 2)
    (bad / "000.xml").write_text(voc("000.png", [("disc", 5, 5, 300, 20)], (96, 96)))
    (bad / "001.xml").write_text(voc("001.png", [("disc", 5, 5, 5, 20), ("cube", 5, 5, 9, 20)], (96, 96)))
    path = ["--set", f"examples.source.path={bad}", "--set", f"examples.source.folder={bad}"]
    assert main(["run", "discs", "--run-id", "bad", *path]) != 0
    told = capsys.readouterr().err
    for rule in ("has every box inside the image", "has no box without height or width", "has boxes of disc alone"):
        assert rule in told
    (bad / "002.png").unlink()
    assert main(["run", "discs", "--run-id", "gone", *path]) != 0
    assert "1 of 3 annotated images are not below" in capsys.readouterr().err


@pytest.mark.nightly
def test_scenes_in_full(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert main(["run", "scenes", "--run-id", "one"]) == 0
    found = json.loads((tmp_path / "store/runs/scenes/one/evaluation/evaluation.json").read_text())
    assert found["metrics"]["map50"]["value"] >= 0.9
    assert found["metrics"]["map50"]["low"] > found["baseline"]["metrics"]["map50"] + 0.5
