"""The detector: what it gives, that each head learns, that a killed training goes on, that replicas agree with one."""

import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.exporting.standalone import standalone
from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.detection.detector import Detector
from kilnworks.components.modeling.kept import named_objects
from kilnworks.components.tasks.choose import task_of
from kilnworks.components.tasks.detection.task import Detection
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.contract import Label
from kilnworks.schemas.errors import ConfigError, DataInvalid
from tests.components.learning.test_replicas import TWO, process, saved
from tests.components.learning.training_examples import trained
from tests.components.modeling.detection.scenes import CONTRACT, MODEL, scenes

pytestmark = pytest.mark.slow

IMAGE = EncodedTensor(name="image", shape=(64, 64, 1), dtype="float32", kind="image")
TASK = Detection(label=CONTRACT.label, shapes=((0.2, 0.15), (0.45, 0.4)), most=10)


def test_every_anchor_has_a_box_itself_and_logits() -> None:
    import keras

    keras.utils.set_random_seed(0)
    for head, logits in (("retina", 10), ("ssd", 11), ("yolo", 11)):
        detector = Detector.model_validate({**MODEL, "head": head})
        task = detector.adapted(TASK)
        model = detector.network([IMAGE], task)
        output = np.asarray(model({"image": np.random.default_rng(0).random((2, 64, 64, 1), np.float32)}))
        assert output.shape == (2, 16 * 16 + 8 * 8, 8 + logits) == (2, 320, task.outputs)
        assert output[:, 0, 4:8] == pytest.approx(
            np.array([[1 / 32 - 0.1, 1 / 32 - 0.075, 1 / 32 + 0.1, 1 / 32 + 0.075]] * 2)
        )
        scores = np.asarray(task.looked_at(output)["scores"])
        assert head == "ssd" or scores.max() < 0.3  # before anything was learned hardly anything is there


def test_points_stand_on_the_finest_map_alone() -> None:
    import keras

    keras.utils.set_random_seed(0)
    detector = Detector.model_validate({**MODEL, "head": "points", "depth": 0})
    task = detector.adapted(TASK)
    model = detector.network([IMAGE], task)
    output = np.asarray(model({"image": np.random.default_rng(0).random((2, 64, 64, 1), np.float32)}))
    assert output.shape == (2, 16 * 16, 8 + 10) == (2, 256, task.outputs)
    assert output[0, 0, 6:8] - output[0, 0, 4:6] == pytest.approx([(0.2 * 0.45) ** 0.5, (0.15 * 0.4) ** 0.5])
    assert np.asarray(task.looked_at(output)["scores"]).max() < 0.3


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return scenes(tmp_path_factory.mktemp("few"))


@pytest.mark.parametrize("head", ["points", "retina", "ssd", "yolo"])
def test_each_head_learns_and_is_read_back(few, tmp_path, head) -> None:
    import keras

    config = TrainConfig.model_validate(
        {"model": {**MODEL, "head": head}, "epochs": 4, "batch": 8, "early_stopping": None,
         "optimizer": {"kind": "adam", "learning_rate": 0.01}}
    )  # fmt: skip
    made = trained(tmp_path, config, *few)
    losses = [float(row["loss"]) for row in csv.DictReader((made.path / "history.csv").read_text().splitlines())]
    assert losses[-1] < 0.8 * losses[0]
    task = task_of(made)
    assert task.how == head
    assert 2 <= len(task.shapes) <= 9
    model = keras.saving.load_model(made.keras_path, compile=False)
    output = model({"image": np.zeros((3, 64, 64, 1), np.float32)})
    file = tmp_path / "standalone.keras"
    standalone(task, FeatureTransform.load(few[1]), model).save(file)
    assert named_objects(file) == {}, "the file for others holds nothing of ours, whatever the head"
    alone = keras.saving.load_model(file, compile=False)({"image": keras.ops.zeros((3, 64, 64, 1), "uint8")})["output"]
    np.testing.assert_allclose(np.asarray(alone), np.asarray(output), atol=1e-5)
    found = {name: np.asarray(values) for name, values in task.answers(output).items()}
    assert {name: values.shape for name, values in found.items()} == {
        "boxes": (3, 10, 4), "classes": (3, 10), "scores": (3, 10), "count": (3,),
    }  # fmt: skip
    for row in range(3):
        count = found["count"][row]
        assert (found["scores"][row, :count] > 0.05).all()
        assert (found["classes"][row, count:] == b"").all()
        assert (np.diff(found["scores"][row, :count]) <= 0).all()


def test_suppression_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    low = rng.random((1, 60, 2)) * 0.5
    boxes = np.concatenate([low, low + 0.2 + rng.random((1, 60, 2)) * 0.2], axis=-1)
    output = np.concatenate([boxes, boxes, rng.normal(-1, 2, (1, 60, 10))], axis=-1).astype(np.float32)
    found = {name: np.asarray(values)[0] for name, values in TASK.looked_at(output).items()}
    scores, kept = 1 / (1 + np.exp(-output[0, :, 8:].astype(float))), []
    for anchor, number in sorted(np.ndindex(60, 10), key=lambda place: -scores[place]):
        overlaps = [overlap(boxes[0, anchor], boxes[0, a]) for a, k in kept if k == number]
        if scores[anchor, number] > 0.05 and all(one <= 0.5 for one in overlaps):
            kept.append((anchor, number))
    kept = kept[:10]
    assert found["count"] == 10
    assert found["labels"].astype(int).tolist() == [number for _, number in kept]
    assert found["boxes"] == pytest.approx(np.array([np.clip(boxes[0, a], 0, 1) for a, _ in kept]), abs=1e-6)
    assert found["scores"] == pytest.approx([scores[place] for place in kept], abs=1e-6)


