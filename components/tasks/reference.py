"""What tasks share whose label is a reference: the answers are compared with it, and nothing is learned from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kilnworks.components.tasks.classes import class_index, one_of
from kilnworks.components.tasks.labels import refuse_labels
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.unlabelled import Unlabelled
from kilnworks.schemas.contract import Contract, Label

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class Compared(Unlabelled):
    """A task of rows alone, whose contract may have a label with one class a row to compare the answers with."""

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """Never by itself: an architecture says what it looks for."""
        return False

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
        """Positions among the classes, int32 [rows]. Raises ``DataInvalid`` for other values."""
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

    def head(self, features: Any, names: LayerNames) -> Any:
        """What the layers say, in float32."""
        return self.finishing(names(self.output))(features)
