"""Which images a reader sees: the best, the median and the worst ones, however few; and that their words are read."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from kilnworks.components.judging.detection.drawn import WRONG, chosen, drawn


def white(url: str) -> np.ndarray:
    """Where a picture of this URL is white, [H, W]."""
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2])))
    return (np.asarray(picture.convert("RGB")) > 220).all(-1)


@pytest.mark.parametrize("place", [(0, 0), (0, 0.97), (0.97, 0.97), (0.97, 0)])
@pytest.mark.parametrize("shape", [(64, 64, 1), (400, 300, 3)])
def test_the_name_of_a_class_is_large_and_whole_at_every_edge(shape, place) -> None:
    dark = np.zeros(shape)
    edge = white(drawn(dark, [(np.array([*place, 1, 1]), WRONG, "Hill")]))
    centre = white(drawn(dark, [(np.array([0.5, 0.3, 0.9, 0.9]), WRONG, "Hill")]))
    rows = np.flatnonzero(edge.any(1))
    assert np.ptp(rows) >= 14 and not white(drawn(dark, [(np.array([*place, 1, 1]), WRONG, "")])).any()
    assert edge.sum() == pytest.approx(centre.sum(), rel=0.15)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8, 9, 10, 200])
def test_each_image_is_shown_once_and_by_its_place(count) -> None:
    quality = np.random.default_rng(count).permutation(count) / max(1, count)
    found = chosen(quality)
    rows = [row for _, row in found]
    assert len(set(rows)) == len(rows) == min(count, 9)
    of = {name: [quality[row] for group, row in found if group == name] for name in ("best", "median", "worst")}
    assert of["best"] == sorted(quality)[::-1][: len(of["best"])]
    assert of["worst"] == sorted(quality)[: len(of["worst"])]
    if count >= 3:
        assert min(map(len, of.values())) >= 1
        assert min(of["best"]) > max(of["median"]) and min(of["median"]) > max(of["worst"])
    if count == 200:
        assert of["median"] == [quality[i] for i in np.argsort(-quality)[99:102]]
