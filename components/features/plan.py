"""What was learned from the training split: the whole state of a fitted transform, as plain values."""

import itertools
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from components.features.calendar import CalendarPart
from components.features.encoded import EncodedTensor
from components.features.settings import Scale
from schemas.config import Config
from schemas.contract import Contract

Output = Literal["one_hot", "embedding"]
UNKNOWN_TEXT = "\N{REPLACEMENT CHARACTER}unknown"
"""Names index 0 in the vocabulary that Keras shows; never a value of a vocabulary itself."""
NO_INTEGER = -(2**62)
"""What the graph turns a missing integer into: exact in float32, never a value of a vocabulary."""


class NumberPlan(Config):
    """A scalar that takes one place of the numeric block, and a second one with ``indicator``.

    ``(f(x - origin) * factor - mean) / sqrt(variance)`` in float32, 0 where missing; ``f`` depends on ``scale``.
    """

    kind: Literal["number"] = "number"
    scale: Scale
    origin: int = 0
    """Subtracted from an integer before it becomes float32, which holds only 24 bits."""
    factor: float = 1.0
    """A power of two that brings very large or small values into the range of float32."""
    mean: float
    variance: float = Field(gt=0)
    knots: tuple[float, ...] = ()
    """For ``quantile`` and for the tensor of shares: ascending values at equal steps of the cumulative share, each
    once."""
    shares: tuple[float, ...] = ()
    """The cumulative share at each knot, 0 to 1."""
    indicator: bool


class CalendarPlan(Config):
    """A datetime as several numbers; the first has the indicator."""

    kind: Literal["calendar"] = "calendar"
    parts: dict[CalendarPart, NumberPlan] = Field(min_length=1)


class CategoryPlan(Config):
    """A text or integer with a vocabulary: value ``values[i]`` has index ``i + 1``, all others index 0."""

    kind: Literal["category"] = "category"
    values: tuple[int | str, ...]
    """Most frequent first; equally frequent ones in their natural order."""
    output: Output
    approximate: bool = False
    """Whether there were too many different values to count each exactly."""


class BucketPlan(Config):
    """A number by ranges: index ``1 + (number of boundaries <= x)``; 0 where missing."""

    kind: Literal["buckets"] = "buckets"
    boundaries: tuple[float, ...] = Field(min_length=1)
    origin: int = 0
    output: Output


class TensorPlan(Config):
    """A float or integer tensor, standardised along its last axis; 0 where missing."""

    kind: Literal["tensor"] = "tensor"
    mean: tuple[float, ...]
    variance: tuple[float, ...]


class ImagePlan(Config):
    """Pixels: resized (bilinear) where ``size`` says so, then ``pixel * factor + offset``."""

    kind: Literal["image"] = "image"
    size: tuple[int, int] | None = None
    factor: float
    offset: float


class DroppedPlan(Config):
    """A feature that the model does not see."""

    kind: Literal["dropped"] = "dropped"
    reason: str


FeaturePlan = Annotated[
    NumberPlan | CalendarPlan | CategoryPlan | BucketPlan | TensorPlan | ImagePlan | DroppedPlan,
    Field(discriminator="kind"),
]


class Number(NamedTuple):
    """One number of the numeric block: a feature, or one part of a datetime."""

    feature: str
    part: CalendarPart | None
    plan: NumberPlan


