"""How much less rows that follow one another say than independent ones."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def inflation(values: Floats) -> float:
    """Variance of means of neighbouring rows relative to independent rows, >= 1 (batch means; Glynn and Whitt 1991).

    ``n`` rows in order count for ``n / inflation`` independent ones. The largest ratio over blocks of 10 rows up to a
    twentieth of the file is taken; below 1.6 it cannot be told from 1 and is 1. ``values`` [n], NaN = missing.
    """
    present = values[~np.isnan(values)]
    variance = float(present.var()) if present.size else 0.0
    if present.size < 200 or variance <= 0:
        return 1.0
    largest = 1.0
    size = 10
    while size <= present.size // 20:
        blocks = present[: present.size // size * size].reshape(-1, size).mean(axis=1)
        largest = max(largest, size * float(blocks.var(ddof=1)) / variance)
        size *= 2
    return largest if largest > 1.6 else 1.0
