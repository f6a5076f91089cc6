"""What is found in tiles counts for their photograph: held against a loop over boxes, and against whole images."""

import tracemalloc

import numpy as np
import polars as pl
import pytest

from kilnworks.components.judging.detection.average_precision import Matched
from kilnworks.components.judging.detection.described import described
from kilnworks.components.judging.detection.overlaps import kept
from kilnworks.components.judging.detection.tiles import photograph, with_places
from kilnworks.components.sources.boxes.tiles import Tiles, boxes_in
from kilnworks.components.tasks.detection.cells import boxes_of
from kilnworks.schemas.boxes import Box, written
from kilnworks.schemas.contract import Label

SIZES = {"a": (210, 260), "b": (100, 130)}
TILES = Tiles(side=100, overlap=40)


def scene(seed: int, noise: float):
    """Photographs with boxes; of each tile the true boxes and what a noisy detector answers to what it sees."""
    rng = np.random.default_rng(seed)
    names = ["cat", "dog"]
    photos, truth, keys = {}, [], []
    answers = {"boxes": [], "scores": [], "labels": [], "count": []}
    for photo, (high, wide) in SIZES.items():
        photos[photo] = []
        for y in range(5, high - 30, 33):
            for x in range(3, wide - 30, 33):
                size = rng.integers(8, 30, 2)
                photos[photo].append(
                    Box(names[rng.integers(2)], y / high, x / wide, (y + size[0]) / high, (x + size[1]) / wide)
                )
        for tile in TILES.of(photo, high, wide):
            keys.append(str(tile))
            own = boxes_in(tile, photos[photo], high, wide)
            rows, told = np.full((40, 5), -1.0), np.zeros((60, 6))
            for i, box in enumerate(own):
                rows[i] = (*box[1:], names.index(box.name))
            said = [(*(np.array(box[1:]) + noise * rng.normal(size=4)), names.index(box.name), 0.5 + 0.5 * rng.random())
                    for box in own if noise == 0 or rng.random() < 0.8]  # fmt: skip
            for _ in range(3 if noise else 0):
                corner = rng.random(2) * 0.7
                said.append((*corner, *(corner + 0.2), rng.integers(2), rng.random()))
            said.sort(key=lambda one: -one[5])
            told[: len(said)] = said
            truth.append(rows)
            for name, values in zip(answers, (told[:, :4], told[:, 5], told[:, 4], len(said)), strict=True):
                answers[name].append(values)
    return photos, np.array(truth), keys, {name: np.array(values) for name, values in answers.items()}


def by_hand(keys, answers):
    """Of each photograph the boxes (in pixels, class, score) that stay, box by box."""
    parts = {}
    for key in keys:
        photo, _, place = key.partition("#xywh=")
        parts.setdefault(photo, []).append(tuple(map(int, place.split(","))))
    found = {photo: [] for photo in parts}
    for row, key in enumerate(keys):
        photo, _, place = key.partition("#xywh=")
        x, y, w, h = map(int, place.split(","))
        for i in range(answers["count"][row]):
            top, left, bottom, right = answers["boxes"][row][i] * (h, w, h, w) + (y, x, y, x)
            middle_x, middle_y, asked = (left + right) / 2, (top + bottom) / 2, True
            for a, b, c, d in parts[photo]:  # the neighbours; only the nearest one on each side counts
                if b == y and a < x < a + c and not any(a < e < x and f == y for e, f, _, _ in parts[photo]):
                    asked &= not (left <= x + 2 and middle_x < (x + a + c) / 2)
                if b == y and x < a < x + w and not any(x < e < a and f == y for e, f, _, _ in parts[photo]):
                    asked &= not (right >= x + w - 2 and middle_x >= (a + x + w) / 2)
                if a == x and b < y < b + d and not any(b < f < y and e == x for e, f, _, _ in parts[photo]):
                    asked &= not (top <= y + 2 and middle_y < (y + b + d) / 2)
                if a == x and y < b < y + h and not any(y < f < b and e == x for e, f, _, _ in parts[photo]):
                    asked &= not (bottom >= y + h - 2 and middle_y >= (b + y + h) / 2)
            if asked:
                found[photo].append(((top, left, bottom, right), answers["labels"][row][i], answers["scores"][row][i]))
    return {photo: loop(boxes) for photo, boxes in found.items()}


