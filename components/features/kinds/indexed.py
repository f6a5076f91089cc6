"""What becomes an index, 0 where missing or unknown: ones in the numeric block, or a tensor to embed."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal

from kilnworks.components.features.encoded import CATEGORICAL, EncodedTensor, keras_name
from kilnworks.components.features.kinds.base import Layers, Plan
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

Output = Literal["one_hot", "embedding"]


class IndexedPlan(Plan):
    """A feature with one index a row."""

    output: Output

    @property
    @abstractmethod
    def labels(self) -> list[str]:
        """A text for each index: ``?`` for missing or unknown, then values or ranges."""

    @property
    @abstractmethod
    def indices(self) -> int:
        """How many different indices there are, index 0 included."""

    @abstractmethod
    def index(self, name: str, feature: Feature, series: pl.Series) -> np.ndarray:
        """Index of every row, int32 [rows], 0 to ``indices - 1``; 0 = missing or unknown."""

    @abstractmethod
    def index_layers(self, feature: Feature, raw: Any) -> Any:
        """Index of every row ``[n]``."""

    def places(self, name: str) -> tuple[str, ...]:
        """One for each index, where it is not embedded."""
        return tuple(f"{name}={label}" for label in self.labels) if self.output == "one_hot" else ()

    def tensor(self, name: str, feature: Feature) -> EncodedTensor | None:
        """The index, where it is embedded."""
        if self.output == "one_hot":
            return None
        size = self.indices
        return EncodedTensor(name=keras_name(name), shape=(), dtype="int32", kind=CATEGORICAL, vocabulary_size=size)

    def columns(self, name: str, feature: Feature, series: pl.Series, places: np.ndarray) -> np.ndarray | None:
        """See ``Plan``."""
        import numpy as np

        index = self.index(name, feature, series)
        if self.output == "embedding":
            return index
        places[np.arange(len(index)), index] = 1
        return None

    def layers(self, feature: Feature, raw: Any) -> Layers:
        """See ``Plan``. Ones by way of ``[n, 1]``: Keras takes a single row ``[1]`` for one value of one row."""
        from keras import layers, ops

        index = self.index_layers(feature, raw)
        if self.output == "embedding":
            return Layers(tensor=ops.cast(index, "int32"))
        column = ops.reshape(index, (-1, 1))
        return Layers(layers.CategoryEncoding(num_tokens=self.indices, output_mode="one_hot", dtype="float32")(column))
