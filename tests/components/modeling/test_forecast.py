"""Members of a forecast, and forecasts of square roots, against loops and formulas by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.modeling.forecasts.settings import View
from kilnworks.components.modeling.forecasts.steps import Steps
from kilnworks.components.tasks.forecast import Forecasting
from kilnworks.components.tasks.layer_names import LayerNames
from tests.components.learning.test_series_windows import grid, network, sent  # noqa: F401  (a fixture)


@pytest.mark.slow
@pytest.mark.parametrize("root", [False, True])
def test_members_answer_with_their_mean_and_learn_each_by_itself(grid, root, tmp_path):  # noqa: F811
    model, task = network("none", grid, members=3, root=root)
    inputs = sent(grid, [100, 120])
    trained = Forecast(core="none", members=3).training(model, task)
    each = np.asarray(trained(inputs))
    assert each.shape == (2, 3, 6, 3)
    assert np.abs(each[:, 0] - each[:, 1]).max() > 1e-3, "members begin apart"
    np.testing.assert_allclose(model(inputs), each.mean(axis=1), rtol=1e-5, atol=1e-6)
    truth = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    losses = []
    for row in range(2):
        for member in range(3):
            for step in range(6):
                for share, quantile in zip((0.1, 0.5, 0.9), each[row, member, step], strict=True):
                    apart = (truth[row, step] - quantile) / task.scale
                    losses.append(max(share * apart, (share - 1) * apart))
    trained.compile(loss=task.loss())
    found = trained.compute_loss(None, ops.convert_to_tensor(truth), ops.convert_to_tensor(each))
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(inputs), model(inputs))


@pytest.mark.slow
def test_members_see_what_their_view_shows_and_are_served_so(grid, tmp_path):  # noqa: F811
    options = {"members": 4, "views": (View(), View(before=False)), "root": True}
    model, task = network("none", grid, **options)
    trained = Forecast(core="none", **options).training(model, task)
    inputs = sent(grid, [100, 120])
    each = np.asarray(trained(inputs))
    assert each.shape == (2, 4, 6, 3)
    assert min(np.abs(each[:, a] - each[:, b]).max() for a in range(4) for b in range(a)) > 1e-3, "members differ"
    np.testing.assert_allclose(model(inputs), each.mean(axis=1), rtol=1e-5, atol=1e-6)
    wind = np.array(inputs["wind"])
    for places, moved in ((slice(0, 48), [True, True, False, False]), (slice(48, 54), [True] * 4)):
        other = wind.copy()
        other[:, places] += 1
        found = np.asarray(trained({**inputs, "wind": ops.convert_to_tensor(other)}))
        assert [bool(np.abs(found[:, k] - each[:, k]).max() > 1e-4) for k in range(4)] == moved
    model.export(tmp_path / "served", verbose=False)
    typed = {i.name: v if v.dtype == tf.string else tf.cast(v, i.dtype) for i in model.inputs for v in [inputs[i.name]]}
    (served,) = tf.saved_model.load(tmp_path / "served").signatures["serving_default"](**typed).values()
    np.testing.assert_allclose(served, model(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("view", "days"),
    [
        (View(days=(2,), before=False), [2]),
        (View(days=(1,), before=False, around=2), [1]),
        (View(days=(9,), before=False), [1, 2]),
    ],
    ids=["one day", "around", "a day beyond the window"],
)
def test_a_view_shows_days_and_what_lies_around_a_step(grid, view, days):  # noqa: F811
    task = Forecasting.of(grid.contract).taught({"wind": (0.1, 0.9), "rain": (0.0, 1.1)}, ("a",), 1.0)
    raw = sent(grid, [100])
    y, wind = (np.array(raw[name])[0] for name in ("y", "wind"))
    seen = Steps.of(task, {n: v if n in ("at", "place") else ops.cast(v, "float32") for n, v in raw.items()}, 7,
                    LayerNames(set()), view=view)  # fmt: skip
    level, spread = y.mean(), np.sqrt(y.var() + 0.05**2)
    apart = [k for k in range(-view.around, view.around + 1) if k]
    for j in range(6):
        wanted = [(wind[48 + j] - 0.1) / 0.9]
        wanted += [(y[48 + j - 24 * back] - level) / spread for back in days]
        wanted += [(y[48 + j - 24 * back + k] - level) / spread for back in days for k in apart]
        wanted += [(wind[min(53, 48 + j + k)] - 0.1) / 0.9 for k in apart]
        np.testing.assert_allclose(seen.ahead[0, j, : len(wanted)], wanted, rtol=1e-4, atol=1e-5)
        assert float(seen.base[0, j, 0]) == pytest.approx(np.mean(wanted[1 : 1 + len(days)]), rel=1e-4)


@pytest.mark.parametrize(("level", "wanted"), [(3.0, [2.6054, 9.0, 19.2400]), (-3.0, [-19.2400, -9.0, -2.6054])])
def test_roots_are_squared_again_with_their_sign(level, wanted):
    seen = Steps(None, None, np.zeros((1, 1, 1), "f"), np.full((1, 1, 1), level, "f"), np.full((1, 1, 1), 2, "f"), True)
    spread = 2 * np.log(2)  # softplus of 0, times the spread of the window
    by_hand = [np.sign(q) * q * q for q in (level - spread, level, level + spread)]
    got = np.asarray(seen.quantiles(np.zeros((1, 1, 3), "f")))[0, 0]
    np.testing.assert_allclose(got, by_hand, rtol=1e-5)
    np.testing.assert_allclose(got, wanted, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"core": "transformer", "width": 30, "heads": 4}, "width 30 is not divisible by 4 heads"),
        ({"members": 2, "normalization": "layer"}, "several members have no normalization"),
        ({"members": 3, "views": (View(), View(before=False))}, "3 members for 2 views; make it a multiple"),
    ],
    ids=["heads", "normalization", "views"],
)
def test_settings_that_do_not_fit_are_refused(options, told):
    with pytest.raises(Exception, match=told):
        Forecast(**options)


@pytest.mark.parametrize("members", [1, 3])
def test_what_comes_next_changes_along_with_the_history(grid, members):  # noqa: F811
    from kilnworks.components.modeling.forecasts.settings import SeriesAugmentation

    model, task = network("none", grid, members=members)
    changes = SeriesAugmentation(scaling=0.4, rate=0.6)
    trained = Forecast(core="none", members=members, augmentation=changes).training(model, task)
    inputs = {name: ops.tile(value, (300, *[1] * (len(value.shape) - 1))) for name, value in sent(grid, [100]).items()
              if value.dtype != "string"}  # fmt: skip
    history = np.array(inputs["y"])
    history[:, 5] = np.nan
    target = np.random.default_rng(2).normal(size=(300, 6)).astype(np.float32)
    found, later = trained.changed({**inputs, "y": ops.convert_to_tensor(history)}, ops.convert_to_tensor(target))
    factor = np.asarray(later) / target
    np.testing.assert_allclose(factor, np.repeat(factor[:, :1], 6, axis=1), rtol=1e-4)
    wanted = history * factor[:, :1]
    np.testing.assert_allclose(np.asarray(found["y"]), wanted, rtol=1e-4)
    same = np.isclose(factor[:, 0], 1, atol=1e-6)
    assert same.mean() == pytest.approx(0.4, abs=0.1)
    logarithms = np.log(factor[~same, 0])
    assert logarithms.std() == pytest.approx(0.4, rel=0.2) and abs(logarithms.mean()) < 0.12
    for name in set(inputs) - {"y"}:
        assert found[name] is inputs[name]


def test_noise_is_on_the_history_alone_and_in_the_deviation_of_its_window(grid):  # noqa: F811
    from kilnworks.components.modeling.forecasts.settings import SeriesAugmentation

    model, task = network("none", grid)
    trained = Forecast(core="none", augmentation=SeriesAugmentation(jitter=0.5, rate=1)).training(model, task)
    history = np.random.default_rng(0).normal(5, 3, (400, 48)).astype(np.float32)
    history[:, 7] = np.nan
    target = ops.zeros((400, 6))
    found, later = trained.changed({"y": ops.convert_to_tensor(history)}, target)
    assert later is target
    noise = (np.asarray(found["y"]) - history) / np.nanstd(history, axis=1, keepdims=True)
    assert np.isnan(noise[:, 7]).all()
    assert np.nanstd(noise) == pytest.approx(0.5, rel=0.03) and abs(np.nanmean(noise)) < 0.02


@pytest.mark.parametrize("members", [1, 2])
def test_a_changed_training_trains_the_same_layers(grid, members):  # noqa: F811
    from kilnworks.components.modeling.forecasts.settings import SeriesAugmentation

    model, task = network("none", grid, members=members)
    changes = SeriesAugmentation(jitter=0.1, scaling=0.2)
    trained = Forecast(core="none", members=members, augmentation=changes).training(model, task)
    trained.compile(keras.optimizers.Adam(1e-2), task.loss(), run_eagerly=True)
    before = [np.array(w) for w in model.get_weights()]
    logs = trained.train_step((sent(grid, [100, 120]), ops.ones((2, 6))))
    assert np.isfinite(float(logs["loss"]))
    assert any(np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("rows", [3, 6])
def test_no_row_changes_the_answer_of_another_however_many_there_are(grid, rows, members):  # noqa: F811
    """Three quantiles and three members, six steps: as many rows as another axis is long."""
    model, _ = network("none", grid, members=members)
    inputs = sent(grid, range(100, 100 + rows))
    alone = [np.asarray(model({name: value[i : i + 1] for name, value in inputs.items()}))[0] for i in range(rows)]
    np.testing.assert_allclose(np.asarray(model(inputs)), alone, rtol=1e-4, atol=1e-5)
