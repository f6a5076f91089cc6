"""One metric without its interval is the value that the evaluation says."""

import numpy as np
import pytest

from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.binary import Binary
from kilnworks.components.tasks.multiclass import Multiclass
from kilnworks.components.tasks.multilabel import Multilabel
from kilnworks.components.tasks.regression import Regression
from kilnworks.schemas.contract import Contract


def task(kind, **label):
    tree = {"name": "made", "features": {"x": {"dtype": "float"}}, "label": {"name": "y", **label}}
    return kind.of(Contract.model_validate(tree))


def shares(rng, rows, classes):
    found = rng.random((rows, classes)) + 1e-3
    return found / found.sum(axis=1, keepdims=True)


CASES = {
    "binary": lambda rng, n: (
        task(Binary, dtype="string", classes=["a", "b"]),
        rng.integers(0, 2, n),
        {"probabilities": shares(rng, n, 2)},
    ),
    "multiclass": lambda rng, n: (
        task(Multiclass, dtype="string", classes=["a", "b", "c", "d"]),
        rng.integers(0, 3, n),
        {"probabilities": shares(rng, n, 4)},
    ),
    "multilabel": lambda rng, n: (
        task(Multilabel, dtype="string", classes=["a", "b", "c"], many=True),
        rng.integers(0, 2, (n, 3)),
        {"probabilities": rng.random((n, 3))},
    ),
    "regression": lambda rng, n: (
        task(Regression, dtype="float"),
        rng.normal(size=n),
        {"score": rng.normal(size=n)},
    ),
}


@pytest.mark.parametrize("rows", [1, 7, 3000])
@pytest.mark.parametrize("name", CASES)
def test_each_metric_alone_is_the_one_of_the_evaluation(name, rows):
    of, truth, answers = CASES[name](np.random.default_rng(rows), rows)
    settings = JudgeSettings(resamples=100, top_k=2)
    told = of.scores(truth, answers, settings)
    assert len(told) >= 5
    for metric in of.metrics_of(2):
        wanted = told[metric.name].value
        wanted = float("nan") if wanted is None else wanted
        assert of.value(metric, truth, answers, settings) == pytest.approx(wanted, nan_ok=True), metric.name
        right = of.right(metric.name, truth, answers, settings)
        assert (right is not None) == ("accuracy" in metric.name and metric.name != "balanced_accuracy")
        if right is not None:
            assert right.mean() == pytest.approx(wanted)
