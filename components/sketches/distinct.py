"""How many different values, from hashes, in 16 KiB: HyperLogLog (Flajolet and others 2007), error about 0.8 %."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BITS = 14
REGISTERS = 2**BITS
_ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)


class HyperLogLog:
    """Counts different 64-bit hashes; two counters merge into that of both."""

    def __init__(self) -> None:
        self._ranks = np.zeros(REGISTERS, dtype=np.uint8)

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Take hashes; each value counts once however often it comes."""
        if not hashes.size:
            return
        register = (hashes >> np.uint64(64 - BITS)).astype(np.int64)
        rest = ((hashes << np.uint64(BITS)) >> np.uint64(11)).astype(np.float64)
        _, length = np.frexp(rest)
        rank = np.minimum(54 - length, 64 - BITS + 1).astype(np.uint8)
        np.maximum.at(self._ranks, register, rank)

    def merge(self, other: HyperLogLog) -> None:
        """Take what another counter has seen."""
        np.maximum(self._ranks, other._ranks, out=self._ranks)

    @property
    def count(self) -> int:
        """About how many different hashes were seen."""
        estimate = _ALPHA * REGISTERS**2 / float(np.exp2(-self._ranks.astype(np.float64)).sum())
        empty = int((self._ranks == 0).sum())
        if estimate <= 2.5 * REGISTERS and empty:
            estimate = REGISTERS * math.log(REGISTERS / empty)
        return round(estimate)
