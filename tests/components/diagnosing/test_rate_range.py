"""A quadratic loss diverges above two by its largest curvature; the test finds that rate, and touches nothing."""

import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from kilnworks.components.diagnosing.rate_curve import rate_at, rate_curve, smooth
from kilnworks.components.diagnosing.rate_range import range_test
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.optimizers import Adam, Sgd
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.modeling.generative.boltzmann import Dbn
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from tests.components.learning.training_examples import customers, prepared
from tests.components.series.test_grid import START
from tests.components.series.test_grid import contract as series_contract
from tests.components.series.test_grid import rows as series_rows

LINE = Contract.model_validate({
    "name": "line",
    "features": {f"x{i}": {"dtype": "float"} for i in range(4)},
    "label": {"name": "y", "dtype": "float"},
})  # fmt: skip


def line(rows, seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 4)) @ np.array([[1, 0.9, 0, 0], [0, 0.4, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    y = x @ [1.0, -2.0, 0.5, 3.0] + random.normal(0, 1, rows)
    return pl.DataFrame({**{f"x{i}": x[:, i] for i in range(4)}, "y": y})


@pytest.mark.slow
def test_the_rate_at_which_a_quadratic_loss_diverges_is_found_within_a_factor_of_2(tmp_path):
    """Independent of our code: two by the largest eigenvalue of the Hessian of the mean squared error."""
    given, transform = prepared(tmp_path, LINE, {"train": line(1024, 1), "val": line(100, 2)})
    encoded = FeatureTransform.load(transform).encode(line(1024, 1))
    x = np.concatenate([values.reshape(1024, -1) for values in encoded.values()], axis=1)
    x = np.column_stack([x, np.ones(1024)])
    largest = float(np.linalg.eigvalsh(2 * x.T @ x / 1024)[-1])
    config = TrainConfig(model=Mlp(units=()), batch=256, optimizer=Sgd(learning_rate=0.01))
    found = range_test(config, config.model, given, transform, (1e-4, 10.0), 200)
    assert 0.5 <= found["divergence"] / (2 / largest) <= 2, (found["divergence"], 2 / largest)
    assert found["suggestion"] <= found["divergence"] / 10 * 1.05
    assert found["batch"] == 256 and found["steps"] == len(found["rates"]) <= 200


@pytest.mark.slow
def test_rates_rise_by_a_constant_factor_and_the_optimizer_has_them(tmp_path):
    given, transform = customers(tmp_path)
    config = TrainConfig(model=Mlp(units=(8,)), batch=64, optimizer=Adam())
    found = range_test(config, config.model, given, transform, (1e-5, 1e-3), 30)
    factors = np.diff(np.log(found["rates"]))
    assert found["steps"] == 30 and np.allclose(factors, math.log(100) / 29)
    assert found["rates"][0] == pytest.approx(1e-5) and found["rates"][-1] == pytest.approx(1e-3)
    first = rate_at(0, 30, 1e-5, 1e-3)
    assert first == 1e-5


@pytest.mark.slow
def test_the_losses_are_those_of_single_batches_not_running_means(tmp_path):
    """With a rate of next to nothing, losses of batches scatter about a mean instead of settling on it."""
    given, transform = customers(tmp_path)
    config = TrainConfig(model=Mlp(units=(8,)), batch=32)
    losses = range_test(config, config.model, given, transform, (1e-12, 1e-11), 64)["losses"]
    assert np.std(losses[40:]) > 0.3 * np.std(losses[:24])
    assert losses[:16] != losses[16:32], "rows are shuffled anew"


def test_a_curve_of_known_losses_is_read_as_it_was_made():
    """A made-up curve: flat, falling from 1e-3 to 1e-1, beyond all bounds from 1 on."""
    rates = [rate_at(i, 300, 1e-6, 10.0) for i in range(300)]
    losses = [1.0 if r < 1e-3 else max(0.1, 1 - 0.45 * math.log10(r / 1e-3)) for r in rates]
    losses = [loss if r < 1 else loss * (1 + 50 * math.log(r)) for r, loss in zip(rates, losses, strict=True)]
    curve = rate_curve(rates, losses, False)
    assert 1e-3 < curve.steepest < 0.1 and 0.7 < curve.divergence < 1.4
    assert curve.suggestion == pytest.approx(min(curve.steepest, curve.divergence / 10), rel=0.05)


def test_where_nothing_falls_nothing_is_suggested():
    curve = rate_curve([rate_at(i, 50, 1e-9, 1e-8) for i in range(50)], [1.0] * 50, False)
    assert (curve.steepest, curve.divergence, curve.suggestion) == (None, None, None)
    assert smooth([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])


def test_a_loss_that_overflows_ends_the_test_and_is_the_divergence(tmp_path):
    given, transform = customers(tmp_path)
    config = TrainConfig(model=Mlp(units=(8,)), batch=64, optimizer=Sgd())
    found = range_test(config, config.model, given, transform, (1e-3, 1e38), 30)
    assert found["steps"] < 30 and found["divergence"] < 1e3 and np.isfinite(found["losses"]).all()


def test_a_first_phase_that_tells_no_loss_is_refused_by_that_name(tmp_path):
    given, transform = prepared(tmp_path, LINE, {"train": line(128, 1), "val": line(64, 2)})
    config = TrainConfig(model=Dbn(units=(8,), visible="gaussian"), batch=64)
    with pytest.raises(ConfigError, match="divergence_1, the first phase of this training, which tells no loss"):
        range_test(config, config.model, given, transform, (1e-5, 1e-3), 30)


def test_a_loss_that_is_not_finite_at_once_is_told_with_its_rate(tmp_path):
    given, transform = customers(tmp_path)
    config = TrainConfig(model=Mlp(units=(8,), l2=1e38), batch=64)
    with pytest.raises(ConfigError, match=r"not finite at the first step, at a rate of 0\.001"):
        range_test(config, config.model, given, transform, (1e-3, 1.0), 30)


@pytest.mark.slow
def test_of_a_series_all_steps_are_made_though_windows_are_fewer_than_rows(tmp_path):
    """Of 60 rows there are 31 windows: three batches of eight an epoch, where rows would make seven."""
    frames = {"train": series_rows(60), "val": series_rows(40, START + timedelta(hours=60))}
    given, transform = prepared(tmp_path, series_contract(), frames)
    config = TrainConfig(model=Forecast(core="none", units=(4,), decoder="dense"), batch=8, monitor="loss")
    found = range_test(config, config.model, given, transform, (1e-5, 1e-3), 20)
    assert found["steps"] == 20 and found["rates"][-1] == pytest.approx(1e-3)