class TransformPlan(Config):
    """All that ``encode`` and ``apply`` need."""

    contract: Contract
    rows: int
    """Training rows that were looked at."""
    features: dict[str, FeaturePlan]
    """In the order of the contract."""
    shares: bool = False
    """Whether numbers with three knots or more also come in the tensor of shares."""

    @property
    def numbers(self) -> dict[str, Number]:
        """Scalars of the numeric block by name, in order: ``age``, ``since``, ``since (month)``."""
        found = {}
        for name, plan in self.features.items():
            if isinstance(plan, NumberPlan):
                found[name] = Number(name, None, plan)
            elif isinstance(plan, CalendarPlan):
                for part, number in plan.parts.items():
                    found[name if part == "moment" else f"{name} ({part})"] = Number(name, part, number)
        return found

    @property
    def shared(self) -> tuple[int, ...]:
        """Places of the numeric block that also come in the tensor of shares, in order."""
        return tuple(i for i, n in enumerate(self.numbers.values()) if self.shares and len(n.plan.knots) > 2)

    @property
    def indexed(self) -> dict[str, CategoryPlan | BucketPlan]:
        """Features that become an index, in order."""
        return {n: p for n, p in self.features.items() if isinstance(p, CategoryPlan | BucketPlan)}

    @property
    def block(self) -> tuple[str, ...]:
        """What each place of the numeric block holds: ``age``, ``age is missing``, ``plan=basic``, ``plan=?``."""
        numbers = list(self.numbers)
        missing = [f"{n.feature} is missing" for n in self.numbers.values() if n.plan.indicator]
        hot = [f"{n}={v}" for n, p in self.indexed.items() if p.output == "one_hot" for v in labels(p)]
        return (*numbers, *missing, *hot)

    @property
    def block_name(self) -> str:
        """Name of the numeric block: ``numeric``, unless a feature with a tensor of its own is called so."""
        return self._free_name("numeric")

    @property
    def shares_name(self) -> str:
        """Name of the tensor of shares, by the same rule."""
        return self._free_name("shares")

    def _free_name(self, name: str) -> str:
        while name in self.features:
            name += "_block"
        return name

    @property
    def encoded(self) -> tuple[EncodedTensor, ...]:
        """The inputs of the trainable model: the numeric block and the shares if not empty, then one a feature."""
        width = len(self.block)
        block = [EncodedTensor(name=self.block_name, shape=(width,), dtype="float32", kind="numeric")] if width else []
        if self.shared:
            shape = (len(self.shared),)
            block.append(EncodedTensor(name=self.shares_name, shape=shape, dtype="float32", kind="shares"))
        own = [tensor for n, p in self.features.items() if (tensor := _own_tensor(n, p, self.contract)) is not None]
        return (*block, *own)


def indices(plan: CategoryPlan | BucketPlan) -> int:
    """How many different indices there are, index 0 included."""
    return len(plan.values) + 1 if isinstance(plan, CategoryPlan) else len(plan.boundaries) + 2


def labels(plan: CategoryPlan | BucketPlan) -> list[str]:
    """A text for each index: ``?`` for missing or unknown, then values or ranges."""
    if isinstance(plan, CategoryPlan):
        return ["?", *map(str, plan.values)]
    edges = [f"{b + plan.origin:g}" for b in plan.boundaries]
    ranges = [f"[{low}, {high})" for low, high in itertools.pairwise(edges)]
    return ["?", f"< {edges[0]}", *ranges, f">= {edges[-1]}"]


def _own_tensor(name: str, plan: FeaturePlan, contract: Contract) -> EncodedTensor | None:
    """The tensor that a feature has for itself; None where it is part of the block or dropped."""
    shape = contract.features[name].shape
    match plan:
        case CategoryPlan() | BucketPlan() if plan.output == "embedding":
            return EncodedTensor(
                name=keras_name(name), shape=(), dtype="int32", kind="categorical", vocabulary_size=indices(plan)
            )
        case TensorPlan():
            kind: Literal["numeric", "sequence"] = "numeric" if len(shape) == 1 else "sequence"
            return EncodedTensor(name=keras_name(name), shape=shape, dtype="float32", kind=kind)
        case ImagePlan():
            height, width = plan.size or shape[:2]
            return EncodedTensor(name=keras_name(name), shape=(height, width, shape[2]), dtype="float32", kind="image")
        case _:
            return None


def keras_name(name: str) -> str:
    """A feature name as Keras accepts it: a slash would be read as a scope."""
    return name.replace("/", "|")
