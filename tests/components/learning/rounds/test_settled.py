"""A training that is asked for calibration and an operating point: learned from validation rows, kept, exported."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score, fbeta_score

from kilnworks.components.evaluate import EvaluateConfig, evaluate
from kilnworks.components.export import ExportConfig, export
from kilnworks.components.features.raw import raw_arrays
from kilnworks.components.learning.predict import predict
from kilnworks.components.preprocess import preprocess
from kilnworks.components.reporting.reading import RunRecord, StepRecord
from kilnworks.components.reporting.sections.operating import operating
from kilnworks.components.serving.loading.saved_model import load_saved_model
from kilnworks.components.tasks.choose import task_of, write_task
from kilnworks.schemas.columns import NO_CLASS
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import ConfigError, DataInvalid
from kilnworks.schemas.files import read_json
from tests.components.features import tabular
from tests.components.learning.training_examples import (  # fmt: skip
    DIGITS,
    PRICES,
    TABLE,
    digits,
    examples,
    prepared,
    prices,
    small,
    table,
    trained,
)

pytestmark = pytest.mark.slow

FILMS = parse_contract("""
name: films
features: {chases: {dtype: float}, jokes: {dtype: float}}
label: {name: genres, dtype: string, classes: [action, comedy], many: true, separator: "|"}
""")
COST = {"kind": "cost", "false_positive": 1, "false_negative": 6}


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """A model of customers with both, its examples, and what evaluation and export make of it."""
    folder = tmp_path_factory.mktemp("settled")
    splits = {"train": table(512, 1), "val": table(600, 2), "test": table(500, 3)}
    given = examples(folder / "examples", TABLE, splits)
    transform = preprocess(tabular.SETTINGS.model_copy(update={"features": {}}), given, folder / "transform")
    model = trained(folder, small(operating_point=COST, calibration="isotonic"), given, transform)
    evaluation = evaluate(EvaluateConfig(resamples=100), model, given, folder / "evaluation")
    return model, evaluation, export(ExportConfig(), model, given, evaluation, folder / "servable"), folder


def cost(truth: np.ndarray, said: np.ndarray) -> float:
    return float((said & ~truth).sum() + 6 * (~said & truth).sum()) / len(truth)


def test_the_threshold_is_the_cheapest_on_validation_rows(settled) -> None:
    model = settled[0]
    task, rows = task_of(model), table(600, 2)
    score, truth = predict(model, rows)["probabilities"][:, 1], (rows["left"] == "yes").to_numpy()
    told = model.training["operating_point"]
    assert told["threshold"] == task.threshold != 0.5 and told["rows"] == 600
    assert cost(truth, score > task.threshold) == pytest.approx(
        min(cost(truth, score > at) for at in np.linspace(0, 1, 4001))
    )
    assert model.training["calibration"] == {"method": "isotonic", "rows": 600}


def test_metrics_are_those_at_the_threshold_and_reliability_is_told_before_and_after(settled) -> None:
    from sklearn.metrics import accuracy_score, log_loss, recall_score

    model, evaluation, _, folder = settled
    rows, task = table(500, 3), task_of(model)
    score, truth = predict(model, rows)["probabilities"][:, 1], (rows["left"] == "yes").to_numpy()
    metrics = evaluation.results["metrics"]
    said = score > task.threshold
    for name, function in (("accuracy", accuracy_score), ("f1", f1_score), ("recall", recall_score)):
        assert metrics[name]["value"] == pytest.approx(function(truth, said)), name
        assert metrics[name]["low"] <= metrics[name]["value"] <= metrics[name]["high"]
    (folder / "plain").mkdir()
    for name in ("model.keras", "training.json", "transform"):
        (folder / "plain" / name).symlink_to(model.path / name)
    write_task(task.plain, folder / "plain")
    plain = predict(type(model)(folder / "plain"), rows)["probabilities"][:, 1]
    before = evaluation.results["uncalibrated"]
    assert before["metrics"]["log_loss"] == pytest.approx(log_loss(truth, plain), rel=1e-5)
    assert np.abs(plain - score).max() > 0.02
    assert evaluation.results["threshold"] == task.threshold
    assert np.array(evaluation.results["confusion"]["matrix"])[:, 1].sum() == said.sum()


def test_what_is_served_decides_by_the_threshold(settled) -> None:
    model, _, servable, _ = settled
    rows, task = table(500, 3), task_of(model)
    loaded = load_saved_model(str(servable.saved_model))
    try:
        definition = loaded.signature_defs["serving_default"]
        feeds = {definition.inputs[n].name: v for n, v in raw_arrays(model.contract, rows.drop("left")).items()}
        got = loaded.session.run({n: one.name for n, one in definition.outputs.items()}, feeds)
    finally:
        loaded.close()
    np.testing.assert_allclose(got["probabilities"], predict(model, rows)["probabilities"], atol=1e-4)
    assert (got["class"] == np.where(got["score"] > task.threshold, b"yes", b"no")).all()
    between = (got["score"] > task.threshold) & (got["score"] <= 0.5)
    assert between.any(), "no row tells the threshold from one half"
    assert servable.description["keras"]["file"] and servable.description["skew"]["max_difference"] <= 1e-5
    kept = read_json(next(servable.saved_model.rglob("task.json")))
    assert kept["threshold"] == task.threshold and kept["calibration"]["kind"] == "isotonic"


def test_digits_are_calibrated_by_a_temperature(tmp_path) -> None:
    given, transform = prepared(tmp_path, DIGITS, digits())
    sure = small(model={"kind": "mlp", "units": [32]}, calibration="temperature", epochs=6, label_smoothing=0.4)
    model = trained(tmp_path, sure, given, transform)
    told = model.training["calibration"]
    assert told["temperature"] < 0.9, "smoothed labels make a model unsure"
    frame = digits()["val"]
    truth, task = frame["digit"].to_numpy(), task_of(model)
    after = predict(model, frame)["probabilities"]
    write_task(task.plain, model.path)
    before = predict(model, frame)["probabilities"]
    rows = np.arange(len(truth))
    assert -np.log(after[rows, truth]).mean() < -np.log(before[rows, truth]).mean() - 0.05
    assert (after.argmax(1) == before.argmax(1)).all()
    scaled = before.astype(float) ** (1 / told["temperature"])
    np.testing.assert_allclose(after, scaled / scaled.sum(1, keepdims=True), atol=1e-5)


def test_what_cannot_be_settled_is_refused_before_training(tmp_path) -> None:
    given, transform = prepared(tmp_path / "a", TABLE, {"train": table(100, 1)})
    with pytest.raises(ConfigError, match="calibration temperature, and the examples have no rows in split 'val'"):
        trained(tmp_path, small(calibration="temperature"), given, transform, "no-val")
    both = prepared(tmp_path / "b", TABLE, {"train": table(100, 1), "val": table(50, 2)})
    with pytest.raises(ConfigError, match="calibration temperature with refit=2"):
        trained(tmp_path, small(calibration="temperature", refit=2), *both, "refit")
    with pytest.raises(DataInvalid, match="50 validation rows"):
        trained(tmp_path, small(calibration="isotonic", epochs=1), *both, "few")
    numbers = prepared(tmp_path / "c", PRICES, {"train": prices(100, 1), "val": prices(50, 2)})
    with pytest.raises(ConfigError, match="operating_point cost for a regression"):
        trained(tmp_path, small(operating_point=COST), *numbers, "regression")
    ten = {split: frame.head(60) for split, frame in digits().items()}
    with pytest.raises(ConfigError, match="operating_point f_beta for a multiclass"):
        trained(tmp_path, small(operating_point={"kind": "f_beta"}), *prepared(tmp_path / "d", DIGITS, ten), "ten")


def test_a_given_threshold_needs_no_validation_rows(tmp_path) -> None:
    given, transform = prepared(tmp_path, TABLE, {"train": table(200, 1)})
    fixed = small(operating_point={"kind": "fixed", "value": 0.2}, epochs=1, monitor="loss")
    model = trained(tmp_path, fixed, given, transform)
    assert task_of(model).threshold == 0.2 and "operating_point" not in model.training


def test_with_a_refit_the_threshold_is_that_of_the_network_that_has_not_seen_the_validation_rows(tmp_path) -> None:
    """The answers are those of the network that was trained on all rows, the threshold that of a training without."""
    both = prepared(tmp_path, TABLE, {"train": table(400, 1), "val": table(300, 2)})
    alone = trained(tmp_path, small(operating_point=COST), *both, "alone")
    again = trained(tmp_path, small(operating_point=COST, refit=1), *both, "again")
    told = again.training["operating_point"]
    assert task_of(again).threshold == task_of(alone).threshold == told["threshold"] != 0.5
    assert told == alone.training["operating_point"]
    scores = [predict(one, table(50, 3))["probabilities"][:, 1] for one in (alone, again)]
    assert np.abs(scores[0] - scores[1]).max() > 1e-3


def test_rows_with_many_classes_are_answered_by_a_threshold_of_each_class(tmp_path) -> None:
    """F2 of every class is the best of a search by hand; metrics, what is served and the report go by it."""
    random = np.random.default_rng(0)

    def films(rows: int) -> pl.DataFrame:
        numbers = {name: random.normal(size=rows).astype(np.float32) for name in ("chases", "jokes")}
        there = [random.random(rows) < 1 / (1 + np.exp(-2 * values - shift)) for values, shift in
                 zip(numbers.values(), (-2, 1), strict=True)]  # fmt: skip
        said = [
            "|".join(g for g, has in zip(("action", "comedy"), row, strict=True) if has)
            for row in zip(*there, strict=True)
        ]
        return pl.DataFrame({**numbers, "genres": [one or NO_CLASS for one in said]})

    splits = {"train": films(600), "val": films(400), "test": films(300)}
    given, transform = prepared(tmp_path, FILMS, splits)
    f2 = {"kind": "f_beta", "beta": 2}
    model = trained(tmp_path, small(operating_point=f2, epochs=4, monitor="val_loss"), given, transform)
    task = task_of(model)
    assert len(task.thresholds) == 2 and len(set(task.thresholds)) == 2

    def sides(split: str) -> tuple[np.ndarray, np.ndarray]:
        cells = splits[split]["genres"].to_list()
        truth = np.array([[genre in cell for genre in ("action", "comedy")] for cell in cells])
        return truth, predict(model, splits[split])["probabilities"]

    truth, score = sides("val")
    for k in range(2):
        best = max(fbeta_score(truth[:, k], score[:, k] > at, beta=2) for at in np.linspace(0.01, 0.99, 491))
        assert fbeta_score(truth[:, k], score[:, k] > task.thresholds[k], beta=2) >= best - 1e-12
    (tmp_path / "evaluation").mkdir()
    evaluation = evaluate(EvaluateConfig(resamples=100, simple_rows=0), model, given, tmp_path / "evaluation")
    truth, score = sides("test")
    wanted = f1_score(truth, score > np.array(task.thresholds), average="micro")
    assert evaluation.results["metrics"]["micro_f1"]["value"] == pytest.approx(wanted)
    assert evaluation.results["class_thresholds"] == dict(zip(("action", "comedy"), task.thresholds, strict=True))
    servable = export(ExportConfig(), model, given, evaluation, tmp_path / "servable")
    loaded = load_saved_model(str(servable.saved_model))
    try:
        definition = loaded.signature_defs["serving_default"]
        raw = raw_arrays(model.contract, splits["test"].drop("genres"))
        feeds = {definition.inputs[n].name: v for n, v in raw.items()}
        got = loaded.session.run({n: one.name for n, one in definition.outputs.items()}, feeds)
    finally:
        loaded.close()
    said = np.array([[genre in text.decode() for genre in ("action", "comedy")] for text in got["class"]])
    assert (said == (got["probabilities"] > np.array(task.thresholds))).all() and servable.description["keras"]["file"]
    run = RunRecord(tmp_path, {}, (
        StepRecord("model", "done", folder=model.path), StepRecord("evaluation", "done", folder=evaluation.path),
    ))  # fmt: skip
    shown = operating(run)
    assert [name for name, _ in shown["classes"]] == ["action", "comedy"] and shown["picture"] == ""
    assert all(cell for _, cells in shown["classes"] for cell in cells)
