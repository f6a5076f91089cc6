"""What was found among several numbers, as plain values, and two ways to compute the same.

One function serves both ways: it is written in operators and in names that NumPy and ``keras.ops`` share. It adds one
number after the other, because a sum along an axis has another order, and other last bits, in each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from kilnworks.components.features.calendar import CalendarPart
from kilnworks.components.features.kinds.scalars import Number, NumberPlan, fill, number_layers
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

FAR = 1e12
"""Numbers beyond this, in deviations, count as this: their squares and their differences stay finite."""
ROWS = 1 << 16
"""Rows that are computed at once with NumPy."""


class DerivedInput(Config):
    """One of the D numbers, scaled as it was when the plan was made, whatever an architecture changes later."""

    feature: str
    part: CalendarPart | None = None
    plan: NumberPlan

    @property
    def number(self) -> Number:
        """As ``scalars`` takes it."""
        return Number(self.feature, self.part, self.plan)


class DerivedPlan(Config):
    """K clusters or components of D numbers."""

    method: Literal["kmeans", "gaussian_mixture", "pca"]
    gives: Literal["distances", "membership"]
    inputs: tuple[DerivedInput, ...]
    """The D numbers."""
    centres: tuple[tuple[float, ...], ...]
    """[K, D]; of components [1, D], their mean."""
    factors: tuple[tuple[tuple[float, ...], ...], ...] = ()
    """What rows less a centre are multiplied by: for Gaussians [K, D, D], the Cholesky factor of the precision; for
    components [1, D, K]; empty for k-means."""
    offsets: tuple[float, ...] = ()
    """For Gaussians [K]: the logarithm of weight and density at the centre."""
    mean: tuple[float, ...] = ()
    """[K] of distances, over the training rows; empty for a membership."""
    deviation: tuple[float, ...] = ()
    """[K] of distances and components, over the training rows; empty for a membership."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features it is made of, each once."""
        return tuple(dict.fromkeys(one.feature for one in self.inputs))

    @property
    def count(self) -> int:
        """K."""
        return len(self.factors[0][0]) if self.method == "pca" else len(self.centres)

    def places(self, name: str) -> tuple[str, ...]:
        """What each of the K places holds: ``habits component 1``, ``habits distance 2``, ``habits cluster 2``."""
        word = "component" if self.method == "pca" else "distance" if self.gives == "distances" else "cluster"
        return tuple(f"{name} {word} {one}" for one in range(1, self.count + 1))

    def columns(self, contract: Contract, frame: pl.DataFrame) -> np.ndarray:
        """The places of every row of a frame with the columns of the contract, float32 [rows, K], with NumPy."""
        import numpy as np

        numbers = [one.number for one in self.inputs]
        out = np.empty((frame.height, self.count), np.float32)
        for start in range(0, frame.height, ROWS):
            part = frame.slice(start, ROWS)
            values = np.zeros((part.height, len(numbers)), np.float32)
            fill(contract, numbers, {}, part, values, np.zeros((part.height, 0), np.float32))
            out[start : start + ROWS] = self.of(np, values)
        return out

    def layers(self, contract: Contract, raw: dict[str, Any]) -> Any:
        """The same as a Keras tensor [n, K], of raw tensors by feature name."""
        from keras import ops

        parts, _ = number_layers(contract, [one.number for one in self.inputs], (), raw)
        return self.of(ops, parts[0])

    def of(self, xp: Any, rows: Any) -> Any:
        """The places [n, K] of scaled numbers [n, D]; ``xp`` is ``numpy`` or ``keras.ops``."""
        import numpy as np

        centres = np.array(self.centres, np.float32)
        rows = xp.clip(rows, -FAR, FAR)
        away = [rows[:, d : d + 1] - centres[:, d][None] for d in range(len(self.inputs))]  # D of [n, K or 1]
        if self.method == "pca":
            factors = np.array(self.factors, np.float32)[0]
            return _sum([one * factors[d][None] for d, one in enumerate(away)])
        squares = _sum([one * one for one in self._turned(away)])
        if self.gives == "distances":
            return (xp.sqrt(squares) - np.array([self.mean], np.float32)) / np.array([self.deviation], np.float32)
        return self._probabilities(xp, squares) if self.method == "gaussian_mixture" else _nearest(xp, squares)

    def _turned(self, away: Sequence[Any]) -> list[Any]:
        """Differences from the centres, D of [n, K], for Gaussians in the spreads of each cluster."""
        import numpy as np

        if not self.factors:
            return list(away)
        factors = np.array(self.factors, np.float32)
        wide = range(len(away))  # the factor of a precision is an upper triangle
        return [_sum([away[d] * factors[:, d, e][None] for d in wide[: e + 1]]) for e in wide]

    def _probabilities(self, xp: Any, squares: Any) -> Any:
        """The probability of each Gaussian [n, K] from squared distances; in float64, as the last bits differ."""
        import numpy as np

        scores = _cast(xp, squares, "float64") * -0.5 + np.array([self.offsets])
        powers = xp.exp(scores - xp.max(scores, axis=1, keepdims=True))
        shares = powers / _sum([powers[:, k : k + 1] for k in range(len(self.offsets))])
        return _cast(xp, shares, "float32")


def _sum(parts: Sequence[Any]) -> Any:
    """Parts added one after the other."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _nearest(xp: Any, squares: Any) -> Any:
    """1 for the smallest of each row [n, K], the first of equals, 0 for the others."""
    import numpy as np

    found = _cast(xp, xp.argmin(squares, axis=1, keepdims=True), "int32")
    return _cast(xp, xp.equal(found, np.arange(squares.shape[1], dtype=np.int32)[None]), "float32")


def _cast(xp: Any, values: Any, dtype: str) -> Any:
    """In another dtype: the one name that the two do not share."""
    cast = getattr(xp, "cast", None)
    return cast(values, dtype) if cast else values.astype(dtype)
