"""mAP is held against the evaluation of COCO in C++, which knows nothing of ours."""

import numpy as np
import pytest

from kilnworks.components.judging.detection.average_precision import Matched, hits
from kilnworks.components.judging.detection.described import baseline, best_cut, described
from kilnworks.components.judging.detection.intervals import intervals
from kilnworks.components.judging.detection.overlaps import iou


def random_boxes(seed, images=12, classes=3, ties=False):
    """Truth [N, G, 5] and answers; with ties, scores of few values and boxes on a coarse grid."""
    rng = np.random.default_rng(seed)
    most, said = 6, 9
    truth = np.full((images, most, 5), -1.0)
    answers = {
        "boxes": np.zeros((images, said, 4)),
        "scores": np.zeros((images, said)),
        "labels": np.zeros((images, said)),
        "count": np.zeros(images, int),
    }
    for i in range(images):
        count = rng.integers(0, most + 1)
        for g in range(count):
            top, left = rng.integers(0, 6, 2) / 8
            truth[i, g] = (
                top,
                left,
                top + rng.integers(1, 3) / 8,
                left + rng.integers(1, 3) / 8,
                rng.integers(classes),
            )
        found = int(rng.integers(0, said + 1))
        scores = rng.random(found) if not ties else rng.integers(1, 4, found) / 4
        for d, score in enumerate(np.sort(scores)[::-1]):
            if count and rng.random() < 0.7:
                box = truth[i, rng.integers(count)].copy()
                box[:4] += rng.normal(0, 0.01, 4) if not ties else rng.integers(-1, 2, 4) / 64
            else:
                top, left = rng.random(2) * 0.7
                box = np.array([top, left, top + 0.2, left + 0.2, rng.integers(classes)])
            answers["boxes"][i, d], answers["labels"][i, d] = box[:4], box[4]
            answers["scores"][i, d] = score
        answers["count"][i] = found
    return truth, answers


def by_coco(truth, answers, classes):
    """(mAP50:95, mAP50) as ``faster_coco_eval`` says."""
    eval_of = pytest.importorskip("faster_coco_eval")
    annotations, found = [], []
    for i, rows in enumerate(truth):
        for top, left, bottom, right, number in rows[rows[:, 4] >= 0]:
            box = [left, top, right - left, bottom - top]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": i, "category_id": int(number), "bbox": box,
                 "area": box[2] * box[3], "iscrowd": 0}
            )  # fmt: skip
        for d in range(answers["count"][i]):
            top, left, bottom, right = answers["boxes"][i, d]
            found.append(
                {"image_id": i, "category_id": int(answers["labels"][i, d]), "score": float(answers["scores"][i, d]),
                 "bbox": [left, top, right - left, bottom - top]}
            )  # fmt: skip
    said = {"images": [{"id": i} for i in range(len(truth))], "annotations": annotations,
            "categories": [{"id": k, "name": str(k)} for k in range(classes)]}  # fmt: skip
    real = eval_of.COCO(said)
    judge = eval_of.COCOeval_faster(real, real.loadRes(found), iouType="bbox", extra_calc=False, print_function=str)
    judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
    judge.evaluate()
    judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, -1]  # thresholds, recalls, classes
    known = precision[:, 0, :] > -1
    return float(precision.mean(axis=1)[known].mean()), float(precision[0].mean(axis=0)[known[0]].mean())


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_map_is_that_of_coco(seed, ties):
    truth, answers = random_boxes(seed, ties=ties)
    ours = Matched.of(truth, answers, 3).metrics()
    theirs = by_coco(truth, answers, 3)
    assert (ours["map"], ours["map50"]) == pytest.approx(theirs, abs=1e-9)
    assert 0.05 < ours["map50"] < 0.95


