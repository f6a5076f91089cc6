"""Tasks that learn nothing from a label, and are compared with one of classes where the contract has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from kilnworks.components.tasks.base import refuse_labels
from kilnworks.components.tasks.classes import class_index, one_of
from kilnworks.components.tasks.unlabelled import Unlabelled
from kilnworks.schemas.contract import Contract, Label
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class BesideClasses(Unlabelled):
    """Rows alone are learned from. A label, ``learned: false`` or not, is looked at by the evaluation."""

    compares: ClassVar[str]
    """What is compared with the label, for messages: ``clusters``."""

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``. Raises ``ConfigError`` for a label that is not one class a row."""
        label = contract.label
        if label is not None and (label.many or not label.classes):
            raise ConfigError(
                f"label {label.name!r} to compare {cls.compares} with",
                "one of some classes a row; or no label",
                "give `classes` of the label, or take the label out of the contract",
            )
        return cls(label=label)

    @classmethod
    def needed(cls, contract: Contract) -> list[str]:
        """The label, where there is one."""
        return [contract.label.name] if contract.label is not None else []

    @classmethod
    def learned(cls, contract: Contract, frame: pl.DataFrame) -> np.ndarray:
        """Zeros, int32 [rows], whatever the label says."""
        import numpy as np

        return np.zeros(frame.height, np.int32)

    def target(self, label: np.ndarray) -> np.ndarray:
        """Zeros, float32 [rows, 1]."""
        import numpy as np

        return label.astype(np.float32)[:, None]

    @classmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """Positions among the classes, int32 [rows]."""
        import numpy as np

        found = class_index(label, series)
        refuse_labels(label, series, found < 0, one_of(label))
        return found.astype(np.int32, copy=False)

    def judged_by(self, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Positions among the classes, int64 [rows], and rows whose label is none of them; zeros without a label."""
        if self.label is not None:
            return self.truth(frame[self.label.name])
        import numpy as np

        return np.zeros(frame.height, np.int64), np.zeros(frame.height, bool)

    def truth(self, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """See ``judged_by``."""
        import numpy as np

        assert self.label is not None
        found = class_index(self.label, series)
        return found.astype(np.int64), found < 0

    @property
    def wanted(self) -> str:
        """One of the classes."""
        return one_of(self.label) if self.label is not None else "no label"
