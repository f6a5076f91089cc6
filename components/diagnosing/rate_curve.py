"""From the losses of a learning rate range test to a learning rate. Plain numbers; imports nothing heavy.

The rate rises from step to step by a constant factor (Smith 2017). The loss stands still where steps are too small,
falls, and rises beyond all bounds where they are too large: for a quadratic loss above two by its largest curvature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SMOOTHING = 0.9
"""Weight of what was before in the smoothed loss."""
WARM = 5
"""First steps, whose smoothed loss rests on too few."""
TIMES, BACK = 4.0, 0.5
"""A loss has diverged once it is so many times its least one, and has lost this share of its way down again."""
FELL = 0.02
"""Share of its first value by which the loss has to fall for a rate to be told."""
SAFE = 10.0
"""How far below the rate of divergence a suggestion lies, at least."""


@dataclass(frozen=True)
class RateCurve:
    """A range test.

    Attributes:
        rates: by step, rising.
        losses: of the batch of each step, before it.
        smoothed: the same, an exponential mean.
        steepest: the rate where the smoothed loss falls fastest; None where it does not fall.
        divergence: the rate from which on it rises for good; None where it does not.
        suggestion: ``steepest``, or a tenth of ``divergence`` where that is less; None where there is neither.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float | None
    divergence: float | None
    suggestion: float | None

    def record(self) -> dict[str, Any]:
        """As JSON-serializable values."""
        return asdict(self)


def rate_at(step: int, steps: int, low: float, high: float) -> float:
    """The rate of a step, from 0, of so many: from ``low`` to ``high`` by a constant factor."""
    return float(low * (high / low) ** (step / max(1, steps - 1)))


def smooth(losses: Sequence[float]) -> list[float]:
    """The exponential mean of what was seen until each step, as if nothing had been before the first."""
    mean, found = 0.0, []
    for place, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        found.append(mean / (1 - SMOOTHING**place))
    return found


def diverges(smoothed: Sequence[float]) -> bool:
    """Whether the last of the smoothed losses says that there is no way back."""
    if len(smoothed) <= WARM:
        return False
    first, least = smoothed[WARM - 1], min(smoothed[WARM - 1 :])
    return smoothed[-1] > max(TIMES * abs(least), least + BACK * (first - least))


def rate_curve(rates: Sequence[float], losses: Sequence[float], ended: bool) -> RateCurve:
    """What the losses of some steps say.

    Args:
        rates: of each step, rising.
        losses: finite ones, in front of each step; as many.
        ended: whether the loss of the step behind them was not finite.
    """
    smoothed = smooth(losses)
    divergence = _divergence(rates, losses, smoothed) if ended or diverges(smoothed) else None
    last = len(rates) if divergence is None else [*rates].index(divergence) + 1
    steepest = _steepest(rates[:last], smoothed[:last])
    suggestion = steepest if divergence is None or steepest is None else min(steepest, divergence / SAFE)
    return RateCurve(tuple(rates), tuple(losses), tuple(smoothed), steepest, divergence, _short(suggestion))


def _divergence(rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float]) -> float:
    """The last rate before the loss left for good the middle, on a logarithmic scale, of its least and its last."""
    least, last = min(smoothed[WARM - 1 :] or smoothed), max(losses[-1], smoothed[-1])
    middle = math.sqrt(least * last) if least > 0 else (least + last) / 2
    place = len(losses) - 1
    while place > 0 and losses[place] > middle:
        place -= 1
    return rates[place]


def _steepest(rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """Where the smoothed loss falls fastest by the logarithm of the rate; None where it hardly falls."""
    if len(smoothed) < 2 * WARM or smoothed[WARM] - min(smoothed[WARM:]) < FELL * abs(smoothed[WARM]):
        return None
    slopes = [
        (smoothed[i + WARM] - smoothed[i - WARM]) / math.log(rates[i + WARM] / rates[i - WARM])
        for i in range(WARM, len(smoothed) - WARM)
    ]
    return rates[WARM + slopes.index(min(slopes))] if slopes and min(slopes) < 0 else None


def _short(rate: float | None) -> float | None:
    """Two digits, as many as such a test can tell."""
    return None if rate is None else float(f"{rate:.2g}")
