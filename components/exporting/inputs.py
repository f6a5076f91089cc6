"""What a client must know of the served inputs: dtype, shape, unit, how a missing value is sent, moments seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kilnworks.components.dates.iso import moment_text
from kilnworks.components.features.raw import raw_input
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.dates import WIRE_UNIT
from kilnworks.schemas.wire import MISSING


def unit(feature: Feature) -> str:
    """What the number of an input counts; of a datetime always the same."""
    return WIRE_UNIT if feature.dtype == "datetime" else feature.unit


def described_inputs(contract: Contract, train_files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Each input by the name of its feature: ``dtype``, ``shape`` and, where there is one, ``unit`` and ``missing``.

    Datetimes also have ``first`` and ``last``: the seconds of the first and last training moment, by which the request
    check tells a number in milliseconds from one in seconds, and ``text``, what REST takes for them.
    """
    found = described_features(contract)
    for name, (first, last) in _spans(contract, train_files).items():
        found[name] |= {"first": first, "last": last, "text": f"ISO 8601, such as {moment_text(last)}"}
    return found


def described_features(contract: Contract) -> dict[str, dict[str, Any]]:
    """What the contract alone says of each input: ``dtype``, ``shape``, ``unit``, ``missing``, ``text``."""
    return {name: _described(feature) for name, feature in contract.features.items()}


def _described(feature: Feature) -> dict[str, Any]:
    dtype, shape = raw_input(feature)
    counted = {"unit": unit(feature)} if unit(feature) else {}
    missing = {**MISSING, "float32": "NaN", "string": ""}.get(dtype)
    told = {"missing": missing} if feature.nullable and missing is not None else {}
    text = {"text": "ISO 8601"} if feature.dtype == "datetime" else {}
    return {"dtype": dtype, "shape": [-1, *shape], **counted, **told, **text}


def _spans(contract: Contract, train_files: Sequence[Path]) -> dict[str, tuple[int, int]]:
    """First and last training moment of each datetime that may be shown, in seconds."""
    import polars as pl

    names = [n for n, f in contract.features.items() if f.dtype == "datetime" and not f.sensitive]
    if not names:
        return {}
    rows = pl.scan_parquet(list(train_files), glob=False).select(
        pl.col(n).cast(pl.Datetime("us")).dt.epoch("s") for n in names
    )
    first, last = (end.collect().row(0, named=True) for end in (rows.min(), rows.max()))
    return {n: (first[n], last[n]) for n in names if first[n] is not None}
