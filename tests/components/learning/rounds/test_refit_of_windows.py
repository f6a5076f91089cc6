"""A forecast that is trained once more on training and validation rows, once the best epoch is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from kilnworks.components.learning.rounds.refit import _expected
from kilnworks.components.learning.windows import WindowEncoder, WindowFeed, window_splits
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.tasks.choose import read_task
from kilnworks.components.tasks.forecast import Forecasting
from kilnworks.components.train import TrainConfig
from tests.components.learning.test_families_resumed import HOURS, hours
from tests.components.learning.training_examples import prepared, trained

pytestmark = pytest.mark.slow

QUICK = {"model": Forecast(core="none", units=(4,)), "epochs": 3, "batch": 32, "early_stopping": None}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    splits = {"train": hours(220, 0), "val": hours(80, 220), "test": hours(60, 300)}
    return prepared(tmp_path_factory.mktemp("windows"), HOURS, splits)


@pytest.fixture(scope="module")
def both(data, tmp_path_factory):
    """The same training without and with a network on all rows."""
    root = tmp_path_factory.mktemp("refitted")
    return {refit: trained(root, TrainConfig(**QUICK, refit=refit), *data, f"out-{refit}") for refit in (0, 1)}


def test_it_learns_from_the_origins_of_both_splits(data, both, monkeypatch, tmp_path) -> None:
    grid = WindowEncoder(None, None, data[0]).grid
    wanted = np.concatenate([grid.origins(0), grid.origins(1)])
    told = both[1].training["refit"]
    assert told["rows"] == len(wanted) > both[0].training["rows"]["train"] and told["networks"] == 1
    seen = []
    first = WindowFeed.__init__
    monkeypatch.setattr(WindowFeed, "__init__", lambda self, *given: (seen.append(given[1]), first(self, *given))[1])
    trained(tmp_path, TrainConfig(**{**QUICK, "epochs": 1}, refit=1), *data)
    np.testing.assert_array_equal(seen[-1], wanted)
    assert max(seen[-1]) < min(grid.origins(2)), "nothing of the test rows"


def test_its_interval_is_that_of_the_network_that_did_not_see_the_validation_rows(both) -> None:
    plain, again = (read_task(made.path / "task.json") for made in (both[0], both[1]))
    assert again.stretch == plain.stretch
    weights = [load_trained(made).get_weights() for made in (both[0], both[1])]
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(*weights, strict=True))


def test_the_time_that_a_network_needs_counts_every_window_of_both_splits(tmp_path) -> None:
    """Validation measures fewer windows than are learned from; a budget must not take these for all."""
    contract = HOURS.model_copy(update={"series": HOURS.series.model_copy(update={"horizon": 16})})
    given, _ = prepared(tmp_path, contract, {"train": hours(220, 0), "val": hours(80, 220)})
    _, splits = window_splits(TrainConfig(**QUICK), WindowEncoder(None, Forecasting, given), 32)
    assert splits.validation.rows < 0.6 * splits.validation.split_rows
    chosen = SimpleNamespace(pace=5.0, splits=splits)
    assert _expected(chosen, [3, 1]) == pytest.approx(10 / 2 * 4 * splits.everything(0).rows / splits.feed.rows)
