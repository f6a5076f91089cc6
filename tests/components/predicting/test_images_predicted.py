"""Images are asked about by folder, by archive or alone, and answered behind their names."""

import shutil
import tempfile

import numpy as np
import pytest
from PIL import Image

from kilnworks.components.predicting.champion import predictions
from kilnworks.schemas.contract import Contract

CONTRACT = Contract.model_validate(
    {
        "name": "shades",
        "features": {"image": {"dtype": "image", "shape": [4, 4, 1], "min": 0, "max": 255}},
        "label": {"name": "bright", "dtype": "float"},
    }
)
SHADES = {"a.png": 10, "more/b.png": 200, "more/c.png": 90}


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of grey images, each of one shade; scratch files go into an empty folder."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    folder = tmp_path / "photos"
    for name, shade in SHADES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), shade, np.uint8)).save(folder / name)
    return folder


def mean_of(inputs):
    """A model that answers with the mean of the pixels."""
    return {"score": np.asarray(inputs["image"], np.float64).mean(axis=(1, 2, 3))[:, None]}


@pytest.mark.parametrize("kind", ["folder", "zip", "gztar"])
def test_a_folder_and_an_archive_of_it_have_the_same_answers(tmp_path, photos, kind) -> None:
    asked = photos if kind == "folder" else tmp_path / shutil.make_archive(str(tmp_path / "sent"), kind, photos)
    (answers,) = predictions(asked, CONTRACT, mean_of)
    assert dict(answers.select("file", "value").iter_rows()) == SHADES
    assert not list((tmp_path / "scratch").iterdir()), "what was unpacked is gone"


def test_one_image_is_asked_about_by_its_name(photos) -> None:
    (answers,) = predictions(photos / "more/b.png", CONTRACT, mean_of)
    assert answers.rows() == [("b.png", 200.0)]