def loop(boxes):
    """Suppression of what overlaps by more than half, pair by pair."""
    stay = []
    for box, label, score in sorted(boxes, key=lambda one: -one[2]):
        for other, number, _ in stay:
            high = min(box[2], other[2]) - max(box[0], other[0])
            wide = min(box[3], other[3]) - max(box[1], other[1])
            both = max(0.0, high) * max(0.0, wide)
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
            if number == label and both / (sum(areas) - both) > 0.5:
                break
        else:
            stay.append((box, label, score))
    return stay


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_whole_photographs(seed):
    photos, truth, keys, answers = scene(seed, 0.01)
    stay = by_hand(keys, answers)
    names = ["cat", "dog"]
    most = max(len(one) for one in stay.values())
    whole = {"boxes": np.zeros((2, most, 4)), "scores": np.zeros((2, most)), "labels": np.zeros((2, most))}
    whole["count"] = np.array([len(one) for one in stay.values()])
    real = np.full((2, 100, 5), -1.0)
    for i, (photo, (high, wide)) in enumerate(SIZES.items()):
        for g, box in enumerate(photos[photo]):
            real[i, g] = (box.top * high, box.left * wide, box.bottom * high, box.right * wide, names.index(box.name))
        for d, (box, label, score) in enumerate(stay[photo]):
            whole["boxes"][i, d], whole["labels"][i, d], whole["scores"][i, d] = box, label, score
    tiled = Matched.of(with_places(truth, keys), answers, 2)
    assert tiled.metrics() == pytest.approx(Matched.of(real, whole, 2).metrics(), abs=1e-12)
    assert tiled.truths.shape == (len(keys), 2)  # drawn again by tile
    assert tiled.truths.sum() == sum(map(len, photos.values()))
    found = described(with_places(truth, keys), answers, names)
    assert sum(one["rows"] for one in found["by_class"]) == tiled.truths.sum()


def test_photographs_are_told_apart_though_their_tiles_are_read_in_parts():
    """As the models of two runs are compared: shard by shard, where the tiles of a photograph lie in several."""
    _, truth, keys, answers = scene(4, 0.01)
    parts = [slice(0, 5), slice(5, 13), slice(13, None)]
    joined = np.concatenate([with_places(truth[part], keys[part]) for part in parts])
    assert Matched.of(joined, answers, 2).metrics() == Matched.of(with_places(truth, keys), answers, 2).metrics()


def test_a_box_in_the_middle_of_what_two_tiles_see_counts_once():
    """As evaluation reads it: in shares of six digits, of single precision."""
    tiles, border = Tiles(side=307, overlap=57), (250 + 307) / 2
    for high, wide in ((307, 557), (557, 307)):
        corners = [
            (place, border - size / 2, size) if wide > high else (border - size / 2, place, size)
            for size in range(4, 40)
            for place in range(0, 260, 13)
        ]
        boxes = [Box("cat", y / high, x / wide, (y + size) / high, (x + size) / wide) for y, x, size in corners]
        parts = tiles.of("a", high, wide)
        cells = pl.Series([written(boxes_in(tile, boxes, high, wide)) for tile in parts])
        truth, bad = boxes_of(Label(name="boxes", dtype="boxes", boxes=len(boxes), classes=("cat",)), cells)
        none = {"boxes": np.zeros((2, 1, 4)), "scores": np.zeros((2, 1)), "labels": np.zeros((2, 1)), "count": [0, 0]}
        assert len(parts) == 2 and not bad.any()
        assert Matched.of(with_places(truth, list(map(str, parts))), none, 1).truths.sum() == len(boxes)


