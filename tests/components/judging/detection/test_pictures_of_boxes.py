"""Which images a reader sees: the best, the median and the worst ones, however few there are."""

import numpy as np
import pytest

from kilnworks.components.judging.detection.drawn import chosen


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
