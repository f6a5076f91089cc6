"""Transfer learning from pictures to a served answer: on a network of one's own, and the pipeline ``groceries``."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.pipelines.cli.app import main

pytestmark = pytest.mark.e2e

DATA = Path(__file__).parents[2] / "data"
FETCHED = all((DATA / name).is_file() for name in ("groceries.parquet", "mobilenet_v2.pth"))
COLOURS = {"green": (40, 160, 60), "red": (190, 40, 40), "blue": (40, 60, 190)}
DEFINITION = """
from pathlib import Path

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.modeling.images.augmentation import Augmentation
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.sources import ImageFolderSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.pipelines.core.graph import Champion
from kilnworks.schemas.code import Bytes
from kilnworks.schemas.contract import Contract

ROOT = Path(__file__).parents[1]
CONTRACT = {
    "name": "balls", "key": "file",
    "features": {"image": {"dtype": "image", "shape": [40, 32, 3], "min": 0, "max": 255}},
    "label": {"name": "label", "dtype": "string", "classes": ["blue", "green", "red"]},
}
EXAMPLES = IngestConfig(
    contract=Contract.model_validate(CONTRACT), source=ImageFolderSource(path=str(ROOT / "balls"), label="label")
)
"""
BALLS = """
MIXED = Augmentation(flip="horizontal", rotation=0, contrast=0, erasing=0.2, rate=0.5, mixup=0.1, cutmix=1)
BALLS = supervised(
    "balls", EXAMPLES,
    TrainConfig(
        model=Transfer(base="own", weights=Bytes(path=str(ROOT / "seen.keras")), fine_tune=1, augmentation=MIXED),
        epochs=10, batch=8, optimizer=Adam(learning_rate=0.02), early_stopping=None,
    ),
    evaluation=EvaluateConfig(min={"accuracy": 0.9}, simple_rows=0),
)
"""
AGAIN = """
AGAIN = supervised(
    "again", EXAMPLES,
    TrainConfig(model=Transfer(base="own", fine_tune=1), epochs=3, batch=16, optimizer=Adam(learning_rate=0.02)),
    evaluation=EvaluateConfig(min={"accuracy": 0.6}, simple_rows=0),
    base=Champion("balls", "model"),
)
"""


def ball(colour: tuple[int, int, int], draw: np.random.Generator) -> Image.Image:
    """A disc somewhere on noise."""
    pixels = draw.integers(0, 60, (40, 32, 3))
    y, x = np.mgrid[:40, :32]
    inside = (y - draw.integers(10, 30)) ** 2 + (x - draw.integers(8, 24)) ** 2 < draw.integers(36, 90)
    pixels[inside] = colour
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with 150 pictures and a network that has seen nothing but noise."""
    import keras

    folder, draw = tmp_path_factory.mktemp("balls"), np.random.default_rng(0)
    for place, count in (("balls", 50), ("fresh", 6)):
        for name, colour in COLOURS.items():
            (folder / place / name).mkdir(parents=True)
            for i in range(count):
                ball(colour, draw).save(folder / place / name / f"{i:02d}.png")
    keras.utils.set_random_seed(1)
    image = keras.Input((40, 32, 3), name="picture")
    large = {"strides": 2, "activation": "relu", "kernel_initializer": keras.initializers.VarianceScaling(20.0)}
    x = keras.layers.Conv2D(16, 3, **large)(image)
    x = keras.layers.Conv2D(24, 3, **large)(keras.layers.BatchNormalization()(x))
    keras.Model(image, x).save(folder / "seen.keras")
    for name in ("pipelines", "schemas/contracts"):
        (folder / name).mkdir(parents=True)
    (folder / "pipelines/balls.py").write_text(DEFINITION + BALLS)
    (folder / "pipelines/again.py").write_text(DEFINITION + AGAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_ROOT", str(folder))
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        patch.chdir(folder)
        assert main(["run", "balls", "--run-id", "one"]) == 0
        yield folder


def test_the_served_model_takes_pictures_as_they_are(project) -> None:
    assert main(["predict", "balls", str(project / "fresh"), "--output", str(project / "answers.csv")]) == 0
    found = pl.read_csv(project / "answers.csv")
    truth = [name for name in sorted(COLOURS) for _ in range(6)]
    assert found.height == 18 and (found["class"] == pl.Series(truth)).mean() >= 0.9
    servable = json.loads((project / "store/runs/balls/one/servable/servable.json").read_text())
    image = servable["signatures"]["serving_default"]["inputs"]["image"]
    assert (image["dtype"], image["shape"]) == ("uint8", [-1, 40, 32, 3])


def test_the_report_shows_where_it_looks_and_what_it_saw(project) -> None:
    page = (project / "store/runs/balls/one/report.html").read_text()
    assert "Where the model looks" in page and page.count("data:image/png") >= 24
    for name in ("together 1", "erasing", "mixup", "cutmix"):
        assert f"<th>{name}</th>" in page
    history = (project / "store/runs/balls/one/model/history.csv").read_text()
    assert "head" in history and "fine_tune" in history


def test_a_live_model_is_the_base_of_another(project) -> None:
    assert main(["run", "again", "--run-id", "one"]) == 0
    said = json.loads((project / "store/runs/again/one/model/training.json").read_text())
    assert said["transfer"]["weights"] == "finetune"
    manifest = json.loads((project / "store/runs/again/one/model/manifest.json").read_text())
    assert manifest["inputs"]["base"]["pipeline"] == "balls"


def test_without_its_files_the_example_says_how_to_fetch_them(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    path = str(tmp_path / "data/groceries.parquet")
    assert main(["run", "groceries", "--set", f"examples.source.path={path}"]) != 0
    said = capsys.readouterr()
    assert f"run: python {tmp_path / 'data/make_groceries.py'}" in said.out + said.err


@pytest.mark.nightly
@pytest.mark.timeout(1800)  # two trainings, ten minutes of the processor together
@pytest.mark.skipif(not FETCHED, reason="no photographs and weights in data/: python data/make_groceries.py")
def test_the_example_reaches_its_line_frozen_and_with_fine_tuning(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    found: dict[str, float] = {}
    for name, more in {"frozen": ["--set", "model.model.fine_tune=0"], "tuned": []}.items():
        assert main(["run", "groceries", "--run-id", name, *more]) == 0
        place = tmp_path / f"store/runs/groceries/{name}/evaluation/evaluation.json"
        found[name] = json.loads(place.read_text())["metrics"]["accuracy"]["value"]
    assert found["tuned"] > found["frozen"] >= 0.82, found
