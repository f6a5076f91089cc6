"""Models of every task, asked as they are served and compared on the same rows."""

import json

import numpy as np
import polars as pl
import pytest

from kilnworks.components.challenging.both import challenged
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.binary import Binary
from kilnworks.components.tasks.choose import write_task
from kilnworks.components.tasks.multiclass import Multiclass
from kilnworks.components.tasks.multilabel import Multilabel
from kilnworks.components.tasks.regression import Regression
from kilnworks.schemas.artifacts import CheckedExamples
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import StepFailed, UnknownName
from kilnworks.schemas.files import write_json
from kilnworks.schemas.wire import CONTRACT_FILE, TASK_FILE
from tests.components.tasks.reconstruction import Reconstruction

pytestmark = pytest.mark.slow

X = np.linspace(-3, 3, 400)
CLASSES = ["a", "b", "c"]
THIRDS = np.clip(((X + 3) // 2).astype(int), 0, 2)
LABELS = {
    Binary: ({"dtype": "string", "classes": ["no", "yes"]}, ["yes" if x > 0 else "no" for x in X]),
    Multiclass: ({"dtype": "string", "classes": CLASSES}, [CLASSES[k] for k in THIRDS]),
    Multilabel: (
        {"dtype": "string", "classes": CLASSES, "many": True, "separator": "|"},
        ["|".join(CLASSES[: k + 1]) for k in THIRDS],
    ),
    Regression: ({"dtype": "float"}, [2 * float(x) + 1 for x in X]),
    Reconstruction: (None, None),
}


def contract(kind) -> Contract:
    label = LABELS[kind][0]
    tree = {"name": "made", "features": {"x": {"dtype": "float"}}}
    return Contract.model_validate({**tree, "label": {"name": "y", **label}} if label else tree)


def examples(folder, kind) -> CheckedExamples:
    label = LABELS[kind][1]
    (folder / "test").mkdir(parents=True)
    halves = (slice(0, 150), slice(150, 400))
    files = []
    for i, half in enumerate(halves):
        columns = {"x": X[half], **({"y": label[half]} if label else {})}
        pl.DataFrame(columns).write_parquet(folder / "test" / f"part-{i}.parquet")
        files.append(f"test/part-{i}.parquet")
    splits = {"test": {"rows": 400, "files": files}}
    write_json(folder / "examples.json", {"contract": contract(kind).model_dump(mode="json"), "splits": splits})
    return CheckedExamples(folder)


def model(folder, kind, wrong: float):
    """A SavedModel that is ``wrong`` by so much: 0 is right in every row."""
    import tensorflow as tf

    def answers(x):
        at = x + wrong
        if kind is Binary:
            score = tf.sigmoid(4 * at)
            return {"probabilities": tf.stack([1 - score, score], axis=1), "score": score}
        if kind is Multiclass:
            return {"probabilities": tf.nn.softmax(-4 * (at[:, None] - [-2.0, 0.0, 2.0]) ** 2)}
        if kind is Multilabel:
            return {"probabilities": tf.sigmoid(8 * (at[:, None] - [-9.0, -1.0, 1.0]))}
        if kind is Regression:
            return {"score": 2 * at + 1}
        return {"error": tf.zeros_like(x) + 0.1 + wrong**2 + 0.01 * tf.abs(x)}

    net = tf.Module()
    net.serve = tf.function(answers, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    tf.saved_model.save(net, str(folder), signatures={"serving_default": net.serve})
    write_json(folder / CONTRACT_FILE, contract(kind).model_dump(mode="json"))
    write_task(kind.of(contract(kind)), (folder / TASK_FILE).parent)
    return folder


def compare(tmp_path, kind, champion, challenger, **challenge):
    settings = challenge.pop("settings", JudgeSettings())
    return challenged(
        Challenge(resamples=200, **challenge),
        settings,
        examples(tmp_path / "rows", kind),
        "test",
        model(tmp_path / "old", kind, champion),
        model(tmp_path / "new", kind, challenger),
    )


@pytest.mark.parametrize(
    ("kind", "metric", "difference"),
    [
        (Multiclass, "accuracy", None),
        (Multilabel, "micro_f1", None),
        (Regression, "mae", 1.4),
        (Reconstruction, "error", 0.49),
    ],
)
def test_every_task_is_compared_by_its_headline(tmp_path, kind, metric, difference):
    found = compare(tmp_path, kind, 0.0, 0.7)
    assert (found.metric, found.verdict, found.live, found.rows) == (metric, "worse", False, 400)
    if difference is not None:
        assert found.difference == pytest.approx(difference, rel=1e-3)
    json.dumps(found.record(), allow_nan=False)


def test_two_classes_are_compared_by_their_order_or_by_what_is_asked_for(tmp_path):
    """A shift of the score moves no row past another, and many to the other side of the threshold."""
    found = compare(tmp_path / "order", Binary, 0.0, 0.7)
    assert (found.metric, found.champion, found.challenger, found.verdict) == ("auc", 1.0, 1.0, "not worse")
    found = compare(tmp_path / "right", Binary, 0.0, 0.7, metric="accuracy")
    assert found.difference == pytest.approx(-((X > -0.7) & (X < 0)).mean()) and found.verdict == "worse"


def test_the_same_model_twice_is_not_worse(tmp_path):
    found = compare(tmp_path, Regression, 0.3, 0.3)
    assert (found.verdict, found.difference, found.champion) == ("not worse", 0, pytest.approx(0.6, rel=1e-4))


def test_what_is_counted_is_what_the_task_says(tmp_path, monkeypatch):
    monkeypatch.setattr(Regression, "unit", "windows")
    assert "on the same 400 test windows:" in compare(tmp_path, Regression, 0.3, 0.3).text


def test_fewer_rows_are_spread_over_all(tmp_path):
    found = compare(tmp_path, Regression, 0.0, 0.1, rows=100, metric="rmse")
    assert (found.rows, found.metric) == (100, "rmse")
    assert found.difference == pytest.approx(0.2, rel=1e-3)


def test_a_metric_of_ones_own(tmp_path):
    own = JudgeSettings.model_validate(
        {"metrics": {"f2": {"code": "tests.components.judging.own_metrics:f2", "better": "max"}}}
    )
    found = compare(tmp_path, Binary, 0.0, 0.7, metric="f2", settings=own)
    truth, said = X > 0, X + 0.7 > 0
    hits, missed, wrong = (truth & said).sum(), (truth & ~said).sum(), (~truth & said).sum()
    assert found.challenger == pytest.approx(5 * hits / (5 * hits + 4 * missed + wrong))


def test_a_metric_that_the_task_does_not_have(tmp_path):
    with pytest.raises(UnknownName, match="auk"):
        compare(tmp_path, Binary, 0.0, 0.0, metric="auk")


def test_models_of_different_tasks_are_not_compared(tmp_path):
    old, new = model(tmp_path / "old", Regression, 0), model(tmp_path / "new", Binary, 0)
    found = challenged(Challenge(), JudgeSettings(), examples(tmp_path / "rows", Binary), "test", old, new)
    assert found.verdict == "unmeasured" and "regression task" in found.text


def test_other_classes_are_not_compared(tmp_path):
    old, new = model(tmp_path / "old", Binary, 0), model(tmp_path / "new", Binary, 0)
    tree = json.loads((old / TASK_FILE).read_text())
    tree["label"]["classes"] = ["yes", "no"]
    (old / TASK_FILE).write_text(json.dumps(tree))
    found = challenged(Challenge(), JudgeSettings(), examples(tmp_path / "rows", Binary), "test", old, new)
    assert found.verdict == "unmeasured" and "other classes" in found.text


def with_classes(folder, classes):
    tree = json.loads((folder / TASK_FILE).read_text())
    tree["label"]["classes"] = classes
    (folder / TASK_FILE).write_text(json.dumps(tree))
    return folder


def test_where_classes_have_changed_the_rows_of_those_that_both_know_are_compared(tmp_path):
    """The champion's outputs stand for c, z and a, so that it is right where its last one is taken for its first."""
    old = with_classes(model(tmp_path / "old", Multiclass, 0), ["c", "z", "a"])
    new, rows = model(tmp_path / "new", Multiclass, 0), examples(tmp_path / "rows", Multiclass)
    found = challenged(Challenge(), JudgeSettings(), rows, "test", old, new)
    counts = np.bincount(THIRDS)
    assert found.rows == counts[0] + counts[2]
    assert (found.champion, found.challenger, found.verdict) == (0.0, 1.0, "better")
    assert found.text.endswith(
        f"the classes have changed (new are b; gone are z, {counts[1]} rows of new classes are left out)"
    )
    with_classes(old, ["x", "a", "z"])
    found = challenged(Challenge(), JudgeSettings(), rows, "test", old, new)
    assert found.verdict == "unmeasured" and "other classes" in found.text, "one class in common tells nothing apart"


def test_two_classes_that_have_become_three(tmp_path):
    old = with_classes(model(tmp_path / "old", Binary, 0), ["c", "a"])
    new = model(tmp_path / "new", Multiclass, 0)
    found = challenged(Challenge(), JudgeSettings(), examples(tmp_path / "rows", Multiclass), "test", old, new)
    shared = THIRDS != 1
    right = np.where(X > 0, 0, 2) == THIRDS
    assert found.champion == pytest.approx(right[shared].mean()) and "new are b" in found.text


@pytest.mark.parametrize("wrong", ["champion", "challenger"])
def test_answers_that_are_no_number(tmp_path, wrong):
    nan = float("nan")
    sides = (nan, 0.0) if wrong == "champion" else (0.0, nan)
    if wrong == "challenger":
        with pytest.raises(StepFailed, match="400 rows"):
            compare(tmp_path, Regression, *sides)
        return
    found = compare(tmp_path, Regression, *sides)
    assert found.verdict == "unmeasured" and "400 rows" in found.text


def by_group(folder, wrong_in_b: float):
    """A SavedModel of two classes that is wrong in the rows of group b by so much."""
    import tensorflow as tf

    def answers(x, g):
        score = tf.sigmoid(4 * (x + tf.where(g == "b", wrong_in_b, 0.0)))
        return {"probabilities": tf.stack([1 - score, score], axis=1), "score": score}

    net = tf.Module()
    specs = [tf.TensorSpec([None], tf.float32, "x"), tf.TensorSpec([None], tf.string, "g")]
    net.serve = tf.function(answers, input_signature=specs)
    tf.saved_model.save(net, str(folder), signatures={"serving_default": net.serve})
    write_json(folder / CONTRACT_FILE, GROUPED.model_dump(mode="json"))
    write_task(Binary.of(GROUPED), folder)
    return folder


GROUPED = Contract.model_validate({
    "name": "made",
    "features": {"x": {"dtype": "float"}, "g": {"dtype": "string"}},
    "label": {"name": "y", **LABELS[Binary][0]},
})  # fmt: skip


def test_a_planted_bad_slice_holds_a_model_that_is_not_worse_in_the_mean(tmp_path):
    rows = tmp_path / "rows"
    (rows / "test").mkdir(parents=True)
    groups = ["b" if i % 8 == 0 else "a" if i % 2 else "c" for i in range(400)]
    frame = pl.DataFrame({"x": X, "g": groups, "y": LABELS[Binary][1]})
    frame.write_parquet(rows / "test" / "part.parquet")
    splits = {"test": {"rows": 400, "files": ["test/part.parquet"]}}
    write_json(rows / "examples.json", {"contract": GROUPED.model_dump(mode="json"), "splits": splits})
    old, new = by_group(tmp_path / "old", 0.0), by_group(tmp_path / "new", 1.5)

    def compare(**settings):
        rule = Challenge(metric="accuracy", resamples=200, margin=0.1, **settings)
        return challenged(rule, JudgeSettings(), CheckedExamples(rows), "test", old, new)

    whole = compare()
    assert whole.live and whole.slices == (), "the evaluation has no slices"
    found = compare(slices=("g",))
    assert not found.live and found.verdict == "worse slice" and "worse in g b (accuracy" in found.text
    wrong = ((X > -1.5) & (X < 0))[::8].mean()
    told = {one["value"]: one for one in found.slices}
    assert told["b"]["difference"] == pytest.approx(-wrong) and told["b"]["rows"] == 50
    assert {told["a"]["verdict"], told["c"]["verdict"]} == {"not worse"}
    json.dumps(found.record(), allow_nan=False)
    with pytest.raises(UnknownName, match="slice"):
        compare(slices=("town",))
