"""A detector is held against boxes that are put without looking, on the same images, drawn again together."""

import numpy as np
import pytest

from kilnworks.components.challenging.simple import checks, compared
from kilnworks.components.judging.detection.average_precision import Matched
from kilnworks.components.judging.detection.tiles import with_places
from kilnworks.components.judging.pictures import pictures
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.detection.task import Detection
from kilnworks.schemas.contract import Label
from tests.components.judging.detection.test_average_precision import random_boxes
from tests.components.judging.detection.test_tiles_put_together import scene

CLASSES = ("a", "b", "c")
SETTINGS = JudgeSettings()


def task(classes=CLASSES) -> Detection:
    return Detection(label=Label(name="boxes", dtype="boxes", boxes=6, classes=classes))


@pytest.mark.parametrize("name", ["map50", "map", "recall50"])
def test_rows_that_count_twice_are_rows_that_are_there_twice(name) -> None:
    truth, answers = random_boxes(3)
    rows = np.random.default_rng(0).integers(0, len(truth), len(truth))
    weighed = task().weighed(name, truth, answers)
    again = {key: values[rows] for key, values in answers.items()}
    right = Matched.of(truth[rows], again, 3).metrics()[name]
    assert weighed(np.bincount(rows, minlength=len(truth))) == pytest.approx(right, abs=1e-9)
    assert task().weighed("own", truth, answers) is None


def test_tiles_that_count_once_are_the_measured_value() -> None:
    _, truth, keys, answers = scene(2, 0.01)
    placed, ours = with_places(truth, keys), task(("cat", "dog"))
    measured = ours.measured("map50", placed, answers, SETTINGS)
    assert ours.weighed("map50", placed, answers)(np.ones(len(keys))) == measured
    low, high = (getattr(ours.scores(placed, answers, SETTINGS)["map50"], end) for end in ("low", "high"))
    assert low < measured < high


def test_the_gate_asks_for_more_than_mean_boxes() -> None:
    truth, answers = random_boxes(1, images=40)
    ours = task()
    constant = ours.simple_models(np.zeros((len(truth), 1)), truth)["constant"](np.zeros((40, 4)))
    assert constant["boxes"].shape == (40, 48, 4) and set(constant["count"]) == {48}
    others = {"constant": constant}
    measured = {"map50": {"value": ours.measured("map50", truth, answers, SETTINGS)}}
    found = compared(ours, truth, answers, others, SETTINGS)
    wanted = tuple(ours.simple)
    (check,) = checks(ours, found, wanted, measured)
    gain = found["constant"]["gains"]["map50"]
    right = measured["map50"]["value"] - ours.measured("map50", truth, constant, SETTINGS)
    assert gain["value"] == pytest.approx(right) and gain["low"] < right < gain["high"]
    assert check.passed and check.measured == gain["low"] > 0
    none = {**answers, "count": np.zeros_like(answers["count"])}
    (closed,) = checks(ours, compared(ours, truth, none, others, SETTINGS), wanted, {"map50": {"value": 0.0}})
    assert not closed.passed


@pytest.mark.parametrize(("count", "named"), [(10, 10), (20, 16)])
def test_every_class_is_in_the_legend(count, named) -> None:
    curves = {f"class{i:02}": {"recall": [0.1, 0.5], "precision": [0.9, 0.3 + i / 50]} for i in range(count)}
    by_class = [{"class": name, "f1": 0.9 - i / 100} for i, name in enumerate(curves)]
    (drawn,) = pictures({"curves": {"precision_recall": curves}, "by_class": by_class})
    assert sum(name in drawn[1] for name in curves) == named
    told = ", the 16 classes with the lowest F1 of 20"
    assert (told in drawn[1]) == (count > named)
    assert drawn[1].count("dashed") == 2 * (named - 8)
