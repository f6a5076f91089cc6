"""The metrics again on parts of the data, because a good average can hide a group that is served badly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging.fairness.groups import Group
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
        ConfigError: a feature of numbers, instants or pixels, or one of a series, of which a window has many values.
    """
    fit = [
        n for n, f in contract.features.items() if not f.shape and (f.dtype in ("string", "bool", "int") or f.allowed)
    ]
    if contract.series is not None:
        fit = [name for name in fit if name == contract.series.group]
    for column in columns:
        if column not in contract.features:
            raise UnknownName("feature to slice by", column, fit)
        if column not in fit:
            why = "a window of a series has many values of it" if contract.series is not None else ""
            raise ConfigError(
                f"cannot slice by {column!r}: {why or f'it is of dtype {contract.features[column].dtype}'}",
                f"a feature with few values: {listed(fit) or 'there is none'}",
                "name another column in `slices`",
            )


@dataclass(frozen=True)
class Sliced:
    """A column cut into groups of rows.

    Attributes:
        column: its name.
        groups: the frequent values, the largest group first.
        left_out: how many further values there are, and rows with them.
        small: values with too few rows and how many, as a reader may see them; the most frequent of them.
    """

    column: str
    groups: tuple[Group, ...]
    left_out: dict[str, int]
    small: tuple[tuple[str, int], ...]


def sliced(frame: "pl.DataFrame", columns: Sequence[str], contract: Contract, *, min_rows: int) -> list[Sliced]:
    """The groups of each column.

    Values with fewer than ``min_rows`` rows are named, and those beyond the ``VALUES`` most frequent are only counted.
    Values of sensitive features are masked.

    Args:
        frame: the rows that are judged, with these columns.
        columns: features with few values (``check_columns``).
        contract: says which of them are sensitive.
        min_rows: fewest rows of a group.
    """
    check_columns(columns, contract)
    found = []
    for column in columns:
        codes, values = _codes(frame, column)
        counts = np.bincount(codes, minlength=len(values))
        order = [int(i) for i in np.argsort(-counts, kind="stable")]
        sensitive = contract.features[column].sensitive
        names = {code: f"value {place + 1} {MASK}" if sensitive else values[code] for place, code in enumerate(order)}
        kept = [code for code in order if counts[code] >= min_rows][:VALUES]
        few = [code for code in order if counts[code] < min_rows][:VALUES]
        found.append(
            Sliced(
                column,
                tuple(Group(names[code], np.flatnonzero(codes == code)) for code in kept),
                {"values": len(values) - len(kept), "rows": len(codes) - sum(int(counts[code]) for code in kept)},
                tuple((names[code], int(counts[code])) for code in few),
            )
        )
    return found


def measure_slices(
    slices: Sequence[Sliced], measure: Callable[[NDArray[np.intp]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Metrics of each group of each column.

    Args:
        slices: the groups.
        measure: metrics of the rows with these numbers, int [n].

    Returns:
        One entry a column: ``{"column", "left_out", "slices": [{"value", "rows", "metrics"}]}``, largest slice first.
    """
    return [
        {
            "column": one.column,
            "left_out": one.left_out,
            "slices": [{"value": g.name, "rows": len(g.rows), "metrics": measure(g.rows)} for g in one.groups],
        }
        for one in slices
    ]


def _codes(frame: "pl.DataFrame", column: str) -> tuple[NDArray[np.int64], list[str]]:
    """A number for each row and what it stands for."""
    import polars as pl

    text = frame[column].cast(pl.String).fill_null("(missing)")
    values = text.unique(maintain_order=True).sort()
    ranks = values.search_sorted(text)
    return ranks.to_numpy().astype(np.int64), values.to_list()
