"""Numbers added up part by part against scikit-learn over all rows."""

import numpy as np
import pytest

from kilnworks.components.tasks import totals
from kilnworks.components.tasks.choose import choose
from kilnworks.components.tasks.detection.task import Detection
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.components.tasks.totals import Totals
from kilnworks.schemas.contract import Contract, Label
from tests.components.learning.training_examples import DIGITS, PRICES, TABLE

pytestmark = pytest.mark.slow

ROWS = 1001
CUTS = (1, 2, 400, 1000)


def in_parts(contract: Contract, label: np.ndarray, output: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Added up over five uneven parts, and at once."""
    task = choose(contract).fitted(contract, LabelStatistics.of(contract, [label]), TaskSettings())
    added = task.totals()
    for some, out in zip(np.split(label, CUTS), np.split(output, CUTS), strict=True):
        added.add(task.target(some), out)
    return added.numbers(), task.measure(task.target(label), output)


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


def tables() -> dict[str, tuple[Contract, np.ndarray, np.ndarray]]:
    """Contract, labels and outputs of tasks whose rows are of a table."""
    random = np.random.default_rng(4)
    return {
        "binary": (TABLE, random.integers(0, 2, 10).astype(np.int32), random.uniform(0.1, 0.9, (10, 1))),
        "multiclass": (DIGITS, np.arange(10, dtype=np.int32), random.dirichlet(np.ones(10), 10)),
        "regression": (PRICES, random.normal(3e5, 1e5, 10).astype(np.float32), random.normal(3e5, 1e5, (10, 1))),
    }


@pytest.mark.parametrize("at_once", [1, 25, 2**20])
@pytest.mark.parametrize("name", ["binary", "multiclass", "regression"])
def test_the_loss_of_each_row_is_that_of_the_row_alone(monkeypatch, name: str, at_once: int) -> None:
    monkeypatch.setattr(totals, "AT_ONCE", at_once)
    contract, label, output = tables()[name]
    output = output.astype(np.float32)
    task = choose(contract).fitted(contract, LabelStatistics.of(contract, [label]), TaskSettings())
    target = task.target(label)
    alone = [task.measure(target[i : i + 1], output[i : i + 1])["loss"] for i in range(len(label))]
    each = task.totals().each(target, output)
    assert each is not None and each.shape == (10,) and each.dtype == np.float64
    np.testing.assert_allclose(each, alone, rtol=1e-6)


@pytest.mark.parametrize("head", ["points", "retina", "ssd", "yolo"])
def test_the_loss_of_each_image_is_that_of_the_image_alone(head: str) -> None:
    task = Detection(label=Label(name="boxes", dtype="boxes", classes=("a", "b")), shapes=((0.2, 0.2),), how=head)
    random = np.random.default_rng(5)
    low = random.uniform(0, 0.5, (4, 6, 2))
    boxes = np.concatenate([low, low + random.uniform(0.1, 0.5, (4, 6, 2))], axis=2)
    output = np.concatenate([boxes, boxes, random.normal(size=(4, 6, 2 + (head in ("ssd", "yolo"))))], axis=2)
    truth = np.concatenate([boxes[:, :3], random.integers(0, 2, (4, 3, 1))], axis=2)
    truth[0, 1:] = -1  # an image of one box
    target, output = truth.astype(np.float32), output.astype(np.float32)
    each = task.totals().each(target, output)
    assert each is not None
    alone = [task.measure(target[i : i + 1], output[i : i + 1])["loss"] for i in range(4)]
    np.testing.assert_allclose(each, alone, rtol=1e-5)


def test_a_loss_that_is_a_function_tells_of_no_single_row() -> None:
    assert Totals(lambda target, output: 0.5).each(np.zeros(3), np.zeros((3, 1))) is None
