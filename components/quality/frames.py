"""The frames that are checked: a few columns and a batch of rows as pandas.

Tensors do not go to the checks themselves. Each stands there by columns of scalars, one row an image or tensor:
``<feature>__height, __width, __channels`` (images) or ``__size``, ``__dtype``, ``__min``, ``__max``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from components.quality.rules import few_valued_columns
from schemas.contract import Contract, Feature

if TYPE_CHECKING:
    import pandas as pd


PARTS = ("dtype", "size", "height", "width", "channels", "min", "max")


def stored_column(name: str, contract: Contract) -> str:
    """The stored column behind a column of the checked frame: the feature, for a scalar of a tensor."""
    feature, _, part = name.rpartition("__")
    shaped = feature in contract.features and contract.features[feature].shape
    return feature if shaped and part in PARTS else name


def checked_frame(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Stored columns with tensors replaced by their scalars; columns that the contract does not know stay."""
    columns: list[pl.Series] = []
    for series in frame:
        feature = contract.features.get(series.name)
        columns += tensor_columns(series, feature) if feature is not None and feature.shape else [series]
    return pl.DataFrame(columns)


def tensor_columns(series: pl.Series, feature: Feature) -> list[pl.Series]:
    """Scalars of a tensor column, one row each. A column that is no fixed-size list gives its dtype and size only."""
    name, rows = series.name, len(series)
    if not isinstance(series.dtype, pl.Array):
        found = {"dtype": str(series.dtype), "size": -1, "height": -1, "width": -1, "channels": -1}
        return [_constant(name, part, value, rows) for part, value in found.items()]
    size, dtype = series.dtype.shape[0], str(series.dtype.inner).lower()
    height, width, channels = feature.shape if feature.dtype == "image" else (0, 0, 0)
    matches = height * width * channels == size
    sizes = (
        {"height": height, "width": width, "channels": channels}
        if matches
        else {"height": -1, "width": -1, "channels": -1}
    )
    found = {"dtype": dtype, **(sizes if feature.dtype == "image" else {"size": size})}
    values = series.to_numpy() if rows else np.zeros((0, size), dtype=np.float32)
    extremes = [
        pl.Series(f"{name}__min", values.min(axis=1) if rows else [], dtype=pl.Float64),
        pl.Series(f"{name}__max", values.max(axis=1) if rows else [], dtype=pl.Float64),
    ]
    return [_constant(name, part, value, rows) for part, value in found.items()] + [e.fill_nan(None) for e in extremes]


def _constant(name: str, part: str, value: object, rows: int) -> pl.Series:
    return pl.Series(f"{name}__{part}", [value]).new_from_index(0, rows)


def to_pandas(frame: pl.DataFrame, contract: Contract) -> pd.DataFrame:
    """The frame for pandas: few-valued texts as categories (a fast check), whole numbers with gaps as ``Int64``."""
    import pandas as pd

    few = few_valued_columns(contract)
    return pd.DataFrame({s.name: _to_pandas(s, s.name in few) for s in frame}, copy=False)


def _to_pandas(series: pl.Series, few_valued: bool) -> pd.Series:
    import pandas as pd

    gaps = series.null_count() > 0
    if series.dtype == pl.String and few_valued:
        coded = series.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        categories = pd.Index(coded.dictionary.to_pylist(), dtype="str")
        return pd.Series(pd.Categorical.from_codes(codes, categories=categories))
    if gaps and series.dtype in (pl.Int64, pl.Boolean):
        filled = series.fill_null(False if series.dtype == pl.Boolean else 0).to_numpy()
        mask = series.is_null().to_numpy()
        if series.dtype == pl.Boolean:
            return pd.Series(pd.arrays.BooleanArray(filled.copy(), mask.copy()))
        return pd.Series(pd.arrays.IntegerArray(filled.copy(), mask.copy()))
    return series.to_pandas()
