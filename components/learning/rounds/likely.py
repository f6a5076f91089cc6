"""How long a training that early stopping may end is likely to go on: for the time to go (decision 365)."""

from __future__ import annotations

FIRST, FARTHER = 3.0, 1.6
"""Patiences after which a training ends at the earliest, about; and how much farther than the best epoch so far the
best one of all lies, while it still moves on."""


def likely_end(done: float, best: int, patience: int, most: int) -> tuple[float, float]:
    """Epochs until early stopping, and until the best one, both counted from the start.

    While the best epoch moves on, the end lies as much farther as it has come; once half of the patience has gone by
    without a better one, that was the best one.

    Args:
        done: epochs so far, with the share of the one that runs.
        best: the best epoch so far, from 1; 0 before there is one.
        patience: epochs without a better one after which training ends.
        most: epochs at most.
    """
    if done >= most:
        return done, float(best)
    moves = done - best < patience / 2
    end = max(FIRST * patience, FARTHER * best + patience) if moves else best + patience
    end = min(float(most), max(end, int(done) + 1.0))
    return end, max(float(best), end - patience, 1.0)
