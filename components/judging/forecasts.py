"""What an evaluation tells of forecasts, for ``evaluation.json``: errors by step and hour, and three windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def described(truth: NDArray[Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Errors, windows and the baseline of the value of a season before.

    Args:
        truth: of each step the value, that of a season before (or NaN), the hour and a scale, [n, 4, horizon].
        answers: ``forecast``, ``low`` and ``high``, [n, horizon] each.
    """
    error = np.abs(answers["forecast"] - truth[:, 0])
    naive = np.abs(truth[:, 1] - truth[:, 0])
    inside = (answers["low"] <= truth[:, 0]) & (truth[:, 0] <= answers["high"])
    hours = truth[:, 2].astype(np.int64)
    known = np.isfinite(naive)
    by_hour = [
        {"hour": int(h), "mae": _mean(error[hours == h]), "naive": _mean(naive[(hours == h) & known])}
        for h in np.unique(hours)
    ]
    by_step = [
        {
            "step": k + 1,
            "mae": _mean(error[:, k]),
            "naive": _mean(naive[known[:, k], k]),
            "coverage": _mean(inside[:, k]),
        }
        for k in range(truth.shape[2])
    ]
    return {
        "ahead": {"by_step": by_step, "by_hour": by_hour, "windows": _windows(truth, answers, error.mean(axis=1))},
        "baseline": {"rule": "the value of a season before", "metrics": _seasonal(naive, truth[:, 3], known)},
    }


def _seasonal(naive: NDArray[Any], scale: NDArray[Any], known: NDArray[Any]) -> dict[str, float]:
    """Metrics of the value of a season before, over the steps where there is one."""
    if not known.any():
        return {}
    errors = naive[known]
    found = {"mae": errors.mean(), "rmse": (errors**2).mean() ** 0.5, "mase": (errors / scale[known]).mean()}
    return {**{name: float(value) for name, value in found.items()}, "relative_mae": 1.0}


def _windows(truth: NDArray[Any], answers: Mapping[str, Any], error: NDArray[Any]) -> dict[str, Any]:
    """The windows with the smallest, the median and the largest error."""
    order = np.argsort(error, kind="stable")
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    return {
        name: {
            "mae": float(error[row]),
            "truth": truth[row, 0].tolist(),
            "hours": truth[row, 2].tolist(),
            **{n: np.asarray(answers[n][row], np.float64).tolist() for n in ("forecast", "low", "high")},
        }
        for name, row in chosen.items()
    }


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if values.size else None
