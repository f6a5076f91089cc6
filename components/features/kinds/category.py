"""Categories: texts, and whole numbers with ``allowed``, by a vocabulary of the training split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from kilnworks.components.features.kinds.base import Observer, Plan
from kilnworks.components.features.kinds.built_in import BuiltIn, Encoding
from kilnworks.components.features.kinds.dropped import DroppedPlan
from kilnworks.components.features.kinds.indexed import IndexedPlan, Output
from kilnworks.components.features.raw import MISSING_INT, raw_array, raw_input
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Feature
from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.magnitudes import EXACT_IN_FLOAT32

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

UNKNOWN_TEXT = "\N{REPLACEMENT CHARACTER}unknown"
"""Names index 0 in the vocabulary that Keras shows; never a value of a vocabulary itself."""
NO_INTEGER = -(2**62)
"""What the graph turns a missing integer into: exact in float32, never a value of a vocabulary."""


class CategorySettings(Config):
    """What can be set of one category."""

    min_frequency: int | None = Field(default=None, ge=1)
    """Instead of the ``min_frequency`` of all features, in rows."""
    max_vocabulary: int | None = Field(default=None, ge=1)
    """Instead of the ``max_vocabulary`` of all features."""


class AllCategories(Config):
    """What can be set of all categories at once."""

    one_hot_up_to: int = Field(default=16, ge=0)
    """Categories with at most this many known values become one-hot, others an index to embed."""
    min_frequency: int = Field(default=1, ge=1)
    """A category value in fewer training rows counts as unknown, which also teaches the model what unknown means."""
    max_vocabulary: int = Field(default=20_000, ge=1)
    """The most frequent values that a category keeps; the others count as unknown."""


class CategoryPlan(IndexedPlan):
    """A text or integer with a vocabulary: value ``values[i]`` has index ``i + 1``, all others index 0."""

    kind: Literal["category"] = "category"
    values: tuple[int | str, ...]
    """Most frequent first; equally frequent ones in their natural order."""
    output: Output
    approximate: bool = False
    """Whether there were too many different values to count each exactly."""

    @property
    def labels(self) -> list[str]:
        """``?`` and the values."""
        return ["?", *map(str, self.values)]

    @property
    def indices(self) -> int:
        """The values and 0."""
        return len(self.values) + 1

    def index(self, name: str, feature: Feature, series: pl.Series) -> np.ndarray:
        """See ``IndexedPlan``. Texts are compared once for each different value, not once for each row."""
        import numpy as np
        import polars as pl

        if feature.dtype == "string":
            known = pl.Enum(list(map(str, self.values)))
            codes = series.cast(pl.String).cast(known, strict=False).to_physical().cast(pl.Int32)
            return (codes + 1).fill_null(0).to_numpy()
        raw = raw_array(name, feature, series)
        there = np.isfinite(raw)
        return self._index_of_integers(np.where(there, raw, 0).astype(np.int64)) * there

    def _index_of_integers(self, values: np.ndarray) -> np.ndarray:
        import numpy as np

        vocabulary = np.array(self.values, np.int64)
        order = np.argsort(vocabulary)
        where = np.minimum(np.searchsorted(vocabulary, values, sorter=order), len(vocabulary) - 1)
        found = order[where]
        return np.where(vocabulary[found] == values, found + 1, 0).astype(np.int32)

    def index_layers(self, feature: Feature, raw: Any) -> Any:
        """See ``IndexedPlan``."""
        from keras import layers, ops

        if feature.dtype == "string":
            return layers.StringLookup(vocabulary=list(self.values), oov_token=UNKNOWN_TEXT, mask_token=None)(raw)
        if raw.dtype == "float32":
            raw = ops.cast(ops.where(ops.isfinite(raw), raw, float(NO_INTEGER)), "int64")
        return layers.IntegerLookup(vocabulary=list(self.values), oov_token=NO_INTEGER, mask_token=None)(raw)


class Category(BuiltIn):
    """Texts, and whole numbers that are a category by ``allowed`` or by the settings."""

    takes: ClassVar[str] = "a category"
    own_settings = CategorySettings

    output: Output | None = None
    """None: by ``one_hot_up_to``."""
    one_hot_up_to: int = 16
    min_frequency: int = 1
    max_vocabulary: int = 20_000

    @classmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """``one_hot`` and ``embedding``, and what no setting says of texts and of numbers with ``allowed``."""
        if feature.shape or feature.dtype not in ("int", "string"):
            return frozenset()
        asked = {"one_hot", "embedding"}
        if feature.text:
            return frozenset(asked)
        return frozenset(asked if feature.dtype == "int" and feature.allowed is None else {"auto", *asked})

    @classmethod
    def of(cls, feature: Feature, encode: Encoding, own: CategorySettings, every: AllCategories) -> Self:
        """What the feature says, else what is said of all."""
        return cls(
            output=encode if encode in ("one_hot", "embedding") else None,
            one_hot_up_to=every.one_hot_up_to,
            min_frequency=own.min_frequency or every.min_frequency,
            max_vocabulary=own.max_vocabulary or every.max_vocabulary,
        )

    def observer(self, name: str, feature: Feature) -> Observer:
        """Counts the values."""
        return CategoryObserver(self, feature)


class CategoryObserver(Observer):
    """How often each value occurs."""

    def __init__(self, kind: Category, feature: Feature) -> None:
        from kilnworks.components.sketches.counts import ValueCounts

        self._kind, self._feature = kind, feature
        self._counts = ValueCounts()

    def look(self, values: pl.Series) -> None:
        """See ``Observer``."""
        self._counts = self._counts.added(_as_served(values, self._feature))

    def plan(self) -> Plan:
        """The vocabulary."""
        kind = self._kind
        frequent = self._counts.most_frequent(kind.min_frequency, kind.max_vocabulary)
        values = tuple(v for v in frequent if v not in (UNKNOWN_TEXT, NO_INTEGER, MISSING_INT) and "\0" not in str(v))
        if not values:
            return DroppedPlan(reason=f"no value occurs in at least {kind.min_frequency} training rows")
        few: Output = "one_hot" if len(values) <= kind.one_hot_up_to else "embedding"
        return CategoryPlan(values=values, output=kind.output or few, approximate=self._counts.approximate)


def _as_served(values: pl.Series, feature: Feature) -> pl.Series:
    """Category values as the served model gets them: a nullable integer passes through float32."""
    import polars as pl

    if feature.dtype == "string":
        return values.cast(pl.String)
    if raw_input(feature).dtype == "int64":
        return values.cast(pl.Int64)
    _refuse_merged(values)
    return values.cast(pl.Float32).cast(pl.Int64)


def _refuse_merged(codes: pl.Series) -> None:
    """Raise where codes would travel as float32, because they may be missing, and lose digits on the way."""
    import polars as pl

    long = codes.filter((codes.cast(pl.Float64).abs() > EXACT_IN_FLOAT32).fill_null(False))
    if len(long):
        raise DataInvalid(
            f"{codes.name!r} is a category with the value {long[0]}, may be missing, and has no limits in the contract",
            f"a min or max that says how far the numbers go; up to {EXACT_IN_FLOAT32:,} they are sent as float32",
            f"write `max: {max(abs(v) for v in long)}` (and `min`) for it in the contract, or make it dtype string",
        )