def test_many_boxes_need_little_memory():
    rng = np.random.default_rng(1)
    corner = rng.random((1_500, 2)) * 2_000
    boxes, scores = np.concatenate([corner, corner + rng.uniform(10, 40, (1_500, 2))], 1), rng.random(1_500)
    tracemalloc.start()
    stay = kept(boxes, scores, np.zeros(1_500), 0.5)
    assert tracemalloc.get_traced_memory()[1] < 3e6  # all pairs at once: 18e6, and several times that
    tracemalloc.stop()
    few = np.argsort(corner[:, 0])[:200]
    right = loop([(tuple(boxes[i]), 0, scores[i]) for i in few])
    assert [tuple(boxes[few[i]]) for i in kept(boxes[few], scores[few], np.zeros(200), 0.5)] == [b for b, *_ in right]
    assert 1_000 < len(stay) < 1_500


def test_what_is_seen_beyond_a_small_photograph_is_not_told():
    tiles = Tiles(side=100).of("a", 60, 50)
    boxes = np.array([[[0.1, 0.1, 0.3, 0.3], [0.7, 0.1, 0.9, 0.3], [0.5, 0.1, 0.7, 0.3]]])
    answers = {"boxes": boxes, "scores": np.array([[0.9, 0.8, 0.7]]), "classes": np.array([[b"cat"] * 3], object)}
    found = photograph({**answers, "count": np.array([3])}, tiles, (60, 50), 0.5)
    assert found["count"].tolist() == [2] and found["scores"][0].tolist() == [0.9, 0.7]
    np.testing.assert_allclose(found["boxes"][0][1], [50 / 60, 0.2, 1, 0.6])


@pytest.mark.parametrize("photo", list(SIZES))
def test_a_photograph_is_answered_once(photo):
    _, _, keys, answers = scene(5, 0.01)
    own = [i for i, key in enumerate(keys) if key.startswith(photo)]
    high, wide = SIZES[photo]
    served = {name: answers[name][own] for name in ("boxes", "scores", "count")}
    served["classes"] = np.array([b"cat", b"dog"], object)[answers["labels"][own].astype(int)]
    found = photograph(served, TILES.of(photo, high, wide), (high, wide), 0.5)
    right = by_hand([keys[i] for i in own], {name: values[own] for name, values in answers.items()})[photo]
    assert found["count"].tolist() == [len(right)]
    assert [{b"cat": 0, b"dog": 1}[c] for c in found["classes"][0]] == [label for _, label, _ in right]
    np.testing.assert_allclose(found["scores"][0], [score for *_, score in right])
    size = np.array([high, wide] * 2)
    np.testing.assert_allclose(found["boxes"][0] * size, np.clip([box for box, *_ in right], 0, size), atol=1e-9)


def test_who_sees_all_is_right_and_nothing_counts_twice():
    photos, truth, keys, answers = scene(1, 0.0)
    perfect = Matched.of(with_places(truth, keys), answers, 2)
    assert perfect.metrics() == {"map50": 1.0, "map": 1.0, "recall50": 1.0}
    assert len(perfect.score) == perfect.truths.sum() == sum(map(len, photos.values()))
    alone = Matched.of(truth, answers, 2)
    assert alone.truths.sum() > perfect.truths.sum()


def test_rows_that_are_no_tiles_are_left_alone():
    truth = np.zeros((2, 3, 5))
    assert with_places(truth, ["a.png", "b.png"]) is truth
    assert with_places(truth, ["a.png#xywh=0,0,9,9", "b.png"]) is truth
    assert with_places(truth, [1, 2]) is truth
    assert with_places(truth, ["a.png#xywh=0,0,9,9", "a.png#xywh=4,0,9,9"]).shape == (2, 3, 10)


def test_suppression_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    corner = rng.random((60, 2))
    boxes, scores, labels = np.concatenate([corner, corner + 0.3], 1), rng.random(60), rng.integers(0, 2, 60)
    right = [(tuple(b), n, s) for b, n, s in zip(boxes, labels, scores, strict=True)]
    stay = kept(boxes, scores, labels, 0.5)
    assert [(tuple(boxes[i]), labels[i], scores[i]) for i in stay] == loop(right)
    assert 10 < len(stay) < 60
