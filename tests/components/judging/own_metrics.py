"""Metrics as a user writes them."""

from typing import Any

import numpy as np


def f2(truth: np.ndarray, probabilities: np.ndarray, beta: float = 2.0) -> float:
    said = probabilities[:, 1] > 0.5
    hits = float((said & (truth == 1)).sum())
    wrong = float((said & (truth == 0)).sum())
    missed = float((~said & (truth == 1)).sum())
    below = (1 + beta**2) * hits + beta**2 * missed + wrong
    return (1 + beta**2) * hits / below if below else float("nan")


def classes_known(truth: np.ndarray, classes: tuple[str, ...]) -> float:
    return len(classes)


def broken(truth: np.ndarray, probabilities: np.ndarray) -> Any:
    return probabilities[:, 7].sum()


def mcc(truth: np.ndarray, answers: dict) -> float:
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(truth, answers["probabilities"][:, 1] > 0.5))
