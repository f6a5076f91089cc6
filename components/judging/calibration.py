"""Whether a probability of 0.7 comes true in 70 % of the cases: reliability bins and calibration errors.

Expected and maximum calibration error after Naeini et al. 2015; interval of a share after Wilson 1927.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def calibration(probability: NDArray[np.floating], happened: NDArray[np.bool_], bins: int = 10) -> dict[str, Any]:
    """Reliability of probabilities [N] against what happened [N].

    Returns:
        ``bins``: those with rows, of equal width, each ``{"low", "high", "rows", "predicted", "observed",
        "observed_low", "observed_high"}`` (mean probability, share that happened, its 95 % interval);
        ``ece`` and ``mce``: mean (weighted by rows) and largest difference of predicted and observed, 0 to 1.
    """
    edges = np.linspace(0, 1, bins + 1)
    where = np.digitize(probability, edges[1:-1], right=False)
    rows = np.bincount(where, minlength=bins)
    filled = rows > 0
    n = rows[filled]
    predicted = np.bincount(where, weights=probability, minlength=bins)[filled] / n
    observed = np.bincount(where, weights=happened, minlength=bins)[filled] / n
    gap = np.abs(predicted - observed)
    low, high = wilson(observed, n)
    columns = zip(edges[:-1][filled], edges[1:][filled], n, predicted, observed, low, high, strict=True)
    names = ("low", "high", "rows", "predicted", "observed", "observed_low", "observed_high")
    return {
        "bins": [dict(zip(names, (float(f"{v:.6g}") for v in row), strict=True)) for row in columns],
        "ece": float((gap * n).sum() / n.sum()),
        "mce": float(gap.max()),
    }


def wilson(share: NDArray[np.floating], n: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % interval of shares [B], 0 to 1, seen in ``n`` [B] trials each, n >= 1 (Wilson 1927).

    Returns:
        Lower and upper ends, [B] each, 0 to 1.
    """
    z2 = 1.959964**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
