"""Losses of both splits are those of the kept weights in inference mode, by scikit-learn's arithmetic."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss

from kilnworks.components.learning.health.both_splits import _told
from kilnworks.components.learning.predict import predict
from kilnworks.components.modeling.autoencoder import Autoencoder
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.tasks.totals import Totals
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import read_json
from tests.components.learning.training_examples import customers, prepared, table, trained


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    root = tmp_path_factory.mktemp("both")
    config = TrainConfig(model=Mlp(units=(16,), dropout=0.5), epochs=40, batch=64, backup_epochs=0)
    model = trained(root, config, *customers(root, 512))
    return model, read_json(model.path / "diagnosis.json")


@pytest.mark.slow
@pytest.mark.parametrize(("split", "rows"), [("train", table(512, 1)), ("val", table(200, 2))], ids=["train", "val"])
def test_the_loss_is_that_of_the_kept_weights_without_dropout(told, split, rows):
    model, found = told
    truth = (rows["left"] == "yes").to_numpy()
    probability = predict(model, rows)["probabilities"][:, 1].astype(np.float64)
    assert found[split]["rows"] == rows.height and len(found[split]["loss"]) == 50
    sizes = [len(group) for group in np.array_split(np.arange(rows.height), 50)]
    mean = np.average(found[split]["loss"], weights=sizes)
    assert mean == pytest.approx(log_loss(truth, probability), rel=1e-4)


@pytest.mark.slow
def test_a_constant_answer_is_the_mean_output_of_the_training_rows(told):
    model, found = told
    usual = float(predict(model, table(512, 1))["probabilities"][:, 1].mean())
    truth = (table(200, 2)["left"] == "yes").to_numpy()
    assert np.mean(found["val"]["constant"]) == pytest.approx(log_loss(truth, np.full(200, usual)), rel=1e-4)
    assert np.mean(found["val"]["shuffled"]) > np.mean(found["val"]["loss"])


@pytest.mark.slow
def test_the_loss_of_history_is_another_one(told):
    """With dropout at work the history shows training rows worse than they are answered."""
    model, found = told
    history = [line.split(",") for line in (model.path / "history.csv").read_text().splitlines()]
    at = history[0].index("loss")
    assert float(history[found["epoch"]][at]) > np.mean(found["train"]["loss"]) + 0.01


@pytest.mark.slow
def test_a_loss_that_a_model_says_of_itself_is_held_against_no_constant_answer(tmp_path):
    """The mean output of a reconstruction is its mean error: as good as the model, whatever it has learned."""
    contract = Contract.model_validate({"name": "rows", "features": {f"x{i}": {"dtype": "float"} for i in range(3)}})
    draw = np.random.default_rng(0)
    frames = {s: pl.DataFrame({f"x{i}": draw.normal(size=64) for i in range(3)}) for s in ("train", "val")}
    config = TrainConfig(model=Autoencoder(units=(4,), code=2, contamination=0), epochs=1, batch=32, backup_epochs=0)
    model = trained(tmp_path, config, *prepared(tmp_path / "given", contract, frames))
    assert (model.path / "model.keras").is_file() and not (model.path / "diagnosis.json").exists()


class Same:
    """Measures the share of rows with an output of their own."""

    takes_windows = False

    def totals(self):
        return Totals(lambda target, values: (target == values[:, 0]).mean())

    def measure(self, target, values):
        return {"loss": float((target == values[:, 0]).mean())}


@pytest.mark.parametrize("rows", [2, 3, 7, 200])
def test_a_row_never_gets_its_own_output_for_that_of_another_row(rows):
    target = np.arange(rows)
    told = _told(Same(), target, target[:, None], np.zeros((1, 1)))
    assert set(told["loss"]) == {1.0} and set(told["shuffled"]) == {0.0}
