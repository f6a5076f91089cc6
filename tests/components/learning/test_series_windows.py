"""Windows gathered in the graph, and that no forecast looks ahead."""

import numpy as np
import pytest
import tensorflow as tf

from kilnworks.components.learning.windows import WindowFeed
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.series.grid import Grid
from kilnworks.components.series.served import windowed
from kilnworks.components.tasks.forecast import Forecasting
from tests.components.series.test_grid import contract, rows


@pytest.fixture(scope="module")
def grid():
    rng = np.random.default_rng(1)
    frame = rows(200, place=["a"] * 200)
    noise = {name: rng.normal(size=200) for name in ("y", "wind", "rain")}
    return Grid.of(contract(window=48, group="place"), [frame.with_columns(**noise)])


def network(core, grid, decoder="dense", units=(8,), **options):
    from kilnworks.components.features.kinds.as_sent import AsSentPlan
    from kilnworks.components.features.plan import TransformPlan

    served = windowed(grid.contract)
    plan = TransformPlan(contract=served, rows=1, features={n: AsSentPlan() for n in served.features})
    task = Forecasting.of(grid.contract).taught({"wind": (0.1, 0.9), "rain": (0.0, 1.1)}, ("a",), 1.0)
    tf.keras.utils.set_random_seed(3)
    return Forecast(core=core, width=4, units=units, decoder=decoder, **options).network(plan.encoded, task), task


def sent(grid, origins):
    return {name: tf.constant(np.array(frame.to_list())) for name, frame in _frame(grid, origins).items()}


def _frame(grid, origins):
    frame = next(grid.windows(np.asarray(origins), 100)).select(list(windowed(grid.contract).features))
    at = frame["at"].dt.epoch("s")
    return {**{c: frame[c] for c in frame.columns}, "at": at}


def test_gathered_windows_are_those_of_a_loop(grid):
    origins = grid.origins(0)
    feed = WindowFeed(grid, origins, 8, 0)
    feed.hold(["/CPU:0"])
    block = next(feed.blocks(range(1), 2))
    arrays, target = feed.read(tf.constant(block), 1)
    for row, number in enumerate(block[1]):
        at = origins[number]
        np.testing.assert_array_equal(arrays["y"][row], grid.values[at - 48 : at, 0])
        np.testing.assert_array_equal(arrays["wind"][row], grid.values[at - 48 : at + 6, 1])
        np.testing.assert_array_equal(arrays["rain"][row], grid.values[at - 48 : at, 2])
        np.testing.assert_array_equal(target[row], grid.values[at : at + 6, 0])
        assert int(arrays["at"][row]) == grid.seconds[at]
    np.testing.assert_array_equal(next(feed.blocks(range(1), 2)), block)


@pytest.mark.slow
@pytest.mark.parametrize("core", ["none", "gru", "lstm", "tcn", "transformer"])
def test_a_changed_future_row_moves_no_prediction(grid, core):
    from dataclasses import replace

    model, _ = network(core, grid)
    before = model(sent(grid, [100]))
    later = grid.values.copy()
    later[100:, [0, 2]] = 1e6  # the label, and what is known of the past alone
    np.testing.assert_array_equal(model(sent(replace(grid, values=later), [100])), before)
    earlier = grid.values.copy()
    earlier[99, 0] += 3
    assert np.abs(model(sent(replace(grid, values=earlier), [100])) - before).max() > 1e-4
    known = grid.values.copy()
    known[103, 1] += 3  # what is known ahead
    assert np.abs(model(sent(replace(grid, values=known), [100])) - before).max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("core", "decoder"), [("gru", "dense"), ("none", "gru"), ("tcn", "gru"), ("transformer", "dense")]
)
def test_missing_steps_and_unseen_groups_have_finite_answers_in_order(grid, core, decoder, tmp_path):
    model, task = network(core, grid, decoder)
    inputs = sent(grid, [100, 120])
    inputs["y"] = tf.fill(inputs["y"].shape, np.float32("nan"))
    inputs["wind"] = tf.fill(inputs["wind"].shape, np.float32("nan"))
    inputs["place"] = tf.constant(["never seen", ""])
    answers = task.answers(model(inputs))
    low, middle, high = (np.asarray(answers[n]) for n in ("low", "forecast", "high"))
    assert np.isfinite(middle).all()
    assert (low <= middle).all() and (middle <= high).all()
    model.save(tmp_path / "m.keras")
    again = tf.keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(inputs), model(inputs))


def test_the_pinball_loss_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    truth, made = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=(3, 4, 3)).astype(np.float32)
    from kilnworks.components.tasks.losses import Pinball

    wanted = [
        max(q * (truth[i, k] - made[i, k, j]), (q - 1) * (truth[i, k] - made[i, k, j])) / 2
        for i in range(3) for k in range(4) for j, q in enumerate((0.1, 0.5, 0.9))
    ]  # fmt: skip
    assert float(Pinball((0.1, 0.5, 0.9), 2.0)(truth, made)) == pytest.approx(np.mean(wanted), rel=1e-5)
