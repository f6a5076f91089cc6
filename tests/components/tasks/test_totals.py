"""Numbers added up part by part against scikit-learn over all rows."""

import numpy as np
import pytest

from kilnworks.components.tasks.choose import choose
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.schemas.contract import Contract
from tests.components.learning.training_examples import DIGITS, PRICES, TABLE

pytestmark = pytest.mark.slow

ROWS = 1001
CUTS = (1, 2, 400, 1000)


def in_parts(contract: Contract, label: np.ndarray, output: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Added up over five uneven parts, and at once."""
    task = choose(contract).fitted(contract, LabelStatistics.of(contract, [label]), TaskSettings())
    totals = task.totals()
    for some, out in zip(np.split(label, CUTS), np.split(output, CUTS), strict=True):
        totals.add(task.target(some), out)
    return totals.numbers(), task.measure(task.target(label), output)


def test_binary() -> None:
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    random = np.random.default_rng(1)
    label = random.integers(0, 2, ROWS).astype(np.int32)
    score = np.round(random.uniform(0.01, 0.99, ROWS), 2).astype(np.float32)
    found, at_once = in_parts(TABLE, label, score[:, None])
    assert found["accuracy"] == accuracy_score(label, score > 0.5)
    assert found["auc"] == pytest.approx(roc_auc_score(label, score), rel=1e-12)
    assert found["loss"] == pytest.approx(log_loss(label, score), rel=1e-5)
    assert (found["accuracy"], found["auc"]) == (at_once["accuracy"], at_once["auc"])


def test_multiclass() -> None:
    from sklearn.metrics import accuracy_score, log_loss

    random = np.random.default_rng(2)
    label = (np.arange(ROWS) % 10).astype(np.int32)
    exact = random.dirichlet(np.ones(10) * 3, ROWS)
    output = exact.astype(np.float32)
    found, _ = in_parts(DIGITS, label, output)
    assert found["accuracy"] == accuracy_score(label, output.argmax(axis=1))
    assert found["loss"] == pytest.approx(log_loss(label, exact, labels=range(10)), rel=1e-4)


def test_regression() -> None:
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    random = np.random.default_rng(3)
    label = random.normal(3e5, 1e5, ROWS).astype(np.float32)
    output = (label + random.normal(0, 1e4, ROWS)).astype(np.float32)[:, None]
    found, at_once = in_parts(PRICES, label, output)
    assert found["mae"] == pytest.approx(mean_absolute_error(label, output[:, 0]), rel=1e-6)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(label, output[:, 0]), rel=1e-6)
    assert found == pytest.approx(at_once, rel=1e-6)
