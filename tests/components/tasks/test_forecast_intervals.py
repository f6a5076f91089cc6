"""How wide a forecast's interval is: by validation windows, against loops by hand, and where nothing is known."""

import numpy as np
import pytest
import tensorflow as tf

from kilnworks.components.tasks.forecast import Forecasting
from tests.components.learning.test_series_windows import grid, network, sent  # noqa: F401  (a fixture)
from tests.components.series.test_grid import contract

NAN, INF = float("nan"), float("inf")


def task(**told) -> Forecasting:
    return Forecasting.of(contract()).model_copy(update={"offset": 10.0, "scale": 4.0, **told})


def quantiles(windows: int, wide: float) -> np.ndarray:
    """Medians of 10, and intervals that are ``wide`` times too wide, narrow in every second window: [windows, 6, 3]."""
    size = np.where(np.arange(windows) % 2, 4.0, 0.4)[:, None] * np.ones(6)
    middle = np.full((windows, 6), 10.0)
    return np.stack([middle - wide * size, middle, middle + 2 * wide * size], axis=-1)


@pytest.mark.parametrize("wide", [0.3, 1.0, 5.0])
def test_the_stretch_is_the_least_by_which_four_fifths_lie_inside(wide):
    made = quantiles(50, wide)
    truth = made[:, :, 1] + np.random.default_rng(0).normal(size=(50, 6)) * (made[:, :, 2] - made[:, :, 0]) / wide
    needed = []
    for window, steps in zip(made, truth, strict=True):
        for (low, middle, high), value in zip(window, steps, strict=True):
            needed.append((value - middle) / (high - middle) if value > middle else (middle - value) / (middle - low))
    wanted = sorted(needed)[int(np.ceil(0.8 * (len(needed) + 1) / len(needed) * (len(needed) - 1)))]
    told = task().with_stretch(made, truth)
    assert told.stretch == pytest.approx(wanted)
    answers = {name: value.numpy() for name, value in told.answers(tf.constant(made, tf.float32)).items()}
    inside = (answers["low"] <= truth) & (truth <= answers["high"])
    assert 0.8 <= inside.mean() <= 0.82
    width = (answers["high"] - answers["low"]).mean(axis=1)
    np.testing.assert_allclose(width[1::2] / width[::2], 10, rtol=1e-3, err_msg="calm windows stay narrow, never flat")


def test_what_is_not_known_is_not_calibrated():
    told = task(quantiles=(3.0, 9.0, 20.0), stretch=0.1)
    unknown = np.tile(np.array(told.unknown, np.float32), (1, 6, 1))
    answers = told.answers(tf.constant(np.concatenate([unknown, unknown + 1])))
    np.testing.assert_allclose(answers["low"].numpy(), [[3.0] * 6, [10 - 0.6] * 6], rtol=1e-5)
    np.testing.assert_allclose(answers["high"].numpy(), [[20.0] * 6, [10 + 1.1] * 6], rtol=1e-5)


def test_validation_windows_without_a_value_do_not_widen_the_others():
    told = task(quantiles=(3.0, 9.0, 20.0), stretch=0.7)
    made = quantiles(50, 1.0).astype(np.float32)
    truth = made[:, :, 1] + np.random.default_rng(0).normal(size=(50, 6)) * (made[:, :, 2] - made[:, :, 0])
    unknown = np.tile(np.array(told.unknown, np.float32), (30, 6, 1))
    far = np.full((30, 6), 500.0)
    wanted = told.with_stretch(made, truth).stretch
    assert told.with_stretch(np.concatenate([made, unknown]), np.concatenate([truth, far])).stretch == wanted
    assert wanted < told.with_stretch(np.concatenate([made, unknown + 1]), np.concatenate([truth, far])).stretch
    assert told.with_stretch(unknown, far).stretch == 0.7, "nothing was told"


@pytest.mark.parametrize("networks", [3, 7])
def test_a_mean_of_several_networks_knows_no_more(networks):
    """Averages of one number are not always that number in float32: 21.7 three times is not."""
    told = task(offset=21.7, scale=1.0, quantiles=(20.3, 21.7, 22.9), stretch=3.0)
    one = tf.constant(np.tile(np.array(told.unknown, np.float32), (1, 6, 1)))
    mean = tf.add_n([one] * networks) / networks
    assert np.abs(mean - one).max() > 1e-6
    answers = told.answers(mean)
    np.testing.assert_allclose(answers["low"], [[20.3] * 6], rtol=1e-5)
    np.testing.assert_allclose(answers["high"], [[22.9] * 6], rtol=1e-5)


def test_models_of_an_earlier_release_keep_their_margin():
    answers = task(margin=2.0).answers(tf.constant([[[8.0, 10.0, 13.0]] * 6]))
    assert {n: float(v[0, 0]) for n, v in answers.items()} == {"forecast": 10.0, "low": 6.0, "high": 15.0}


@pytest.mark.slow
@pytest.mark.parametrize(("members", "root"), [(1, False), (3, True)])
def test_a_window_without_a_value_is_answered_by_the_training_labels(grid, members, root):  # noqa: F811
    model, told = network("none", grid, members=members, root=root)
    inputs = sent(grid, [100, 120, 130])
    history = np.array(inputs["y"])
    history[1] = NAN
    history[2] = INF
    found = np.asarray(model({**inputs, "y": tf.constant(history)}))
    np.testing.assert_array_equal(found[1:], np.broadcast_to(np.array(told.unknown, np.float32), (2, 6, 3)))
    np.testing.assert_array_equal(found[0], np.asarray(model(inputs))[0], err_msg="of the rows beside it nothing")
    history[1, 5], history[2, 7] = 3e38, -3e38
    assert np.isfinite(np.asarray(model({**inputs, "y": tf.constant(history)}))).all(), "squares fit float32"
