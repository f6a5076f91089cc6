"""Nine whole numbers a row: levels, differences of them, and columns that are 0 but for heavy tails; some strange."""

import numpy as np


def nine_numbers(seed: int, rows: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, float64 [rows, 9], and which rows are strange, bool [rows].

    Nine tenths of the strange rows lie close together, far out in three columns, and keep the differences; the others
    are usual but for a difference that does not hold.
    """
    draw = np.random.default_rng(seed)
    odd = np.zeros(rows, bool)
    odd[draw.permutation(rows)[: round(share * rows)]] = True
    mode = draw.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])
    first = np.array([37, 44, 49, 55])[mode] + draw.normal(0, 2, rows)
    second = 79 + 6 * draw.standard_normal(rows) + 3 * (mode - 1.5)
    third = np.array([28, 36, 44, 50])[mode] + draw.normal(0, 4, rows)
    together = odd & (draw.random(rows) < 0.9)
    first[together] = 85 + draw.normal(0, 4, together.sum())
    second[together] = 88 + draw.normal(0, 8, together.sum())
    third[together] = 6 + draw.normal(0, 10, together.sum())
    peaks = [
        np.where(draw.random(rows) < 0.6, 0, np.round(draw.standard_t(1.2, rows) * scale)).clip(-4000, 4000)
        for scale in (1.0, 0.7, 8.0)
    ]
    near = draw.normal(0, 0.7, (3, rows))
    apart = [second - first + near[0], second - third + near[1], first - third + near[2]]
    alone = odd & ~together
    apart[0][alone] += draw.choice([-1, 1], alone.sum()) * draw.uniform(15, 40, alone.sum())
    columns = [first, peaks[0], second, peaks[1], third, peaks[2], *apart]
    return np.round(np.stack(columns, axis=1)), odd
