"""How a feature travels to the served model: dtype and shape of each input, and frames turned into such inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from kilnworks.schemas import wire
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import DataInvalid

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

MISSING_INT = wire.MISSING_INT
"""How a missing ``datetime``, and a missing ``int`` that may be ``wide``, is sent: the smallest int64."""


class RawInput(NamedTuple):
    """Dtype and shape of one served input, without the batch axis."""

    dtype: Literal["float32", "int64", "bool", "string", "uint8"]
    shape: tuple[int, ...]


def raw_input(feature: Feature) -> RawInput:
    """How a feature is sent.

    float -> float32, NaN = missing; int, bool -> int64, bool, or float32 with NaN where nullable; string -> string,
    empty = missing; datetime -> int64 seconds since 1970 UTC, ``MISSING_INT`` = missing; image -> uint8, all 0 =
    missing. A nullable int that is ``wide``, which float32 would merge with its neighbours -> int64, ``MISSING_INT`` =
    missing.
    """
    match feature.dtype:
        case "float":
            return RawInput("float32", feature.shape)
        case "int":
            return RawInput("float32" if feature.nullable and not feature.wide else "int64", feature.shape)
        case "bool":
            return RawInput("float32" if feature.nullable else "bool", ())
        case "string":
            return RawInput("string", ())
        case "datetime":
            return RawInput("int64", ())
        case "image":
            return RawInput("uint8", feature.shape)


def misses_by_value(feature: Feature) -> bool:
    """Whether ``MISSING_INT`` says that a value is missing."""
    return feature.dtype == "datetime" or (feature.nullable and feature.wide)


def raw_inputs(contract: Contract) -> dict[str, RawInput]:
    """Every served input by feature name, in the order of the contract."""
    return {name: raw_input(feature) for name, feature in contract.features.items()}


def raw_arrays(contract: Contract, frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """The rows of a frame as a client would send them: ``[rows, *shape]`` by feature name; texts as objects.

    Raises:
        DataInvalid: a missing value where the contract allows none and the dtype has no way to say so.
    """
    return {name: raw_array(name, feature, frame[name]) for name, feature in contract.features.items()}


def raw_array(name: str, feature: Feature, series: pl.Series) -> np.ndarray:
    """One column as a client would send it, [rows, *shape], in the dtype that ``raw_input`` says.

    Raises as ``raw_arrays``.
    """
    import polars as pl

    dtype, shape = raw_input(feature)
    if shape:
        return _tensors(name, series, dtype, shape)
    match dtype:
        case "string":
            return series.cast(pl.String).fill_null("").to_numpy().astype(object)
        case "float32":
            return series.cast(pl.Float32).fill_null(float("nan")).to_numpy()
        case _ if feature.dtype == "datetime":
            return series.cast(pl.Datetime("us")).dt.epoch("s").fill_null(MISSING_INT).to_numpy()
        case _ if misses_by_value(feature):
            return series.cast(pl.Int64).fill_null(MISSING_INT).to_numpy()
        case _:
            _refuse_nulls(name, series)
            return series.cast(pl.Boolean if dtype == "bool" else pl.Int64).to_numpy()


def _tensors(name: str, series: pl.Series, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """``[rows, *shape]`` from a column of (nested) lists; a missing row is NaN, or 0 for images."""
    import numpy as np

    if dtype == "int64":
        _refuse_nulls(name, series)
    present = (~series.is_null()).to_numpy()
    values = series.drop_nulls()
    while values.dtype.is_nested():
        values = values.explode()
    flat = values.to_numpy().astype(dtype, copy=False).reshape(-1, int(np.prod(shape)))
    if present.all():
        return flat.reshape(-1, *shape)
    out = np.full((len(series), flat.shape[1]), np.nan if dtype == "float32" else 0, dtype)
    out[present] = flat
    return out.reshape(-1, *shape)


def _refuse_nulls(name: str, series: pl.Series) -> None:
    missing = series.null_count()
    if missing:
        raise DataInvalid(
            f"{missing} of {len(series)} values of {name!r} are missing",
            "a value in every row: the contract does not say nullable: true",
            "mark the feature nullable or correct the rows",
            [
                {
                    "split": None,
                    "column": name,
                    "rule": "not null",
                    "severity": "critical",
                    "unexpected": missing,
                    "checked": len(series),
                    "samples": [],
                }
            ],
        )
