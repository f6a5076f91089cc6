"""Quantiles of a stream of numbers in bounded memory."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kilnworks.components.sketches.weighted import Weighted

Floats = NDArray[np.float64]


@dataclass
class Quantiles:
    """Quantiles of a stream of numbers: exact up to ``capacity`` different values.

    Beyond that the values are thinned to ``capacity // 2`` at equal steps of the cumulative weight; each thinning
    moves a rank by at most one part in ``capacity``.
    """

    capacity: int = 16_384
    seen: Weighted = field(default_factory=Weighted)

    def add(self, batch: Floats) -> None:
        """Take in a batch of float64 [rows] without NaN."""
        self.seen = self.seen.merged(Weighted.of(batch))
        if len(self.seen.values) > self.capacity:
            self.seen = self.seen.thinned(self.capacity // 2)

    def at(self, shares: ArrayLike) -> Floats:
        """The values [S] below which the given shares [S] (0 to 1) lie; linear between neighbours.

        At least one value was added.
        """
        return self.seen.at(shares)
