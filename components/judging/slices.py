"""The metrics again on parts of the data, because a good average can hide a group that is served badly."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.wire import MASK
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import polars as pl

VALUES = 20
"""Slices by column: the most frequent values."""

RESAMPLES = 300
"""Resamples behind the interval of a slice, at most."""


def check_columns(columns: Sequence[str], contract: Contract) -> None:
    """Refuse a column that the contract does not have or that has no few values to slice by.

    Raises:
        UnknownName: no such feature; the message lists those that can be sliced.
        ConfigError: a feature of numbers, instants or pixels.
    """
    fit = [
        n for n, f in contract.features.items() if not f.shape and (f.dtype in ("string", "bool", "int") or f.allowed)
    ]
    for column in columns:
        if column not in contract.features:
            raise UnknownName("feature to slice by", column, fit)
        if column not in fit:
            raise ConfigError(
                f"cannot slice by {column!r}: it is of dtype {contract.features[column].dtype}",
                f"a feature with few values: {listed(fit)}",
                "name another column in `slices`",
            )


def measure_slices(
    frame: "pl.DataFrame",
    columns: Sequence[str],
    contract: Contract,
    measure: Callable[[NDArray[np.intp]], dict[str, Any]],
    *,
    min_rows: int,
) -> list[dict[str, Any]]:
    """Metrics of each frequent value of each column.

    Values with fewer than ``min_rows`` rows, and those beyond the ``VALUES`` most frequent, are only counted. Values of
    sensitive features are masked.

    Args:
        frame: the rows that are judged, with these columns.
        columns: features with few values (``check_columns``).
        contract: says which of them are sensitive.
        measure: metrics of the rows with these numbers, int [n].
        min_rows: fewest rows of a value that is measured.

    Returns:
        One entry a column: ``{"column", "left_out", "slices": [{"value", "rows", "metrics"}]}``, largest slice first.
    """
    check_columns(columns, contract)
    out = []
    for column in columns:
        found = slices_of(frame, column, contract, min_rows)
        slices = [{"value": value, "rows": len(rows), "metrics": measure(rows)} for value, rows in found]
        kept = sum(len(rows) for _, rows in found)
        left_out = {"values": frame[column].n_unique() - len(found), "rows": frame.height - kept}
        out.append({"column": column, "left_out": left_out, "slices": slices})
    return out


def slices_of(
    frame: "pl.DataFrame", column: str, contract: Contract, min_rows: int
) -> list[tuple[str, NDArray[np.intp]]]:
    """The most frequent values of a column, largest first, with the numbers of their rows, [rows of the value].

    Values of a sensitive column are masked.
    """
    codes, values = _codes(frame, column)
    counts = np.bincount(codes, minlength=len(values))
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i] >= min_rows][:VALUES]
    sensitive = contract.features[column].sensitive
    names = [f"value {place + 1} {MASK}" if sensitive else values[code] for place, code in enumerate(order)]
    return [(name, np.flatnonzero(codes == code)) for name, code in zip(names, order, strict=True)]


def _codes(frame: "pl.DataFrame", column: str) -> tuple[NDArray[np.int64], list[str]]:
    """A number for each row and what it stands for."""
    import polars as pl

    text = frame[column].cast(pl.String).fill_null("(missing)")
    values = text.unique(maintain_order=True).sort()
    ranks = values.search_sorted(text)
    return ranks.to_numpy().astype(np.int64), values.to_list()
