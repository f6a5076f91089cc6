"""Probabilities that come true as often as they say: maps that validation rows teach, served as plain operations.

Temperature after Guo et al. 2017, isotonic regression after Zadrozny & Elkan 2002; of more than two classes each one
against the others, scaled to a sum of 1. Imports nothing heavy.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOG = logging.getLogger("kilnworks.data")
Method = Literal["none", "temperature", "isotonic"]
EPSILON = 1e-7
"""How far from 0 and 1 a probability is kept before a logarithm is taken."""
TINY = 1e-30
"""Smallest probability of one of many classes."""
TEMPERATURES = (0.1, 10.0)
"""Lowest and highest temperature."""
GRID = 3
"""Decimals to which scores are rounded before isotonic regression: steps no steeper than float32 can serve."""
FEWEST, FEW = 100, 1000
"""Validation rows that isotonic regression needs, and those below which it tends to learn by heart."""
CLASSES = 50
"""Classes with a map of their own, at most."""


class Temperature(Config):
    """Logits divided by one number; the order of the classes stays."""

    kind: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0)
    """Above 1: the model was too sure."""

    def applied(self, values: Any) -> Any:
        """Calibrated probabilities of ``values`` [n, 1] (of the second class) or [n, K], float32."""
        from keras import ops

        if values.shape[-1] == 1:
            inside = ops.clip(values, EPSILON, 1 - EPSILON)
            return ops.sigmoid((ops.log(inside) - ops.log(1.0 - inside)) / self.temperature)
        return ops.softmax(ops.log(ops.maximum(values, TINY)) / self.temperature, axis=-1)

    def steepness(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """By how much a difference in front of the map is one behind it, at least 1; of calibrated ``values`` [...]."""
        import numpy as np

        p = np.clip(values.astype(np.float64), EPSILON, 1 - EPSILON)
        logit = np.clip(self.temperature * np.log(p / (1 - p)), -16, 16)
        before = 1 / (1 + np.exp(-logit))
        return np.maximum(
            np.maximum(1.0, 2 / self.temperature), p * (1 - p) / (self.temperature * before * (1 - before))
        )


class Isotonic(Config):
    """The rising map that fits best, straight between its corners."""

    kind: Literal["isotonic"] = "isotonic"
    x: tuple[tuple[float, ...], ...]
    """Corners of each map, rising; one map for two classes, else one a class."""
    y: tuple[tuple[float, ...], ...]
    """Calibrated values at the corners."""

    def applied(self, values: Any) -> Any:
        """See ``Temperature.applied``."""
        from keras import ops

        maps = zip(self.x, self.y, strict=True)
        columns = [_along(values[:, i : i + 1], x, y) for i, (x, y) in enumerate(maps)]
        if len(columns) == 1:
            return columns[0]
        together = ops.concatenate(columns, axis=1)
        return together / ops.sum(together, axis=1, keepdims=True)

    def steepness(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """See ``Temperature.steepness``: of the steepest part, everywhere."""
        import numpy as np

        slopes = [np.diff(y) / np.diff(x) for x, y in zip(self.x, self.y, strict=True) if len(x) > 1]
        return np.full(values.shape, max(1.0, 2 * max((float(s.max()) for s in slopes), default=0.0)))


AnyCalibration = Annotated[Temperature | Isotonic, Field(discriminator="kind")]


def fitted(
    method: Literal["temperature", "isotonic"], truth: NDArray[np.integer], values: NDArray[np.floating],
    classes: Sequence[str],
) -> Temperature | Isotonic:  # fmt: skip
    """What validation rows teach.

    Args:
        method: which map.
        truth: class numbers, [N].
        values: of the model, [N, 1] (probability of the second class) or [N, K].
        classes: names, K of them, or the two.

    Raises:
        DataInvalid: too few rows, or none of a class.
    """
    import numpy as np

    counts = np.bincount(truth, minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if not count]
    if absent and (method == "isotonic" or len(classes) == 2):
        raise DataInvalid(
            f"no validation row is of class {listed(absent, 12)}", f"rows of every class for calibration {method}",
            "make the validation split larger, or leave calibration out",
        )  # fmt: skip
    return _temperature(truth, values) if method == "temperature" else _isotonic(truth, values)


def _temperature(truth: NDArray[np.integer], values: NDArray[np.floating]) -> Temperature:
    """The temperature of the smallest log loss, which has one minimum in 1 / temperature."""
    import numpy as np
    from scipy.optimize import minimize_scalar

    p = values.astype(np.float64)
    both = np.clip(np.hstack([1 - p, p]), EPSILON, 1 - EPSILON) if p.shape[1] == 1 else np.maximum(p, TINY)
    logs, rows = np.log(both), np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        top = scaled.max(axis=1)
        return float((top + np.log(np.exp(scaled - top[:, None]).sum(axis=1)) - scaled[rows, truth]).mean())

    low, high = np.log(TEMPERATURES)
    found = float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x))
    if not TEMPERATURES[0] * 1.01 < found < TEMPERATURES[1] * 0.99:
        LOG.warning("the temperature %.3g is at the end of its range: the validation rows tell it badly", found)
    return Temperature(temperature=found)


def _isotonic(truth: NDArray[np.integer], values: NDArray[np.floating]) -> Isotonic:
    import numpy as np
    from sklearn.isotonic import IsotonicRegression

    rows, count = values.shape
    if rows < FEWEST or count > CLASSES:
        raise DataInvalid(
            f"{rows} validation rows and {count} classes" if count > 1 else f"{rows} validation rows",
            f"at least {FEWEST} rows and at most {CLASSES} classes for calibration isotonic",
            "take calibration temperature, which learns one number",
        )
    if rows < FEW:
        LOG.warning("isotonic calibration of %d validation rows tends to learn them by heart below %d", rows, FEW)
    away, x, y = 1 / (2 * rows), [], []
    for k in range(count):
        happened = truth == (1 if count == 1 else k)
        fit = IsotonicRegression(y_min=away, y_max=1 - away, out_of_bounds="clip")
        fit.fit(np.round(values[:, k].astype(np.float64), GRID), happened)
        x.append(tuple(float(v) for v in fit.X_thresholds_))
        y.append(tuple(float(v) for v in fit.y_thresholds_))
    return Isotonic(x=tuple(x), y=tuple(y))


def _along(column: Any, x: tuple[float, ...], y: tuple[float, ...]) -> Any:
    """Straight lines between corners, of ``column`` [n, 1]: the start, and of each rise the part that is passed."""
    import numpy as np
    from keras import ops

    corners, heights = np.array(x), np.array(y)
    rises = np.flatnonzero(np.diff(heights) > 0)
    start = ops.zeros_like(column) + heights[0].astype(np.float32)
    if not len(rises):
        return start
    left, width = corners[rises].astype(np.float32), np.diff(corners)[rises].astype(np.float32)
    passed = ops.clip((column - left) / width, 0.0, 1.0)
    return start + ops.sum(passed * np.diff(heights)[rises].astype(np.float32), axis=1, keepdims=True)