def test_iou_is_that_of_counted_cells():
    rng = np.random.default_rng(0)
    grid = np.zeros((2, 20, 20), bool)
    for _ in range(30):
        boxes = [np.sort(rng.integers(0, 21, (2, 2)), axis=0).ravel() for _ in range(2)]
        grid[:] = False
        for one, (top, left, bottom, right) in zip(grid, boxes, strict=True):
            one[top:bottom, left:right] = True
        either = (grid[0] | grid[1]).sum()
        wanted = (grid[0] & grid[1]).sum() / either if either else 0.0
        assert iou(np.array(boxes[:1]), np.array(boxes[1:]))[0, 0] == pytest.approx(wanted)


def test_a_true_box_is_taken_once_by_the_surest():
    overlap = np.array([[0.6, 0.0], [0.9, 0.55]])
    assert hits(overlap, (0.5, 0.58)).tolist() == [[0, 1], [0, -1]]


def test_perfect_answers_and_none():
    truth, _ = random_boxes(3)
    truth = truth[:4]
    exact = {
        "boxes": truth[..., :4],
        "scores": np.ones(truth.shape[:2]),
        "labels": truth[..., 4],
        "count": (truth[..., 4] >= 0).sum(axis=1),
    }
    assert Matched.of(truth, exact, 3).metrics() == {"map50": 1.0, "map": 1.0, "recall50": 1.0}
    silent = {**exact, "count": np.zeros(4, int)}
    assert Matched.of(truth, silent, 3).metrics() == {"map50": 0.0, "map": 0.0, "recall50": 0.0}
    nothing = Matched.of(np.full((2, 3, 5), -1.0), {n: v[:2] for n, v in silent.items()}, 3)
    assert all(np.isnan(value) for value in nothing.metrics().values())
    assert intervals(nothing, 100, 0)["map50"].reason == "no image has a box"


def test_weights_are_images_that_are_there_more_than_once():
    truth, answers = random_boxes(1)
    matched = Matched.of(truth, answers, 3)
    rows = np.array([0, 0, 3, 5, 5, 5, 7, 8, 9, 10, 11, 11])
    again = Matched.of(truth[rows], {name: values[rows] for name, values in answers.items()}, 3).metrics()
    assert matched.metrics(np.bincount(rows, minlength=12).astype(float)) == pytest.approx(again)


def test_intervals_hold_the_value_and_depend_on_the_seed_alone():
    truth, answers = random_boxes(2, images=30)
    matched = Matched.of(truth, answers, 3)
    one, same = intervals(matched, 100, 5), intervals(matched, 100, 5)
    assert one == same
    assert all(i.low <= i.value <= i.high and i.high - i.low > 0.02 for i in one.values())


def test_the_cut_has_the_largest_f1():
    truth, answers = random_boxes(4, ties=True)
    matched = Matched.of(truth, answers, 3)
    total, tried = int(matched.truths.sum()), {}
    for score in np.unique(matched.score):
        said = matched.score >= score
        tried[float(score)] = 2 * int((matched.right[0] & said).sum()) / (int(said.sum()) + total)
    cut = best_cut(matched)
    assert cut["f1"] == pytest.approx(max(tried.values()))
    assert tried[cut["score"]] == pytest.approx(cut["f1"])


def test_what_is_described_is_json_and_the_baseline_is_worse():
    truth, answers = random_boxes(5)
    found = described(truth, answers, ["a", "b", "c"])
    assert [row["rows"] for row in found["by_class"]] == np.bincount(
        truth[truth[..., 4] >= 0][:, 4].astype(int), minlength=3
    ).tolist()
    assert found["baseline"]["metrics"]["map50"] < Matched.of(truth, answers, 3).metrics()["map50"]
    assert baseline(np.full((2, 3, 5), -1.0), 3)["metrics"] == {}
    silent = described(truth, {**answers, "labels": np.zeros_like(answers["labels"])}, ["a", "b", "c"])
    assert list(silent["curves"]["precision_recall"]) == ["a"], "of a class that is never said there is nothing to draw"
    assert silent["by_class"][1]["recall"] == 0 and silent["by_class"][1]["precision"] is None
