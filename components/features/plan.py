"""What was learned from the training split: the whole state of a fitted transform, as plain values."""

from pydantic import Field

from kilnworks.components.features.derived.plan import DerivedPlan
from kilnworks.components.features.encoded import NUMERIC, SHARES, EncodedTensor
from kilnworks.components.features.kinds import AnyPlan
from kilnworks.components.features.kinds.scalars import Number
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract


class TransformPlan(Config):
    """All that ``encode`` and ``apply`` need."""

    contract: Contract
    rows: int
    """Training rows that were looked at."""
    features: dict[str, AnyPlan]
    """In the order of the contract."""
    derived: dict[str, DerivedPlan] = Field(default_factory=dict)
    """What is made of several features; it lies at the end of the numeric block."""
    shares: bool = False
    """Whether numbers with three knots or more also come in the tensor of shares."""

    @property
    def numbers(self) -> dict[str, Number]:
        """Scalars of the numeric block by name, in order: ``age``, ``since``, ``since (month)``."""
        return {place: number for n, p in self.features.items() for place, number in p.numbers(n).items()}

    @property
    def shared(self) -> tuple[int, ...]:
        """Places of the numeric block that also come in the tensor of shares, in order."""
        return tuple(i for i, n in enumerate(self.numbers.values()) if self.shares and len(n.plan.knots) > 2)

    @property
    def block(self) -> tuple[str, ...]:
        """What each place of the numeric block holds: ``age``, ``age is missing``, ``plan=basic``, ``plan=?``."""
        numbers = self.numbers
        missing = [f"{n.feature} is missing" for n in numbers.values() if n.plan.indicator]
        ready = (place for n, p in self.features.items() for place in p.places(n))
        return (*numbers, *missing, *ready, *(place for n, p in self.derived.items() for place in p.places(n)))

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
        width, shared = len(self.block), len(self.shared)
        block = [EncodedTensor(name=self.block_name, shape=(width,), dtype="float32", kind=NUMERIC)] if width else []
        if shared:
            block.append(EncodedTensor(name=self.shares_name, shape=(shared,), dtype="float32", kind=SHARES))
        own = [tensor for n, p in self.features.items() if (tensor := p.tensor(n, self.contract.features[n]))]
        return (*block, *own)
