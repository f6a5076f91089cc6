"""What tasks without a label share: nothing that a person wrote is learned from, or compared with the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.schemas.contract import Contract, Label
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class Unlabelled(Task):
    """A task of rows alone, such as reconstruction or generation.

    The model learns from its inputs: in layers that say how well it did, with a ``loss`` that reads only what they say,
    or in a ``train_step`` of its own. Labels are zeros, float32 [rows], and no row is refused for one.
    """

    targeted: ClassVar[bool] = False

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """A contract without a label, where a setting or an architecture names the task."""
        return contract.label is None

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``."""
        return cls()

    @classmethod
    def fitted(cls, contract: Contract, seen: LabelStatistics, settings: TaskSettings) -> Self:
        """Learns nothing of the rows; refuses what is set for labels."""
        if settings.label_smoothing:
            raise ConfigError(
                f"label_smoothing for a {cls.kind}",
                "label_smoothing 0 (it is for classes)",
                "leave label_smoothing out",
            )
        return cls.of(contract)

    @classmethod
    def needed(cls, contract: Contract) -> list[str]:
        """Nothing besides the features."""
        return []

    @classmethod
    def learned(cls, contract: Contract, frame: pl.DataFrame) -> np.ndarray:
        """Zeros, float32 [rows]."""
        import numpy as np

        return np.zeros(frame.height, np.float32)

    def judged_by(self, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Zeros, float32 [rows]; every row can be judged."""
        import numpy as np

        return np.zeros(frame.height, np.float32), np.zeros(frame.height, bool)

    def target(self, label: np.ndarray) -> np.ndarray:
        """Zeros, float32 [rows, 1]."""
        return label[:, None]

    @classmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """There is no label to encode."""
        raise ConfigError(f"label {label.name!r} for a {cls.kind}", "a contract without a label", "take the label out")

    def truth(self, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """There is no label to compare with."""
        raise ConfigError(
            f"label {series.name!r} for a {self.kind}", "a contract without a label", "take the label out"
        )

    @property
    def wanted(self) -> str:
        """Nothing."""
        return "no label"
