"""Large photographs are asked about tile by tile and answered whole, by a model that looks for bright squares."""

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.components.predicting.champion import predictions
from kilnworks.components.sources import BoxesSource
from kilnworks.components.sources.boxes.tiles import Tiles
from kilnworks.schemas.contract import Contract

SIDE = 64
CONTRACT = Contract.model_validate(
    {
        "name": "field",
        "key": "file",
        "features": {"image": {"dtype": "image", "shape": [SIDE, SIDE, 3], "min": 0, "max": 255}},
        "label": {"name": "boxes", "dtype": "boxes", "boxes": 40, "classes": ["square"]},
    }
)
SQUARES = {
    "a.png": [(3, 5, 17, 15), (50, 40, 66, 58), (90, 100, 105, 118), (30, 100, 44, 112), (120, 140, 130, 150)],
    "small.png": [(10, 12, 25, 30)],
    "none.png": [],
}
"""Top, left, bottom, right in pixels; some lie where tiles end."""
SIZES = {"a.png": (130, 150), "small.png": (40, 50), "none.png": (90, 64)}


def look(inputs):
    """Every bright square of each tile, cut ones as they are seen, the same one never twice as sure."""
    from scipy.ndimage import find_objects, label

    images = np.asarray(inputs["image"])
    assert images.shape[1:] == (SIDE, SIDE, 3) and len(images) <= 16
    answers = {"boxes": np.zeros((len(images), 20, 4)), "scores": np.zeros((len(images), 20))}
    answers |= {"classes": np.full((len(images), 20), b"", object), "count": np.zeros(len(images), np.int32)}
    for i, image in enumerate(images):
        found = find_objects(label(image[..., 0] > 200)[0])
        for d, (rows, columns) in enumerate(found):
            answers["boxes"][i, d] = np.array([rows.start, columns.start, rows.stop, columns.stop]) / SIDE
            answers["scores"][i, d] = 0.9 - 0.01 * d - 0.003 * i
            answers["classes"][i, d] = b"square"
        answers["count"][i] = len(found)
    return answers


@pytest.mark.parametrize("overlap", [20, 32])
def test_every_square_is_told_once_in_shares_of_its_photograph(tmp_path, overlap):
    for name, (high, wide) in SIZES.items():
        pixels = np.random.default_rng(0).integers(0, 100, (high, wide, 3)).astype(np.uint8)
        for top, left, bottom, right in SQUARES[name]:
            pixels[top:bottom, left:right] = 240
        Image.fromarray(pixels).save(tmp_path / name)
    like = BoxesSource(path="boxes.csv", tiles=Tiles(side=SIDE, overlap=overlap))
    table = pl.concat(predictions(tmp_path, CONTRACT, look, like))
    assert table.columns == ["file", "count", "boxes"]
    assert table["file"].to_list() == sorted(SQUARES)
    for name, count, text in table.rows():
        high, wide = SIZES[name]
        told = [[one[side] for side in ("top", "left", "bottom", "right")] for one in json.loads(text)]
        size = np.array([high, wide, high, wide])
        found = sorted(tuple(np.round(np.array(box) * size).astype(int).tolist()) for box in told)
        assert found == sorted(SQUARES[name]) and count == len(found)
    alone = pl.concat(predictions(tmp_path / "a.png", CONTRACT, look, like))
    assert alone.rows() == table.filter(pl.col("file") == "a.png").rows()
