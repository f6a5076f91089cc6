"""From what was measured of layers to named faults, each with its remedy. Plain numbers; imports nothing heavy.

Bounds are rules of thumb: a healthy layer's weights move by about a thousandth of their size in a step (Karpathy 2019),
gradients of early layers vanish where they are a thousandth of the last one's (Glorot and Bengio 2010).
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Look = Mapping[str, Any]
"""``phase`` and ``epoch``, from 1, ``loss`` of the training, ``steps`` since the last look, ``layers``: by name what
``Probe.look`` tells."""

DEAD, SATURATED = 0.4, 0.5
VANISHING, LOOKS = 1e-3, 3
EXPLODING = 10.0
HIGH, LOW = 0.1, 3e-4
"""Root mean square by which a step moves the weights, as a share of their own."""
EARLY = 3
"""Epochs in which a rate that is too low can be told from one that has done its work."""


@dataclass(frozen=True)
class Finding:
    """A fault.

    Attributes:
        kind: its name for programs.
        epoch: at which it was first seen, from 1.
        layer: where; empty for the whole network.
        said: what was found, with the number.
        remedy: what to try.
    """

    kind: str
    epoch: int
    layer: str
    said: str
    remedy: str

    def record(self) -> dict[str, Any]:
        """As JSON-serializable values."""
        return asdict(self)


def findings(looks: Sequence[Look]) -> list[Finding]:
    """The faults that looks at a training show, each once, at the epoch where it first showed."""
    found: dict[tuple[str, str], Finding] = {}
    for end in range(1, len(looks) + 1):
        for one in newest(looks[:end]):
            found.setdefault((one.kind, one.layer), one)
    return list(found.values())


def newest(looks: Sequence[Look]) -> Iterator[Finding]:
    """The faults that the last look shows, beside those before it.

    Looks of another phase are not compared with: its loss, its rate and the layers that it trains are others.
    """
    together = [look for look in looks if look["phase"] == looks[-1]["phase"]]
    for check in CHECKS:
        yield from check(together)


def _same_units(looks: Sequence[Look]) -> Iterator[Finding]:
    now = looks[-1]
    for name, layer in now["layers"].items():
        if layer["hidden"] and layer["alike"]:
            yield Finding(
                "same_units", now["epoch"], name, "all units have the same weights, and go on having them",
                "initialise the kernel at random (glorot_uniform, he_normal), not with zeros or a constant",
            )  # fmt: skip


def _dead(looks: Sequence[Look]) -> Iterator[Finding]:
    return _above(
        looks[-1], "dead", DEAD, "dead_units", "of the ReLU units are 0 for every row",
        "lower optimizer.learning_rate, initialise with he_normal and biases of 0, or use leaky ReLU or GELU",
    )  # fmt: skip


def _saturated(looks: Sequence[Look]) -> Iterator[Finding]:
    return _above(
        looks[-1], "saturated", SATURATED, "saturated", "of the activations are at their limits",
        "lower optimizer.learning_rate, scale the inputs, normalise before the layer, or use ReLU",
    )  # fmt: skip


def _above(now: Look, number: str, bound: float, fault: str, words: str, remedy: str) -> Iterator[Finding]:
    """The layers of which too large a share is so."""
    for name, layer in now["layers"].items():
        if layer[number] is not None and layer[number] > bound:
            yield Finding(fault, now["epoch"], name, f"{layer[number]:.0%} {words}", remedy)


def _vanishing(looks: Sequence[Look]) -> Iterator[Finding]:
    shares = [_first_over_last(look) for look in looks[-LOOKS:]]
    if len(shares) == LOOKS and all(share is not None and share < VANISHING for share in shares):
        first = next(iter(looks[-1]["layers"]))
        yield Finding(
            "vanishing_gradients", looks[-1]["epoch"], first,
            f"its gradients are {shares[-1]:.1g} of the last layer's, in {LOOKS} looks running",
            "use ReLU or GELU in place of sigmoid and tanh, normalization, residual connections, or fewer layers",
        )  # fmt: skip


def _first_over_last(look: Look) -> float | None:
    gradients = [layer["gradient"] for layer in look["layers"].values()]
    return gradients[0] / gradients[-1] if len(gradients) > 1 and gradients[0] and gradients[-1] else None


def _exploding(looks: Sequence[Look]) -> Iterator[Finding]:
    norms = [_norm(look) for look in looks]
    if len(norms) < LOOKS + 1:
        return
    usual = statistics.median(norms[:-1])
    if usual > 0 and norms[-1] > EXPLODING * usual and looks[-1]["loss"] > looks[-2]["loss"]:
        yield Finding(
            "exploding_gradients", looks[-1]["epoch"], "",
            f"the gradient is {norms[-1] / usual:.0f} times its median, and the loss rose",
            "set optimizer.clip, lower optimizer.learning_rate, or begin with a warm-up (schedule.warmup_epochs)",
        )  # fmt: skip


def _norm(look: Look) -> float:
    return sum(float(layer["gradient"] or 0.0) ** 2 for layer in look["layers"].values()) ** 0.5


def _rate_too_high(looks: Sequence[Look]) -> Iterator[Finding]:
    now, moved = looks[-1], _moved(looks[-1])
    begins = all(look["phase"] != now["phase"] for look in looks[:-1])
    if begins and not any(layer["hidden"] for layer in now["layers"].values()):
        return  # one layer, as a new head is: how small it began says nothing of how large it has to become
    if moved is not None and moved > HIGH:
        yield Finding(
            "rate_too_high", now["epoch"], "", f"a step moves the weights by {moved:.0%} of their size",
            "lower optimizer.learning_rate to a tenth or a hundredth",
        )  # fmt: skip


def _rate_too_low(looks: Sequence[Look]) -> Iterator[Finding]:
    if len(looks) < 2 or looks[-1]["epoch"] > EARLY or looks[-1]["phase"] > 1:  # later ones go slowly on purpose
        return
    moved = [_moved(look) for look in looks]
    falls = all(b["loss"] < a["loss"] for a, b in itertools.pairwise(looks))
    if falls and all(one is not None and one < LOW for one in moved):
        yield Finding(
            "rate_too_low", looks[-1]["epoch"], "",
            f"a step moves the weights by {moved[-1]:.1g} of their size, and the loss still falls",
            "raise optimizer.learning_rate ten or a hundred times",
        )  # fmt: skip


def _moved(look: Look) -> float | None:
    """Median over the layers of what a step moves, as if steps went their own ways: the way of an epoch by the root."""
    shares = [layer["moved"] / look["steps"] ** 0.5 for layer in look["layers"].values() if layer["moved"] is not None]
    return statistics.median(shares) if shares else None


CHECKS: tuple[Callable[[Sequence[Look]], Iterator[Finding]], ...] = (
    _same_units, _dead, _saturated, _vanishing, _exploding, _rate_too_high, _rate_too_low,
)  # fmt: skip
