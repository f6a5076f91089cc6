"""The frames that are checked: a few columns and a batch of rows as pandas.

Tensors do not go to the checks themselves. Each stands there by columns of scalars, one row an image or tensor:
``<feature>__size`` (elements), ``__missing`` (elements that are NaN, for floats), ``__min``, ``__max``, ``__dtype``,
and for images ``__height``, ``__width``, ``__channels``. Where an image was decoded from a file, height, width,
channels and dtype are those of the file and are stored; else they are those of the pixels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from kilnworks.components.quality.expectations.rules import few_valued_columns
from kilnworks.schemas.contract import Contract, Feature

if TYPE_CHECKING:
    import pandas as pd


def checked_frame(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Stored columns with tensors replaced by their scalars; columns that the contract does not know stay."""
    columns: list[pl.Series] = []
    for series in frame:
        feature = contract.features.get(series.name)
        made = tensor_columns(series, feature) if feature is not None and feature.shape else [series]
        columns += [one for one in made if one is series or one.name not in frame.columns]
    return pl.DataFrame(columns)


def tensor_columns(series: pl.Series, feature: Feature) -> list[pl.Series]:
    """Scalars of a tensor column, one row each. A column that is not stored as it should be has the size -1."""
    rows, image = len(series), feature.dtype == "image"
    fixed = isinstance(series.dtype, pl.Array)
    size = series.dtype.shape[0] if isinstance(series.dtype, pl.Array) else -1
    dtype = str(series.dtype.inner).lower() if isinstance(series.dtype, pl.Array) else str(series.dtype)
    found: dict[str, Any] = {"dtype": dtype, "size": -1 if image and dtype != "uint8" else size}
    if image:
        fits = size == math.prod(feature.shape)
        found |= dict(zip(("height", "width", "channels"), feature.shape if fits else (None,) * 3, strict=True))
    columns = [_constant(series.name, part, value, rows) for part, value in found.items()]
    if not fixed:
        return columns
    values = series.to_numpy() if rows else np.zeros((0, size), dtype=np.float32)
    if feature.dtype == "float":
        gaps = np.isnan(values).sum(axis=1)
        columns.append(pl.Series(f"{series.name}__missing", gaps, dtype=pl.Int64))
    for part, extreme in (("min", np.fmin), ("max", np.fmax)):
        ends = extreme.reduce(values, axis=1)
        made = pl.Series(f"{series.name}__{part}", ends, dtype=pl.Float64 if values.dtype.kind == "f" else pl.Int64)
        columns.append(made.fill_nan(None) if values.dtype.kind == "f" else made)
    return columns


def _constant(name: str, part: str, value: object, rows: int) -> pl.Series:
    dtype = pl.String if part == "dtype" else pl.Int64
    return pl.Series(f"{name}__{part}", [value], dtype=dtype).new_from_index(0, rows)


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
