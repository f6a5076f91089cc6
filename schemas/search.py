"""What a search for better settings tries: the values of each setting, and how many trials of which kind.

::

    search=Search(
        space={
            "model.model.units": Choice(values=((64, 32), (128, 64))),
            "model.optimizer.learning_rate": Float(low=1e-4, high=1e-2, log=True),
        },
        trials=40,
    )
"""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from kilnworks.schemas.config import Config


class Choice(Config):
    """One of some values, in no order."""

    kind: Literal["choice"] = "choice"
    values: tuple[Any, ...] = Field(min_length=1)
    """As the setting takes them; each once."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if any(value in self.values[:place] for place, value in enumerate(self.values)):
            raise ValueError(f"values {list(self.values)!r}: one stands there twice; name each once")
        return self

    def bounds(self) -> tuple[Any, ...]:
        """Values by which it can be checked whether the setting takes what is tried."""
        return self.values

    def listed(self) -> list[Any] | None:
        """Every value that may be tried; None where they are too many to list."""
        return list(self.values)


class _Between(Config):
    """Numbers between two ends, both included."""

    low: float
    high: float
    log: bool = False
    """Whether the logarithm is what is spread evenly: for settings of which a factor counts, not a difference."""

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"low {self.low:g} and high {self.high:g}: low must be below high, both finite")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low:g} with log: a logarithm needs numbers above 0")
        return self

    def bounds(self) -> tuple[Any, ...]:
        """Values by which it can be checked whether the setting takes what is tried."""
        return self.low, self.high


class Float(_Between):
    """A number between two ends."""

    kind: Literal["float"] = "float"

    def listed(self) -> list[Any] | None:
        """Every value that may be tried; None, for they are too many to list."""
        return None


class Int(_Between):
    """A whole number between two ends."""

    kind: Literal["int"] = "int"
    low: int
    high: int
    step: int = Field(default=1, ge=1)
    """Distance of two neighbours; 1 with ``log``."""

    @model_validator(mode="after")
    def _one_spacing(self) -> Self:
        if self.log and self.step != 1:
            raise ValueError(f"step {self.step} with log: leave one of them out")
        return self

    def listed(self) -> list[Any] | None:
        """Every value that may be tried."""
        return list(range(self.low, self.high + 1, self.step))


Dimension = Annotated[Choice | Float | Int, Field(discriminator="kind")]
"""Values of one setting."""

Sampler = Literal["tpe", "random", "grid"]
Pruner = Literal["hyperband", "none"]


class Search(Config):
    """A search for better settings, as ``kilnworks tune`` makes it."""

    space: dict[str, Dimension] = Field(default_factory=dict)
    """Setting, named as ``--set`` and the form name it, -> values to try; that of the architecture where left out."""
    trials: int = Field(default=20, ge=1)
    """Trainings, the one with the settings of the definition included."""
    workers: int = Field(default=1, ge=1, le=64)
    """Trials that train at the same time: processes of ``kilnworks tune``, tasks of the DAG ``NAME_tune``."""
    sampler: Sampler = "tpe"
    """How values are chosen: ``tpe``, from what earlier trials reached (Bergstra et al. 2011); ``random``; or ``grid``,
    every combination of listed values."""
    pruner: Pruner = "hyperband"
    """Whether trials that lag behind others at the same epoch are stopped (Hyperband, Li et al. 2018)."""
    objective: str | None = None
    """Number of the best epoch that is to become best, such as ``val_auc``; what the training monitors by default."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the sampler."""
