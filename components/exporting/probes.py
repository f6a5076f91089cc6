"""The rows on which an exported model is checked: real ones, and copies of them with what real rows may lack."""

import polars as pl

from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.magnitudes import FLOAT32_MAX, INT64_MAX, fits_int64

UNSEEN_TEXT = "a value that was never seen"
COPIES = 4


def probed(contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``frame``, and below them copies of the first few with the odd cases of every feature.

    Three copies of each: all that may be missing is missing; every text empty and every number at the edge of its
    range; every category unseen.
    """
    base = frame.head(COPIES)
    variants = (
        base.with_columns(_missing(n, f, frame.schema[n]) for n, f in contract.features.items()),
        base.with_columns(_extreme(n, f, frame.schema[n]) for n, f in contract.features.items()),
        base.with_columns(_unseen(n, f, frame.schema[n]) for n, f in contract.features.items()),
    )
    return pl.concat([frame, *variants])


def _missing(name: str, feature: Feature, dtype: pl.DataType) -> pl.Expr:
    """Null where the contract allows it; floats have NaN in any case."""
    may_miss = feature.nullable or (feature.dtype == "float" and not feature.shape)
    return pl.lit(None, dtype=dtype).alias(name) if may_miss else pl.col(name)


def _extreme(name: str, feature: Feature, dtype: pl.DataType) -> pl.Expr:
    if feature.dtype == "string":
        return pl.lit("", dtype=dtype).alias(name)
    if feature.dtype in ("int", "float") and not feature.shape:
        edge = feature.min if feature.min is not None else feature.max if feature.max is not None else 0
        most = FLOAT32_MAX if feature.dtype == "float" else INT64_MAX
        return pl.lit(max(-most, min(most, edge))).cast(dtype).alias(name)
    return pl.col(name)


def _unseen(name: str, feature: Feature, dtype: pl.DataType) -> pl.Expr:
    if feature.dtype == "string":
        return pl.lit(UNSEEN_TEXT, dtype=dtype).alias(name)
    if feature.dtype == "int" and feature.allowed is not None:
        known = [int(v) for v in feature.allowed]
        other = next(v for v in (max(known) + 1, *range(len(known) + 1)) if fits_int64(v) and v not in known)
        return pl.lit(other, dtype).alias(name)
    return pl.col(name)
