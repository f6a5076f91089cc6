"""Models as they are found in tutorials, from training to export; those that do not fit are refused with both sides."""

import json
import re

import numpy as np
import polars as pl
import pytest

from kilnworks.components.evaluate import EvaluateConfig, evaluate
from kilnworks.components.export import ExportConfig, export
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, StoreError
from tests.components.learning.training_examples import DIGITS, PRICES, context, digits, examples, prices
from tests.components.modeling import wild_models
from tests.effort import some

pytestmark = pytest.mark.slow

HERE = "tests.components.modeling.wild_models"
CUSTOMERS = Contract.model_validate(
    {
        "name": "customers",
        "features": {
            "age": {"dtype": "float", "nullable": True},
            "visits": {"dtype": "int"},
            "plan name": {"dtype": "string"},
        },
        "label": {"name": "left", "dtype": "string", "classes": ["no", "yes"]},
    }
)


def customers(rows: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    age, visits, plan = random.normal(45, 15, rows), random.poisson(4, rows), random.integers(0, 3, rows)
    left = random.random(rows) < 1 / (1 + np.exp(-(0.08 * (age - 45) - 0.4 * (visits - 4) + plan - 1)))
    return pl.DataFrame(
        {
            "age": pl.Series(np.where(random.random(rows) < 0.05, np.nan, age)).fill_nan(None),
            "visits": visits.astype(np.int64),
            "plan name": [["basic", "plus", "pro"][p] for p in plan],
            "left": np.where(left, "yes", "no").astype(str),
        }
    )


class Data:
    """Examples and a fitted transform."""

    def __init__(self, root, contract, frames):
        from kilnworks.components.preprocess import PreprocessConfig, preprocess

        self.contract, self.root = contract, root
        self.examples = examples(root / "examples", contract, frames)
        self.transform = preprocess(PreprocessConfig(), self.examples, root / "transform")
        self.made = 0

    def train(self, **settings):
        self.made += 1
        out = self.root / f"model-{self.made}"
        out.mkdir()
        config = TrainConfig.model_validate({"epochs": 2, "batch": 64, **settings})
        return train(config, self.examples, self.transform, out, context(self.root / f"at-{self.made}"))

    def served(self, model):
        """Evaluated and exported; the export compares each signature with the model that is loaded again."""
        folders = [self.root / f"{name}-{self.made}" for name in ("evaluation", "servable")]
        for folder in folders:
            folder.mkdir()
        evaluation = evaluate(EvaluateConfig(resamples=100), model, self.examples, folders[0])
        return evaluation, export(ExportConfig(keras_file=False), model, self.examples, evaluation, folders[1])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    frames = {"train": customers(600, 1), "val": customers(200, 2), "test": customers(200, 3)}
    return Data(tmp_path_factory.mktemp("table"), CUSTOMERS, frames)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    frames = digits()
    small = {"train": frames["train"][:500], "val": frames["val"][:100], "test": frames["val"][100:200]}
    return Data(tmp_path_factory.mktemp("images"), DIGITS, small)


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    frames = {"train": prices(400, 1), "val": prices(100, 2), "test": prices(100, 3)}
    return Data(tmp_path_factory.mktemp("houses"), PRICES, frames)


def custom(name, **settings):
    return {"kind": "custom", "build": f"{HERE}:{name}", **settings}


WILD = {
    "functional": ("table", {}),
    "sequential_compiled": ("table", {}),
    "subclassed": ("table", {}),
    "own_train_step": ("table", {}),
    "two_columns": ("table", {}),
    "many_outputs": ("table", {}),
    "with_lambda": ("table", {}),
    "made_inside": ("table", {}),
    "logits_of_images": ("images", {}),
    "flat_images": ("images", {}),
    "residual": ("images", {}),
    "attention": ("images", {}),
    "application": ("images", {"outputs": "features"}),
    "backbone": ("images", {"outputs": "features", "options": {"width": 16}}),
    "regression": ("houses", {}),
}
SHORT = ("functional", "own_train_step", "many_outputs", "with_lambda", "logits_of_images", "backbone", "regression")
"""What differs in how it is trained, kept or given out."""


@pytest.mark.parametrize("name", some(WILD, SHORT))
def test_a_model_as_found_is_trained_judged_and_served(name, request):
    where, settings = WILD[name]
    data = request.getfixturevalue(where)
    model = data.train(model=custom(name, **settings))
    evaluation, servable = data.served(model)
    assert servable.description["skew"]["max_difference"] <= 1e-5
    assert evaluation.results["metrics"]
    about = json.loads((model.path / "code.json").read_text())
    if name in ("with_lambda", "made_inside"):
        assert about["kept"] == "weights" and about["why"]
    if name in ("functional", "sequential_compiled", "own_train_step", "residual", "application", "backbone"):
        assert about["kept"] == "keras"


@pytest.mark.parametrize(
    ("where", "build", "settings", "got", "wanted"),
    [
        ("table", "too_wide", {}, r"gives \[None, 3\]", r"\[None, 1\] for the binary task with the classes no, yes"),
        ("table", "wrong_input", {}, r"input nine float32 \[None, 9\]", r"numeric float32 \[None, 7\]"),
        ("table", "no_model", {}, "returns int", "a keras.Model"),
        ("images", "one_hot_loss", {}, "training step on one batch fails", "int32 class numbers from 0 to 9"),
        ("table", "functionl", {}, "no name in", "did you mean 'functional'"),
        ("images", "backbone", {"options": {"widht": 3}}, "takes no 'widht'", "did you mean 'width'"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_sides(request, where, build, settings, got, wanted):
    with pytest.raises(ConfigError, match=got) as caught:
        request.getfixturevalue(where).train(model=custom(build, **settings))
    assert re.search(wanted, str(caught.value))


def test_settings_of_our_layers_are_refused_for_a_model_of_ones_own():
    with pytest.raises(ValueError, match="give dropout in options"):
        TrainConfig.model_validate({"model": custom("functional", dropout=0.5)})


def test_own_loss_metric_optimizer_and_callback_take_part(table):
    wild_models.Halve.seen.clear()
    model = table.train(
        model={"kind": "mlp", "units": [4]},
        loss={"path": f"{HERE}:focal", "options": {"gamma": 1.0}},
        metrics=[f"{HERE}:F2"],
        optimizer=f"{HERE}:lion",
        callbacks=[{"path": f"{HERE}:Halve", "options": {"by": 0.25}}],
        monitor="val_f2",
        monitor_mode="max",
        epochs=3,
    )
    history = pl.read_csv(model.path / "history.csv")
    assert wild_models.Halve.seen == history["val_loss"].to_list()
    assert history["learning_rate"].to_list() == pytest.approx([1e-3 / 3 * 0.25**i for i in range(3)], rel=1e-6)
    best = int(history["val_f2"].arg_max())
    assert model.training["best_epoch"] == best + 1
    loss, f2 = by_hand(model, table, gamma=1.0)
    assert history["val_loss"][best] == pytest.approx(loss, rel=1e-5)
    assert history["val_f2"][best] == pytest.approx(f2, rel=1e-5)


def by_hand(model, data, gamma):
    """Focal loss and F2 of the validation split with NumPy, from the answers of the kept model."""
    from kilnworks.components.learning.predict import predict

    frame = pl.read_parquet(data.examples.files("val"))
    p, y = predict(model, frame)["probabilities"][:, 1].astype(float), (frame["left"] == "yes").to_numpy()
    right = np.where(y, p, 1 - p)
    hits = (y & (p > 0.5)).sum()
    return np.mean(-((1 - right) ** gamma) * np.log(right)), 5 * hits / (4 * y.sum() + (p > 0.5).sum())


@pytest.mark.parametrize(
    ("data", "more"), [("batches", {}), ("endless", {"steps_per_epoch": 4}), ("Numbered", {}), ("no_weights", {})]
)
def test_batches_of_ones_own_are_trained_on(table, data, more):
    model = table.train(model={"kind": "mlp", "units": [4]}, data=f"{HERE}:{data}", **more)
    assert model.training["steps_per_epoch"] == (4 if more else 600 // 64)
    assert len(pl.read_csv(model.path / "history.csv")) == 2


@pytest.mark.parametrize(
    ("data", "more", "says"),
    [
        ("endless", {}, "set steps_per_epoch"),
        ("bad_shapes", {}, r"x .*\[64, 2\]"),
        ("endles", {}, "did you mean 'endless'"),
    ],
)
def test_batches_that_do_not_fit_are_refused(table, data, more, says):
    with pytest.raises(ConfigError, match=says):
        table.train(model={"kind": "mlp", "units": [4]}, data=f"{HERE}:{data}", **more)


def test_batches_of_ones_own_are_not_left_for_rows_by_a_refit(table):
    with pytest.raises(ConfigError, match="refit=1, and data that are streamed, or made by code of one's own"):
        table.train(model={"kind": "mlp", "units": [4]}, data=f"{HERE}:batches", refit=1)


def test_a_compiled_model_keeps_what_it_compiled_unless_a_setting_says_otherwise(table):
    kept = table.train(model=custom("sequential_compiled"), epochs=1)
    history = pl.read_csv(kept.path / "history.csv")
    assert {"roc", "val_roc"} <= set(history.columns) and history["learning_rate"][0] == pytest.approx(0.001)
    other = table.train(model=custom("sequential_compiled"), optimizer={"kind": "sgd", "learning_rate": 0.5}, epochs=1)
    again = pl.read_csv(other.path / "history.csv")
    assert again["learning_rate"][0] == pytest.approx(0.5) and "val_roc" in again.columns


def test_a_model_kept_as_weights_is_refused_once_its_code_has_changed(table):
    from kilnworks.components.modeling.kept import load_trained

    model = table.train(model=custom("with_lambda"), epochs=1)
    about = json.loads((model.path / "code.json").read_text())
    (model.path / "code.json").write_text(json.dumps({**about, "source": "0" * 64}))
    with pytest.raises(StoreError, match="has changed since"):
        load_trained(model)


def test_a_model_that_would_write_past_its_memory_is_refused_before_it_trains(images, monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")  # as on processors where TensorFlow computes by oneDNN
    with pytest.raises(ConfigError, match=r"'around' .* strides 2 and 1 channels"):
        images.train(model=custom("narrow_with_strides"))