def overlap(a, b) -> float:
    high, wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0])), max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return high * wide / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - high * wide)


def test_no_row_is_no_answer() -> None:
    found = TASK.answers(np.zeros((0, TASK.outputs), np.float32))
    assert [np.asarray(found[name]).shape[0] for name in found] == [0, 0, 0, 0]


def test_answers_may_differ_where_boxes_are_equally_sure() -> None:
    wanted = {
        "boxes": np.array([[[0, 0, 0.5, 0.5], [0.2, 0.2, 0.9, 0.9], [0, 0, 0, 0]]]),
        "scores": np.array([[0.70001, 0.7, 0.0]]),
        "classes": np.array([[b"a", b"b", b""]]),
        "count": np.array([2]),
    }
    turned = {name: values[:, [1, 0, 2]] for name, values in wanted.items() if name not in ("scores", "count")}
    for name in ("boxes", "classes"):
        assert TASK.difference(name, wanted[name], wanted).tolist() == [0]
        assert TASK.difference(name, turned[name], wanted)[0] < 1e-4
    moved = wanted["boxes"] + 0.1
    assert TASK.difference("boxes", moved, wanted)[0] == pytest.approx(0.1)
    assert TASK.difference("classes", np.array([[b"a", b"c", b""]]), wanted)[0] == np.inf
    assert TASK.difference("count", np.array([3]), wanted)[0] == np.inf
    assert TASK.difference("scores", wanted["scores"] + 0.2, wanted)[0] == pytest.approx(0.2)


@pytest.mark.nightly
def test_killed_it_goes_on_and_two_replicas_do_what_one_does(tmp_path: Path) -> None:
    data = tmp_path / "data"
    scenes(data)
    config = {"model": {**MODEL, "crop": 0.3}, "epochs": 3, "batch": 16, "seed": 3, "steps_per_execution": 2}
    plain = {**config, "model": {**MODEL, "crop": 0}, "epochs": 2}
    one = {"root": "broken", "data": str(data), "config": config}
    assert process(tmp_path, [{**one, "name": "first", "kill_at": 1.5}]) == -signal.SIGKILL
    whole = {"name": "whole", "root": "straight", "data": str(data), "config": config}
    both = {"name": "two", "data": str(data), "config": plain | TWO}
    alone = {"name": "one", "data": str(data), "config": {**plain, "devices": {"strategy": "single", "kind": "cpu"}}}
    assert process(tmp_path, [{**one, "name": "resumed"}, whole]) == 0
    after, straight = tmp_path / "broken/out-resumed", tmp_path / "straight/out-whole"
    assert json.loads((after / "training.json").read_text())["resumed_after"] == 1
    for a, b in zip(saved(after), saved(straight), strict=True):
        np.testing.assert_array_equal(a, b)
    assert process(tmp_path, [both, alone]) == 0
    for a, b in zip(saved(tmp_path / "two/out-two"), saved(tmp_path / "one/out-one"), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_what_it_cannot_take_is_refused() -> None:
    small = IMAGE.model_copy(update={"shape": (16, 16, 1)})
    with pytest.raises(ConfigError, match="at least 32 x 32"):
        Detector().network([small], TASK)
    with pytest.raises(ConfigError, match="one image alone"):
        Detector().network([IMAGE, IMAGE.model_copy(update={"name": "other"})], TASK)
    number = EncodedTensor(name="numeric", shape=(3,), dtype="float32", kind="numeric")
    with pytest.raises(ConfigError, match="cannot take 'numeric'"):
        Detector().network([number], TASK)


def test_labels_from_which_nothing_can_be_learned(few) -> None:
    import polars as pl

    label = CONTRACT.label
    for text, words in (
        ('{"outside":0,"empty":0,"boxes":[["x",0.1,0.1,0.2,0.2]]}', "cannot be learned"),
        ('{"outside":0,"empty":0,"boxes":[' + ",".join(['["1",0.1,0.1,0.2,0.2]'] * 5) + "]}", "at most 4 boxes"),
        (None, "cannot be learned"),
    ):
        with pytest.raises(DataInvalid, match=words):
            Detection.encode(label, pl.Series("boxes", [text], dtype=pl.String))
    with pytest.raises(ValueError, match="needs classes"):
        Label.model_validate({"name": "boxes", "dtype": "boxes"})
    with pytest.raises(ValueError, match="boxes needs classes"):
        Label.model_validate({"name": "boxes", "dtype": "boxes", "classes": ["a", "b"], "many": True})
    one = Label.model_validate({"name": "boxes", "dtype": "boxes", "classes": ["nucleus"]})
    assert one.boxes == 100 and one.several
